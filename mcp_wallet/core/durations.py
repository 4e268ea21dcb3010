"""Stretches of time as people write them: a whole number and one of `s m h d w`."""

import re
from typing import Final

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse_duration_ms(text: str) -> int:
    """Return milliseconds, above zero; `OwnerError(CONFIG_UNAPPROVED)` for another shape."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise OwnerError(
            ReasonCode.CONFIG_UNAPPROVED,
            f"`{text[:40]}` is not a duration: write a number above 0 and one of s, m, h, d, w, such as `10m`.",
        )
    return int(match[1]) * _SECONDS[match[2]] * 1000
