"""Untrusted text as people may see it: nothing in it hides, moves the cursor or forges a line."""

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: str, characters_max: int) -> str:
    """Return the text with hidden characters (control, format, surrogate, separator) shown as U+FFFD, and cut."""
    shown = "".join("\ufffd" if unicodedata.category(c) in _HIDDEN else c for c in text[:characters_max])
    return shown if len(text) <= characters_max else shown + "…"
