"""A seeded world in which everything breaks, in any order, and checkers that judge it from outside."""
