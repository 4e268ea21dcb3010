"""Figures with floors taken in the same run: `make bench` (SPEC section 14)."""
