"""Training of networks: the pmapped loop, and the state, checkpoints, config and writers of a run."""
