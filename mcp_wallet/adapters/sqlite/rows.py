"""Payment rows and the records that they stand for.

A row holds what is looked up, what counts and what changes. What was decided stands in the decision's event, whose
sequence is the row's id, and is read from there.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.unwritten import Unwritten
from mcp_wallet.core.approval import Approval, Purpose
from mcp_wallet.core.decision import Outcome, Reason
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.lifecycle import HELD, State
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import PaymentRecord

_READ: Final = (
    "id, payment_id, idempotency_key, decided_at_ms, state, expires_at_ms, purpose, gas_limit, max_fee_wei, "
    "priority_fee_wei, fee_cap_wei, nonce, unsigned, signed, transaction_hash, block_number, ended_by, body"
)
SELECT: Final = f"SELECT {_READ} FROM payment JOIN event ON sequence = id"  # noqa: S608  our own column names
SELECT_OPEN: Final = f"{SELECT} WHERE id IN (SELECT id FROM open_payment)"  # noqa: S608  as above
_BY_ID: Final = f"{SELECT} WHERE id = ?"
_NO_APPROVAL: Final = (None,) * 5
COUNTED: Final = "agent_id, operation, chain, asset, recipient, category, amount, decided_at_ms"
"""The columns of `counted`."""


class PaymentRow(NamedTuple):
    """A record with what only the ledger needs."""

    record: PaymentRecord
    account_nonce: int | None


def find_row(raw: Raw, names: KeyedNames, payment_id: str) -> PaymentRow | None:
    """Return the row of a payment id, which is compared whole; None when the ledger gave no such id."""
    row = raw.execute(_BY_ID, (names.row_of(payment_id),)).fetchone()
    found = None if row is None else read_row(row)
    return None if found is None or found.record.payment_id != payment_id else found


def add_row(unwritten: Unwritten, record: PaymentRecord, *, freed: bool, expires_at_ms: int) -> None:
    """Keep the row of a decided payment; a freed one takes its own id so that its guards hold nobody."""
    intent, approval, row_id = record.intent, record.approval, record.decision_sequence
    row = (
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
        row_id if freed else 0,
        expires_at_ms,
        *(_NO_APPROVAL if approval is None else _permission(approval)),
    )
    unwritten.add_payment(row, is_open=not freed)


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


def read_row(row: tuple[Any, ...]) -> PaymentRow:
    """Return the values of a row of `SELECT`."""
    named = dict(zip(_READ.split(", "), row, strict=True))
    event = orjson.loads(named["body"])
    intent = event["intent"]
    record = PaymentRecord(
        payment_id=named["payment_id"],
        state=State(named["state"]),
        outcome=Outcome(event["decision"]),
        reasons=tuple(_reason(r) for r in event["reasons"]),
        intent=read_intent(intent),
        fingerprint=intent["fingerprint"],
        payee=intent["payee"],
        memo=intent["memo"],
        idempotency_key=named["idempotency_key"],
        policy_hash=event["policy"]["hash"],
        settings_hash=event["settings"]["hash"],
        decided_at_ms=named["decided_at_ms"],
        decision_sequence=named["id"],
        approval=None if named["purpose"] is None else _read_approval(named, event),
        nonce=named["nonce"],
        unsigned=named["unsigned"] or b"",
        signed=named["signed"] or b"",
        transaction_hash=named["transaction_hash"] or "",
        block_number=named["block_number"],
        remaining_units=_least_units(event),
        ended_by=named["ended_by"] or "",
    )
    account_nonce = event["facts"].get("accountNonce")
    return PaymentRow(record=record, account_nonce=None if account_nonce is None else int(account_nonce))


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


def _read_approval(named: Mapping[str, Any], event: Mapping[str, Any]) -> Approval:
    intent = event["intent"]
    return Approval(
        payment_id=named["payment_id"],
        fingerprint=intent["fingerprint"],
        policy_hash=event["policy"]["hash"],
        settings_hash=event["settings"]["hash"],
        chain=ChainId(intent["chain"]),
        sender=Address(intent["from"]),
        gas_limit=int(named["gas_limit"]),
        max_fee_wei=int(named["max_fee_wei"]),
        priority_fee_wei=int(named["priority_fee_wei"]),
        fee_cap_wei=int(named["fee_cap_wei"]),
        expires_at_ms=named["expires_at_ms"],
        purpose=Purpose(named["purpose"]),
    )
