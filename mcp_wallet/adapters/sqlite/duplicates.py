"""The guards' look-ups: one indexed query each, which also counts the attempts that were freed before."""

from typing import Final, NamedTuple

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.rows import COUNTED, counted
from mcp_wallet.core.books import Books, content_of
from mcp_wallet.core.guards import Hit, Verdict, judge
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.matching import Payment

_BY_REFERENCE: Final = (
    "SELECT id, freed FROM payment WHERE reference = ? AND recipient = ? AND sender = ? AND reference <> ''"
)
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


def guard_state(raw: Raw, books: Books, draft: PaymentDraft, payment: Payment, *, deduplication_ms: int) -> GuardState:
    """Look all three guards up: a new key never switches off a stronger one."""
    references = keys = 0
    by_reference = by_key = by_content = None
    guard, value = "payment", ""
    if draft.idempotency_key:
        guard, value = "idempotency_key", draft.idempotency_key
        by_key, keys = _look_up(raw, _BY_KEY, (draft.idempotency_key, draft.agent_id))
    if draft.reference:
        guard, value = "reference", draft.reference
        by_reference, references = _look_up(raw, _BY_REFERENCE, (draft.reference, draft.to, draft.sender))
    else:
        found = books.same_content(payment, since_ms=payment.at_ms - deduplication_ms)
        by_content = None if found is None else Hit(payment_id=found, agent_id=payment.agent, content=draft.content)
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
    return GuardState(verdict=verdict, guard=guard, value=value, attempt=references if draft.reference else keys)


def _look_up(raw: Raw, query: str, values: tuple[str, ...]) -> tuple[Hit | None, int]:
    rows = raw.execute(query, values).fetchall()
    holder = next((row_id for row_id, freed in rows if not freed), None)
    if holder is None:
        return None, len(rows)
    payment_id, *columns = raw.execute(_HOLDER, (holder,)).fetchone()
    payment = counted(tuple(columns))
    return Hit(payment_id=payment_id, agent_id=payment.agent, content=content_of(payment)), len(rows)
