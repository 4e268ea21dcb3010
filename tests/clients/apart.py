"""Environments under .tools that hold other people's clients."""

from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / ".tools"


def apart(name: str) -> Path:
    """Return an environment under .tools, or skip the test."""
    folder = TOOLS / name
    if not (folder / ".ready").exists():
        pytest.skip(f"needs .tools/{name}: run `make clients`")
    return folder
