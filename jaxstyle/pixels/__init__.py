"""The image is the parameter: the one optimisation loop and the jobs written on it."""
