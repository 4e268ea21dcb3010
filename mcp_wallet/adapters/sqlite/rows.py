"""Payment rows and the records that they stand for.

A row holds what is looked up, what counts and what changes. What was decided stands in the decision's event, whose
sequence is the row's id, and is read from there.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.contract.events import parse_rfc3339_ms
from mcp_wallet.core.approval import Approval, Purpose
from mcp_wallet.core.decision import Outcome, Reason
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.lifecycle import HELD, State
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import PaymentRecord

_INSERTED: Final = (
    "id, payment_id, agent_id, operation, chain, asset, sender, recipient, category, amount, reference, "
    "idempotency_key, decided_at_ms, state, freed, expires_at_ms, purpose, gas_limit, max_fee_wei, priority_fee_wei, "
    "fee_cap_wei"
)
_MARKS: Final = ", ".join("?" * len(_INSERTED.split(",")))
INSERT: Final = f"INSERT INTO payment ({_INSERTED}) VALUES ({_MARKS})"  # noqa: S608  our own column names
"""Takes what `row_of` returns."""
_READ: Final = (
    "id, state, expires_at_ms, purpose, gas_limit, max_fee_wei, priority_fee_wei, fee_cap_wei, nonce, unsigned, "
    "signed, transaction_hash, block_number, ended_by, decided_by"
)
SELECT: Final = f"SELECT {_READ}, body FROM payment JOIN event ON sequence = coalesce(decided_by, id)"  # noqa: S608  as above
SELECT_OPEN: Final = f"{SELECT} WHERE id IN (SELECT id FROM open_payment)"  # noqa: S608  as above
_BY_ID: Final = f"{SELECT} WHERE id = ?"
_CHANGES_BY_ID: Final = f"SELECT {_READ} FROM payment WHERE id = ?"  # noqa: S608  as above
_NO_APPROVAL: Final = (None,) * 5
COUNTED: Final = "agent_id, operation, chain, asset, recipient, category, amount, decided_at_ms"
"""The columns of `counted`."""
_STATE_OF: Final = {
    Outcome.ALLOW: State.RESERVED,
    Outcome.REQUIRE_APPROVAL: State.PENDING_APPROVAL,
    Outcome.DENY: State.DENIED,
}


class PaymentRow(NamedTuple):
    """A record with what only the ledger needs."""

    record: PaymentRecord
    account_nonce: int | None


Decided: TypeAlias = dict[int, PaymentRow]
"""Payments as they were decided, by sequence: what need not be read from an event again, for an event never changes."""


def find_row(raw: Raw, names: KeyedNames, payment_id: str, decided: Decided) -> PaymentRow | None:
    """Return the row of a payment id, which is compared whole; None when the ledger gave no such id."""
    row_id = names.row_of(payment_id)
    known = decided.get(row_id)
    row = raw.execute(_BY_ID if known is None else _CHANGES_BY_ID, (row_id,)).fetchone()
    if row is None:
        return None
    if known is not None and row[-1] is not None:  # people approved it: the newer decision counts
        known, row = None, raw.execute(_BY_ID, (row_id,)).fetchone()
    found = read_row(row) if known is None else _changed(known, row)
    return None if found.record.payment_id != payment_id else found


def first_state(outcome: Outcome) -> State:
    """Return the state in which a decision leaves its payment."""
    return _STATE_OF[outcome]


def row_of(record: PaymentRecord, expires_at_ms: int) -> tuple[object, ...]:
    """Return the row of a payment as it was decided; a denied one takes its own id so that its guards hold nobody."""
    intent, approval, row_id = record.intent, record.approval, record.decision_sequence
    return (
        row_id,
        record.payment_id,
        intent.agent_id,
        intent.operation,
        intent.chain,
        intent.asset,
        address_bytes(intent.sender),
        address_bytes(intent.to),
        intent.category,
        intent.amount,
        intent.reference,
        record.idempotency_key,
        record.decided_at_ms,
        str(record.state),
        row_id if record.state is State.DENIED else 0,
        expires_at_ms,
        *(_NO_APPROVAL if approval is None else _permission(approval)),
    )


def update_row(raw: Raw, record: PaymentRecord, state: State, *, freed: bool, changes: Mapping[str, object]) -> None:
    """Move a payment to a state, compare-and-set on the state that was read; column names are our own."""
    columns: dict[str, object] = {"state": str(state), **changes}
    if freed:
        columns["freed"] = record.decision_sequence
    assignments = ", ".join(f"{name} = ?" for name in columns)
    cursor = raw.execute(
        f"UPDATE payment SET {assignments} WHERE id = ? AND state = ?",  # noqa: S608
        (*columns.values(), record.decision_sequence, str(record.state)),
    )
    assert cursor.rowcount == 1, "a payment changed under the ledger's own lock"  # noqa: S101
    if state not in HELD:
        raw.execute("DELETE FROM open_payment WHERE id = ?", (record.decision_sequence,))
    elif record.state not in HELD:
        raw.execute("INSERT INTO open_payment (id) VALUES (?)", (record.decision_sequence,))


def read_row(row: tuple[Any, ...]) -> PaymentRow:
    """Return the values of a row of `SELECT`: what its event decided, and what has changed since."""
    event = orjson.loads(row[-1])
    record, _ = decided_record(event)
    account_nonce = event["facts"].get("accountNonce")
    return _changed(PaymentRow(record, None if account_nonce is None else int(account_nonce)), row[:-1])


def _changed(decided: PaymentRow, row: tuple[Any, ...]) -> PaymentRow:
    named = dict(zip(_READ.split(", "), row, strict=True))
    record = decided.record._replace(
        decision_sequence=named["id"],
        state=State(named["state"]),
        approval=None if named["purpose"] is None else _read_approval(named, decided.record),
        nonce=named["nonce"],
        unsigned=named["unsigned"] or b"",
        signed=named["signed"] or b"",
        transaction_hash=named["transaction_hash"] or "",
        block_number=named["block_number"],
        ended_by=named["ended_by"] or "",
    )
    return PaymentRow(record, decided.account_nonce)


def decided_record(event: Mapping[str, Any]) -> tuple[PaymentRecord, int]:
    """Return the payment of a `policy_decision` as it was decided, and when its approval or the request for it ends."""
    intent, at_ms = event["intent"], parse_rfc3339_ms(event["timestamp"])
    outcome, terms, facts = Outcome(event["decision"]), event.get("approval", {}), event["facts"]
    expires_at_ms = int(terms.get("expiresAtMs", at_ms))
    record = PaymentRecord(
        payment_id=event["paymentId"],
        state=first_state(outcome),
        outcome=outcome,
        reasons=tuple(_reason(r) for r in event["reasons"]),
        intent=read_intent(intent),
        fingerprint=intent["fingerprint"],
        payee=intent["payee"],
        memo=intent["memo"],
        idempotency_key=intent["idempotencyKey"],
        policy_hash=event["policy"]["hash"],
        settings_hash=event["settings"]["hash"],
        decided_at_ms=at_ms,
        decision_sequence=event["sequence"],
        approval=None,
        remaining_units=_least_units(event),
    )
    if outcome is Outcome.ALLOW:
        approval = _approval(
            record,
            gas_limit=facts.get("gasLimit", 0),
            max_fee_wei=facts.get("maxFeeWei", 0),
            priority_fee_wei=facts.get("priorityFeeWei", 0),
            fee_cap_wei=terms["feeCapWei"],
            expires_at_ms=expires_at_ms,
            purpose=Purpose.PAY,
        )
        record = record._replace(approval=approval)
    return record, expires_at_ms


def address_bytes(address: str) -> bytearray:
    """Return an address as the tables have it; a bytearray, because the driver binds bytes at twice the price."""
    return bytearray.fromhex(address[2:])


def counted(row: tuple[Any, ...]) -> Payment:
    """Return what limits and guards see of a payment, from the values of `COUNTED`."""
    agent_id, operation, chain, asset, recipient, category, amount, decided_at_ms = row
    return Payment(
        agent=agent_id,
        operation=operation,
        chain=ChainId(chain),
        asset=AssetId(asset),
        to=Address("0x" + recipient.hex()),
        category=category,
        amount_units=int(amount),
        at_ms=decided_at_ms,
    )


def counted_of(record: PaymentRecord) -> Payment:
    """Return what limits, freezes and guards see of a record."""
    intent = record.intent
    return Payment(
        agent=intent.agent_id,
        operation=intent.operation,
        chain=ChainId(intent.chain),
        asset=AssetId(intent.asset),
        to=Address(intent.to),
        category=intent.category,
        amount_units=intent.amount_units,
        at_ms=record.decided_at_ms,
    )


def read_intent(document: dict[str, str]) -> PaymentIntent:
    """Return the intent of its canonical document."""
    return PaymentIntent(
        version=document["version"],
        org_id=document["orgId"],
        agent_id=document["agentId"],
        intent_id=document["intentId"],
        operation=document["operation"],
        chain=document["chain"],
        asset=document["asset"],
        sender=document["from"],
        to=document["to"],
        amount=document["amount"],
        reference=document["reference"],
        category=document["category"],
        memo_hash=document["memoHash"],
        blind=document["blind"],
    )


def _reason(document: dict[str, str]) -> Reason:
    rest = {name: value for name, value in document.items() if name != "code"}
    return Reason(code=ReasonCode(document["code"]), **rest)


def _least_units(event: Mapping[str, Any]) -> int | None:
    """Return the least that is left of the amounts (not the counts) that the payment counts in."""
    remaining = event["remaining"]
    measured = [window["id"] for window in event["counters"]["windows"] if "limit" in window]
    return min((int(remaining[limit_id]) for limit_id in measured if limit_id in remaining), default=None)


def _permission(approval: Approval) -> tuple[str, ...]:
    """Return what an approval binds beyond the event's own values, as text: gas and fees may pass 2^63."""
    return (
        str(approval.purpose),
        str(approval.gas_limit),
        str(approval.max_fee_wei),
        str(approval.priority_fee_wei),
        str(approval.fee_cap_wei),
    )


