"""Thin doors: parse, call one use case, map the result."""
