"""An event of the trail as one line for people; whatever an agent or a stranger wrote stays data."""

from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from mcp_wallet.core.canonical import Json
from mcp_wallet.doors.visible import visible

CELL_CHARACTERS_MAX: Final = 300
_ENVELOPE: Final = frozenset(
    {"eventId", "timestamp", "eventType", "schema", "orgId", "environment", "agentId", "sequence", "actor"}
)
_DECISION: Final = frozenset(
    {"intent", "policy", "settings", "counters", "facts", "remaining", "plaintext", "decision", "reasons"}
)


def event_line(sequence: int, body: bytes) -> str:
    """Return sequence, time, type, who, and what happened; a text that is no event is shown as the data it is."""
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        return f"{sequence:>7}  not an event: {_cell(body.decode('utf-8', 'replace'))}"
    parts = [_cell(event.get("timestamp")), _cell(event.get("eventType")), *_who(event), *_what(event)]
    return f"{sequence:>7}  " + "  ".join(part for part in parts if part)


def _who(event: Mapping[str, Json]) -> Iterator[str]:
    actor = event.get("actor")
    if isinstance(actor, Mapping):
        yield f"by {_cell(actor.get('kind'))} {_cell(actor.get('name'))}"
    if event.get("agentId"):
        yield f"agent {_cell(event['agentId'])}"


def _what(event: Mapping[str, Json]) -> Iterator[str]:
    if event.get("decision"):
        yield _cell(event["decision"])
    intent = event.get("intent")
    if isinstance(intent, Mapping):
        yield _payment(intent)
    reasons = event.get("reasons")
    if isinstance(reasons, list):
        yield ", ".join(_cell(reason.get("code")) for reason in reasons if isinstance(reason, Mapping))
    if isinstance(intent, Mapping):
        yield from _written(intent)
    for name in sorted(event.keys() - _ENVELOPE - _DECISION):
        yield f"{_cell(name)} {_cell(event[name])}"


def _payment(intent: Mapping[str, Json]) -> str:
    to = _cell(intent.get("payee")) or _cell(intent.get("to"))
    amount, symbol = _cell(intent.get("amountHuman")), _cell(intent.get("symbol")).upper()
    return f"{amount} {symbol} on {_cell(intent.get('chainName'))} to {to}"


def _written(intent: Mapping[str, Json]) -> Iterator[str]:
    for name in ("reference", "memo", "idempotencyKey"):
        if intent.get(name):
            yield f'the agent wrote as {name}: "{_cell(intent[name])}"'


def _cell(value: Json) -> str:
    text = value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
    return visible(text, CELL_CHARACTERS_MAX)
