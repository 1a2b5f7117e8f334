"""A network is the parameter: the pmapped loop, and what a loop needs. It knows no task by name."""
