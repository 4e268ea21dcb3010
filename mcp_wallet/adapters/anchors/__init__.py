"""Places outside the home that keep checkpoints."""
