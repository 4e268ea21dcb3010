"""What every agent door says: a result as one text, an accident as one sentence behind its code.

A fault says nothing of itself: its trace goes to the log. No sentence echoes more of a caller's value than a glance, or
any character that hides.
"""

import json
import logging
import unicodedata
from typing import Final

from pydantic import BaseModel

from mcp_wallet.core.errors import WalletError
from mcp_wallet.core.reasons import ReasonCode

SENTENCE_CHARACTERS_MAX: Final = 600
FAULT: Final = (
    f"{ReasonCode.ENGINE_ERROR}: Something went wrong inside the wallet and stands in its log: "
    "ask get_payment or list_payments before you send a payment again."
)

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_log = logging.getLogger(__name__)


def text_of(result: BaseModel) -> str:
    """Return a result, refusals included, as text: its message, then as JSON what else it holds."""
    fields = result.model_dump(mode="json")
    told = {name: part for name, part in fields.items() if name != "message" and part not in ("", [], False)}
    text = str(fields.get("message", ""))
    if told:
        text += "\n" + json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return text


def sentence_of(error: Exception) -> str:
    """Return the one sentence of an error; what is not a wallet's error is logged and not told."""
    if isinstance(error, WalletError):
        return visible(f"{error.code}: {error.message}", SENTENCE_CHARACTERS_MAX)
    _log.error("a call failed", exc_info=error)
    return FAULT


def visible(text: str, characters_max: int) -> str:
    """Return the text with hidden characters (control, format, surrogate, separator) shown as U+FFFD, and cut."""
    shown = "".join("\ufffd" if unicodedata.category(c) in _HIDDEN else c for c in text[:characters_max])
    return shown if len(text) <= characters_max else shown + "…"
