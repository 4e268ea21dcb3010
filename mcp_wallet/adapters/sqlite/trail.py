"""Appending to the trail: envelope, canonical bytes, tree hashes, and the fold into memory, in one place."""

import secrets
from collections.abc import Mapping
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.contract.events import LEAF_BYTES_MAX, envelope
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.merkle import leaf_hash
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Head

_INSERT: Final = "INSERT INTO event (sequence, hashes, body) VALUES (?, ?, ?)"


def append_event(
    raw: Raw,
    state: LedgerState,
    event_type: str,
    payload: Mapping[str, Json],
    *,
    at_ms: int,
    agent_id: str = "",
    settings: Settings | None = None,
) -> int:
    """Append one event inside the open transaction and fold it into memory; return its sequence.

    Args:
        settings: Named in the envelope when the ledger has none yet (the home's first event).
    """
    active = state.control.settings or settings
    if active is None:
        message = "the first event of a home must bring its settings"
        raise InvariantBroken(message)
    sequence = state.frontier.size
    event: dict[str, Json] = envelope(
        event_type,
        event_id="evt_" + secrets.token_hex(16),
        at_ms=at_ms,
        org_id=active.org_id,
        environment=active.environment,
        agent_id=agent_id,
    )
    event |= payload
    event["sequence"] = sequence
    body = canonical_bytes(event)
    if len(body) > LEAF_BYTES_MAX:
        message = f"an event of {len(body)} bytes is larger than a leaf may be"
        raise InvariantBroken(message)
    state.writes += 1
    raw.execute(_INSERT, (sequence, state.frontier.append(leaf_hash(body)), body.decode()))
    state.books.apply(event, at_ms)
    return sequence


def head_of(state: LedgerState) -> Head:
    """Return size and root as memory has them."""
    return Head(size=state.frontier.size, root=state.frontier.root())
