"""An EVM chain through one node."""
