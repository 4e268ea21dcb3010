"""The guards' look-ups: one indexed query each, which also counts the attempts that were freed before."""

from dataclasses import dataclass

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.rows import SELECT, PaymentRow, find_row, read_row
from mcp_wallet.adapters.sqlite.state import payment_at
from mcp_wallet.core.books import Books, content_of
from mcp_wallet.core.guards import Hit, Verdict, judge
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.matching import Payment

_BY_REFERENCE = "SELECT id, freed FROM payment WHERE reference = ? AND recipient = ? AND sender = ? AND reference <> ''"
_BY_KEY = "SELECT id, freed FROM payment WHERE idempotency_key = ? AND agent_id = ? AND idempotency_key <> ''"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
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
    verdict = judge(
        agent_id=draft.agent_id,
        content=draft.content,
        has_key=bool(draft.idempotency_key),
        by_reference=by_reference,
        by_key=by_key,
        by_content=by_content,
    )
    return GuardState(verdict=verdict, guard=guard, value=value, attempt=references if draft.reference else keys)


def replayed_row(raw: Raw, verdict: Verdict) -> PaymentRow:
    """Return the row that a verdict replays."""
    row = find_row(raw, verdict.replay)
    assert row is not None, "a guard named a payment that is not there"  # noqa: S101
    return row


def _look_up(raw: Raw, query: str, values: tuple[str, ...]) -> tuple[Hit | None, int]:
    rows = raw.execute(query, values).fetchall()
    holder = next((row_id for row_id, freed in rows if not freed), None)
    if holder is None:
        return None, len(rows)
    record = read_row(raw.execute(f"{SELECT} WHERE id = ?", (holder,)).fetchone()).record
    content = content_of(payment_at(record.intent, record.decided_at_ms))
    return Hit(payment_id=record.payment_id, agent_id=record.intent.agent_id, content=content), len(rows)
