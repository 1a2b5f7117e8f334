"""Tasks, one a file: the training step, the evaluation and the config of a kind of network, as pure functions."""
