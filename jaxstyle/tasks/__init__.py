"""What one training step does, one task a file: pure functions over a state. They know no loop."""
