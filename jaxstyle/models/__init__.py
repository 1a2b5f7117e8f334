"""Networks with trainable parameters, one architecture a file: Flax Linen modules, pure functions of arrays."""
