"""Payments that the trail has and the table of payments has not yet (ADR 14).

A decision appends its event and nothing else: one page instead of four. Its row in the table of payments, with the
guards' indexes, is written later and for many at once: before anybody reads or changes that table, and at the latest
after `LIST_AFTER` decisions. Until then memory holds the row, in every process, and after a restart it is made again
from the event. Whoever lists, lists all: every decision up to the newest row of the table has its row.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.rows import INSERT, decided_record, row_of
from mcp_wallet.core.lifecycle import State
from mcp_wallet.ports import PaymentRecord

LIST_AFTER: Final = 512
"""Decisions. More would make the listing itself a pause that callers notice."""
_OPEN: Final = "INSERT INTO open_payment (id) VALUES (?)"

Guard: TypeAlias = tuple[str, str]
"""Reference and recipient, or idempotency key and agent."""


class _Decided(NamedTuple):
    record: PaymentRecord
    expires_at_ms: int


class Unlisted:
    """The payments of the newest decisions, in the order of the trail."""

    __slots__ = ("_decided", "_guards")

    def __init__(self) -> None:
        """Start empty."""
        self._decided: list[_Decided] = []
        self._guards: set[Guard] = set()

    def __len__(self) -> int:
        """How many payments wait."""
        return len(self._decided)

    def add(self, record: PaymentRecord, expires_at_ms: int) -> None:
        """Keep a payment as it was decided.

        Args:
            expires_at_ms: When the approval, or the request for one, is over.
        """
        self._decided.append(_Decided(record, expires_at_ms))
        self.guard(record.intent.reference, record.intent.to)
        self.guard(record.idempotency_key, record.intent.agent_id)

    def add_event(self, event: Mapping[str, Any]) -> None:
        """Keep the payment of a `policy_decision` that another process, or an earlier life of this one, appended."""
        self.add(*decided_record(event))

    def guard(self, value: str, of: str) -> None:
        """Note what nobody may pay again, though the table does not say so yet."""
        self._guards.add((value, of))

    def has(self, guard: Guard) -> bool:
        """Return whether a look-up in the table would miss a payment that is kept here."""
        return guard in self._guards

    def drop_listed(self, newest_row: int) -> None:
        """Forget what another process has listed."""
        if self._decided and self._decided[0].record.decision_sequence <= newest_row:
            kept = [decided for decided in self._decided if decided.record.decision_sequence > newest_row]
            self.forget()
            for decided in kept:
                self.add(*decided)

    def forget(self) -> None:
        """Drop everything."""
        self._decided, self._guards = [], set()

    def list_all(self, raw: Raw) -> None:
        """Write all rows."""
        if self._decided:
            raw.executemany(INSERT, [row_of(record, expires_at_ms) for record, expires_at_ms in self._decided])
            held = [(d.record.decision_sequence,) for d in self._decided if d.record.state is not State.DENIED]
            raw.executemany(_OPEN, held)
            self.forget()
