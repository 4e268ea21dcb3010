"""Why somebody did something, in their own words: it stands on the trail."""

from mcp_wallet.contract.changes import REASON_CHARACTERS_MAX
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode


def required_reason(text: str) -> str:
    """Return the words; `CallerError(INTENT_INVALID)` without any, or with what nobody can see."""
    words = optional_reason(text)
    if not words:
        raise _unusable()
    return words


def optional_reason(text: str) -> str:
    """Return the words, empty without any; `CallerError(INTENT_INVALID)` for what nobody can see."""
    words = text.strip()
    if len(words) > REASON_CHARACTERS_MAX or not words.isprintable():
        raise _unusable()
    return words


def _unusable() -> CallerError:
    sentence = f'A reason is 1 to {REASON_CHARACTERS_MAX} visible characters: --reason "…".'
    return CallerError(ReasonCode.INTENT_INVALID, sentence)
