"""Arrays to arrays, with gradients that are fast on every platform."""
