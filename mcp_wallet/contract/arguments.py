"""From the raw arguments of a tool call to what a desk takes; the same for every door.

Nothing is ignored: an argument that the tool does not have is refused. What a payment's values mean is `core.intent`'s
to say. A duplicate JSON key cannot be seen here, the protocol's parser has already kept the last one; that is one
reason why each answer repeats amount, unit and recipient.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from mcp_wallet.contract.tools import PAYMENTS_LISTED_MAX, Tool
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.intent import PaymentRequest, parse_idempotency_key, parse_reference
from mcp_wallet.core.lifecycle import TOOL_STATUS
from mcp_wallet.core.reasons import ReasonCode

Arguments = Mapping[str, object]

NAME_CHARACTERS_MAX: Final = 160
"""Longest asset or chain that a filter can name: a CAIP-19 id has some 90."""

_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGITS = re.compile(r"[0-9]{1,4}")
_STATUSES = tuple(dict.fromkeys(TOOL_STATUS.values()))


def complete_arguments(tool: Tool, raw: Arguments) -> dict[str, object]:
    """Return the arguments with defaults for absent ones, their values still untrusted.

    Raises:
        CallerError: `INTENT_INVALID` for an argument that is unknown or missing, naming it.
    """
    known = {argument.name: argument for argument in tool.arguments}
    if stray := [name for name in raw if name not in known]:
        takes = f"takes {', '.join(known)}" if known else "takes no arguments"
        _refuse(f"`{stray[0][:40]}` is not an argument of {tool.name}, which {takes}.")
    if missing := [name for name, argument in known.items() if argument.default is None and name not in raw]:
        _refuse(f"`{missing[0]}` is missing: {tool.name} needs it.")
    return {name: raw.get(name, argument.default) for name, argument in known.items()}


def payment_request(arguments: Arguments) -> PaymentRequest:
    """Return the request of a send or simulate call, exactly as it arrived."""
    return PaymentRequest(
        to=arguments["to"],
        amount=arguments["amount"],
        asset=arguments["asset"],
        chain=arguments["chain"],
        reference=arguments["reference"],
        memo=arguments["memo"],
        idempotency_key=arguments["idempotency_key"],
    )


def parse_payment_key(arguments: Arguments) -> dict[str, str]:
    """Return which payment is meant, as exactly one of `payment_id`, `reference`, `idempotency_key`.

    Raises:
        CallerError: `INTENT_INVALID` when none or several are given, or one is malformed.
    """
    parsers: dict[str, Callable[[object], str]] = {
        "payment_id": parse_payment_id,
        "reference": parse_reference,
        "idempotency_key": parse_idempotency_key,
    }
    given = {name: parse(arguments[name]) for name, parse in parsers.items()}
    chosen = {name: text for name, text in given.items() if text}
    if len(chosen) != 1:
        _refuse("Send exactly one of `payment_id`, `reference` and `idempotency_key`.")
    return chosen


def parse_payment_id(value: object) -> str:
    """Return the id or empty text; `CallerError(INTENT_INVALID)` for what no payment id looks like."""
    if not isinstance(value, str) or (value and _PAYMENT_ID.fullmatch(value) is None):
        _refuse("`payment_id` must be the text that send_payment gave as `payment_id`.")
    return value


def parse_name(field: str, value: object) -> str:
    """Return the name of an asset or chain, or empty text; whether it exists is the registry's to say.

    Raises:
        CallerError: `INTENT_INVALID` for another type, control or invisible characters, or more than 160 characters.
    """
    if not isinstance(value, str):
        _refuse(f"`{field}` must be text.")
    if len(value) > NAME_CHARACTERS_MAX or any(unicodedata.category(c)[0] in "CZ" for c in value):
        _refuse(f"`{field}` must be a short name without spaces or invisible characters.")
    return value


def parse_limit(value: object) -> int:
    """Return how many payments to list; digits as text are taken too, because clients turn 5 into "5"."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= PAYMENTS_LISTED_MAX:
        _refuse(f"`limit` must be a whole number from 1 to {PAYMENTS_LISTED_MAX}.")
    return number


def parse_status(value: object) -> str:
    """Return a status that payments can have, or empty text; `CallerError(INTENT_INVALID)`."""
    if not isinstance(value, str) or value not in {"", *_STATUSES}:
        _refuse(f"`status` must be empty or one of {', '.join(_STATUSES)}.")
    return value


def _refuse(sentence: str) -> NoReturn:
    raise CallerError(ReasonCode.INTENT_INVALID, sentence)
