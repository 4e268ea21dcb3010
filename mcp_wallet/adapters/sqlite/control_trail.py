"""How the operator plane writes to the trail: who, when, and whether one person alone was enough."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.four_eyes import second_person_required
from mcp_wallet.ports import Actor, Clock


@dataclass(slots=True)
class ControlTrail:
    """Appends operators' events inside the open transaction."""

    state: LedgerState
    clock: Clock

    @property
    def solo(self) -> bool:
        """Whether one person may do everything here; a home without settings is still being made."""
        settings = self.state.control.settings
        return settings is None or settings.solo

    def now(self) -> int:
        """Return the transaction's time in Unix milliseconds, never before the newest event's."""
        return max(self.clock(), self.state.books.last_event_ms)

    def event(
        self, kind: str, payload: Mapping[str, Json], actor: Actor, agent_id: str = "", *, at_ms: int | None = None
    ) -> int:
        """Append one event, now or at the time that its transaction has taken, and return its sequence."""
        alone = actor.kind == "operator" and self.state.control.settings is not None and self.solo
        separation: dict[str, Json] = {"separationOfDuties": False} if alone else {}
        body = {"actor": actor_document(actor)} | separation | dict(payload)
        when_ms = self.now() if at_ms is None else at_ms
        return append_event(self.state, kind, body, at_ms=when_ms, agent_id=agent_id)

    def payment_event(
        self, kind: str, payload: Mapping[str, Json], actor: Actor | None, agent_id: str, at_ms: int
    ) -> None:
        """Append an event about a payment; `actor` is None when nobody did it."""
        alone = actor is not None and self.solo
        separation: dict[str, Json] = {"separationOfDuties": False} if alone else {}
        who: dict[str, Json] = {"actor": actor_document(actor)} if actor is not None else {}
        append_event(self.state, kind, who | separation | dict(payload), at_ms=at_ms, agent_id=agent_id)

    def refuse_alone(self, actor: Actor) -> None:
        """Return when this actor may act without a proposal.

        Raises:
            CallerError: `SECOND_PERSON_REQUIRED` for an operator of a home that is not solo.
        """
        if actor.kind == "operator" and not self.solo:
            raise second_person_required("One person alone cannot do this here: propose it, and let another approve.")


def actor_document(actor: Actor) -> dict[str, Json]:
    """Return who did it, as it stands in an event."""
    return {"kind": actor.kind, "name": actor.name}
