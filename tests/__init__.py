"""Tests that answer questions: see the table in CONTRIBUTING.md."""
