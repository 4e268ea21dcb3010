"""Payment rows and the values they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.core.approval import Approval, Purpose
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.decision import Outcome, Reason
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.lifecycle import HELD, State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import PaymentRecord

COLUMNS: Final = (
    "payment_id, agent_id, state, freed, chain, sender, recipient, reference, idempotency_key, decided_at_ms, "
    "decision_sequence, expires_at_ms, remaining, approval, account_nonce"
)
READ_COLUMNS: Final = (
    "id, payment_id, state, decided_at_ms, decision_sequence, remaining, approval, nonce, unsigned, signed, "
    "transaction_hash, block_number, account_nonce, expires_at_ms, fee_wei, settled_at_ms, ended_by, body"
)
_READ_NAMES: Final = tuple(READ_COLUMNS.split(", "))
INSERT: Final = f"INSERT INTO payment ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"  # noqa: S608
SELECT: Final = f"SELECT {READ_COLUMNS} FROM payment JOIN event ON sequence = decision_sequence"  # noqa: S608
"""A payment with the event of its decision, which says what was asked, decided and why."""
_APPROVAL_NUMBERS: Final = frozenset({"gas_limit", "max_fee_wei", "priority_fee_wei", "fee_cap_wei", "expires_at_ms"})


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A record with what only the ledger needs."""

    row_id: int
    record: PaymentRecord
    account_nonce: int | None
    expires_at_ms: int
    fee_wei: str
    settled_at_ms: int | None


def find_row(raw: Raw, payment_id: str) -> PaymentRow | None:
    """Return the row of a payment id."""
    row = raw.execute(f"{SELECT} WHERE payment_id = ?", (payment_id,)).fetchone()
    return None if row is None else read_row(row)


def insert_row(raw: Raw, record: PaymentRecord, *, freed: bool, expires_at_ms: int, account_nonce: int | None) -> None:
    """Store a decided payment; a freed one takes its own id so that its guards hold nobody."""
    intent = record.intent
    raw.execute(
        INSERT,
        (
            record.payment_id,
            intent.agent_id,
            record.state,
            record.decision_sequence + 1 if freed else 0,
            intent.chain,
            intent.sender,
            intent.to,
            intent.reference,
            record.idempotency_key,
            record.decided_at_ms,
            record.decision_sequence,
            expires_at_ms,
            None if record.remaining_units is None else str(record.remaining_units),
            None if record.approval is None else _approval_text(record.approval),
            account_nonce,
        ),
    )
    if record.state in HELD:
        raw.execute("INSERT INTO open_payment (id) VALUES (last_insert_rowid())")


def update_row(raw: Raw, row: PaymentRow, state: State, *, freed: bool, changes: Mapping[str, object]) -> None:
    """Move a payment to a state, compare-and-set on the state that was read; column names are our own."""
    columns: dict[str, object] = {"state": str(state), **changes}
    if freed:
        columns["freed"] = row.record.decision_sequence + 1
    assignments = ", ".join(f"{name} = ?" for name in columns)
    cursor = raw.execute(
        f"UPDATE payment SET {assignments} WHERE id = ? AND state = ?",  # noqa: S608
        (*columns.values(), row.row_id, str(row.record.state)),
    )
    assert cursor.rowcount == 1, "a payment changed under the ledger's own lock"  # noqa: S101
    if state not in HELD:
        raw.execute("DELETE FROM open_payment WHERE id = ?", (row.row_id,))


def read_row(row: tuple[Any, ...]) -> PaymentRow:
    """Return the values of a row of `READ_COLUMNS`."""
    named = dict(zip(_READ_NAMES, row, strict=True))
    decided = orjson.loads(named["body"])
    intent = decided["intent"]
    record = PaymentRecord(
        payment_id=named["payment_id"],
        state=State(named["state"]),
        outcome=Outcome(decided["decision"]),
        reasons=tuple(_reason(r) for r in decided["reasons"]),
        intent=read_intent(intent),
        fingerprint=intent["fingerprint"],
        payee=intent["payee"],
        memo=intent["memo"],
        idempotency_key=intent["idempotencyKey"],
        policy_hash=decided["policy"]["hash"],
        settings_hash=decided["settings"]["hash"],
        decided_at_ms=named["decided_at_ms"],
        decision_sequence=named["decision_sequence"],
        approval=None if named["approval"] is None else _read_approval(named["approval"]),
        nonce=named["nonce"],
        unsigned=named["unsigned"] or b"",
        signed=named["signed"] or b"",
        transaction_hash=named["transaction_hash"] or "",
        block_number=named["block_number"],
        remaining_units=None if named["remaining"] is None else int(named["remaining"]),
        ended_by=named["ended_by"] or "",
    )
    return PaymentRow(
        row_id=named["id"],
        record=record,
        account_nonce=named["account_nonce"],
        expires_at_ms=named["expires_at_ms"],
        fee_wei=named["fee_wei"] or "",
        settled_at_ms=named["settled_at_ms"],
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


def _approval_text(approval: Approval) -> str:
    document: Json = {
        "payment_id": approval.payment_id,
        "fingerprint": approval.fingerprint,
        "policy_hash": approval.policy_hash,
        "settings_hash": approval.settings_hash,
        "chain": approval.chain,
        "sender": approval.sender,
        "gas_limit": str(approval.gas_limit),
        "max_fee_wei": str(approval.max_fee_wei),
        "priority_fee_wei": str(approval.priority_fee_wei),
        "fee_cap_wei": str(approval.fee_cap_wei),
        "expires_at_ms": str(approval.expires_at_ms),
        "purpose": str(approval.purpose),
    }
    return canonical_bytes(document).decode()


def _read_approval(text: str) -> Approval:
    found = orjson.loads(text)
    numbers = {name: int(found[name]) for name in _APPROVAL_NUMBERS}
    return Approval(
        payment_id=found["payment_id"],
        fingerprint=found["fingerprint"],
        policy_hash=found["policy_hash"],
        settings_hash=found["settings_hash"],
        chain=ChainId(found["chain"]),
        sender=Address(found["sender"]),
        purpose=Purpose(found["purpose"]),
        **numbers,
    )