def approval_columns(approval: Approval) -> dict[str, str]:
    """Return the row's columns of an approval that was given after the decision."""
    names = ("purpose", "gas_limit", "max_fee_wei", "priority_fee_wei", "fee_cap_wei")
    return dict(zip(names, _permission(approval), strict=True))


def _read_approval(named: Mapping[str, Any], decided: PaymentRecord) -> Approval:
    return _approval(
        decided,
        gas_limit=named["gas_limit"],
        max_fee_wei=named["max_fee_wei"],
        priority_fee_wei=named["priority_fee_wei"],
        fee_cap_wei=named["fee_cap_wei"],
        expires_at_ms=named["expires_at_ms"],
        purpose=Purpose(named["purpose"]),
    )


def _approval(
    decided: PaymentRecord,
    *,
    gas_limit: str | int,
    max_fee_wei: str | int,
    priority_fee_wei: str | int,
    fee_cap_wei: str | int,
    expires_at_ms: int,
    purpose: Purpose,
) -> Approval:
    intent = decided.intent
    return Approval(
        payment_id=decided.payment_id,
        fingerprint=decided.fingerprint,
        policy_hash=decided.policy_hash,
        settings_hash=decided.settings_hash,
        chain=ChainId(intent.chain),
        sender=Address(intent.sender),
        gas_limit=int(gas_limit),
        max_fee_wei=int(max_fee_wei),
        priority_fee_wei=int(priority_fee_wei),
        fee_cap_wei=int(fee_cap_wei),
        expires_at_ms=expires_at_ms,
        purpose=purpose,
    )
