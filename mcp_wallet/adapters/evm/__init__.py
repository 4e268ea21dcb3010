"""An EVM chain through its configured nodes, none of which is trusted."""
