"""Appending to the trail: envelope, sequence and the fold into memory, in one place.

Canonical bytes, tree hashes and the row are made when the batch is written out (`unwritten.py`).
"""

import os
from collections.abc import Mapping

from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.contract.events import envelope
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Head


def append_event(
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
    sequence = state.keep_place()
    event = new_event(event_type, payload, active, sequence=sequence, at_ms=at_ms, agent_id=agent_id)
    state.unwritten.fill_event(sequence, event)
    state.books.apply(event, at_ms)
    return sequence


def new_event(
    event_type: str, payload: Mapping[str, Json], settings: Settings, *, sequence: int, at_ms: int, agent_id: str
) -> dict[str, Json]:
    """Return an event under a fresh id."""
    event: dict[str, Json] = envelope(
        event_type,
        event_id="evt_" + os.urandom(16).hex(),
        at_ms=at_ms,
        org_id=settings.org_id,
        environment=settings.environment,
        agent_id=agent_id,
    )
    event |= payload
    event["sequence"] = sequence
    return event


def head_of(state: LedgerState) -> Head:
    """Return size and root as memory has them."""
    return Head(size=state.frontier.size, root=state.frontier.root())
