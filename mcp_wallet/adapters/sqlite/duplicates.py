"""The guards' look-ups: one indexed query each, which also counts the attempts that were freed before."""

import sqlite3
from typing import Final, NamedTuple

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.rows import COUNTED, address_bytes, counted
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.unlisted import Guard
from mcp_wallet.core.books import content_of
from mcp_wallet.core.guards import Hit, Verdict, judge
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.matching import Payment

_BY_REFERENCE: Final = "SELECT id, freed FROM payment WHERE reference = ? AND recipient = ? AND reference <> ''"
_BY_KEY: Final = "SELECT id, freed FROM payment WHERE idempotency_key = ? AND agent_id = ? AND idempotency_key <> ''"
_HOLDER: Final = f"SELECT payment_id, {COUNTED} FROM payment WHERE id = ?"  # noqa: S608  our own column names

_FREE: Final = Verdict()


class GuardState(NamedTuple):
    """What the guards say of a draft, and under which guard this attempt counts.

    Args:
        guard: `reference`, `idempotency_key`, or `payment` when the caller named neither.
        value: The guard's value; empty for `payment`.
        attempt: Earlier payments under this guard, all of them freed unless the verdict says otherwise.
    """

    verdict: Verdict
    guard: str
    value: str
    attempt: int


class Guards:
    """The three guards on one connection, inside its transactions. A home has one account, so `from` never differs."""

    __slots__ = ("_cursor", "_raw", "_state")

    def __init__(self, raw: Raw, state: LedgerState) -> None:
        """Look nothing up yet."""
        self._raw, self._state = raw, state
        self._cursor: sqlite3.Cursor | None = None

    def look_up(self, draft: PaymentDraft, payment: Payment, *, deduplication_ms: int) -> GuardState:
        """Look all three up: a new key never switches off a stronger one."""
        references = keys = 0
        by_reference = by_key = by_content = None
        guard, value = "payment", ""
        if draft.idempotency_key:
            guard, value = "idempotency_key", draft.idempotency_key
            by_key, keys = self._find(_BY_KEY, (value, draft.agent_id), draft.agent_id)
        if draft.reference:
            guard, value = "reference", draft.reference
            by_reference, references = self._find(_BY_REFERENCE, (value, draft.to), address_bytes(draft.to))
        else:
            found = self._state.books.same_content(payment, since_ms=payment.at_ms - deduplication_ms)
            by_content = Hit(payment_id=found, agent_id=payment.agent, content=draft.content) if found else None
        verdict = _FREE
        if by_reference or by_key or by_content:
            verdict = judge(
                agent_id=draft.agent_id,
                content=draft.content,
                has_key=bool(draft.idempotency_key),
                by_reference=by_reference,
                by_key=by_key,
                by_content=by_content,
            )
        return GuardState(verdict, guard, value, references if draft.reference else keys)

    def _find(self, query: str, guard: Guard, of: str | bytearray) -> tuple[Hit | None, int]:
        """Return the payment that holds a guard, and how many ever had it; `of` is whose it is, as the table has it."""
        if self._state.unlisted.has(guard):
            self._state.list_payments(self._raw)
        cursor = self._cursor = self._cursor or self._raw.cursor()  # kept: making one costs more than a look-up
        rows = cursor.execute(query, (guard[0], of)).fetchall()
        holder = next((row_id for row_id, freed in rows if not freed), None) if rows else None
        if holder is None:
            return None, len(rows)
        payment_id, *columns = cursor.execute(_HOLDER, (holder,)).fetchone()
        payment = counted(tuple(columns))
        return Hit(payment_id=payment_id, agent_id=payment.agent, content=content_of(payment)), len(rows)
