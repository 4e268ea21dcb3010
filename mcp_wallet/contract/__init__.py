"""Shapes that cross a door: tool inputs and results, audit events."""
