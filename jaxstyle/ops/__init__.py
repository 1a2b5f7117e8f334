"""Array operations with gradients that are fast on every platform."""
