"""From approval to final, one compare-and-set per step. Every step is durable with its event before the next begins.

Signed bytes and nonce are stored before they can leave; only a payment that no signer has seen can be given back.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.gate import engage_freeze
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.replacements import most_wei
from mcp_wallet.adapters.sqlite.rows import SELECT_OPEN, PaymentRow, counted_of, find_row, read_row, update_row
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.decision import Reason
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.identifiers import AssetId, ChainId
from mcp_wallet.core.lifecycle import State, Step, can, step
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settlement_gate import Receipt
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed, reseal, seal
from mcp_wallet.ports import Actor, Builder, Clock, PaymentRecord

_OVERDUE: Final = f"{SELECT_OPEN} AND state IN ('reserved', 'pending_approval') AND expires_at_ms <= ? ORDER BY id"


@dataclass(slots=True)
class Execution:
    """The life of a payment after its decision; methods run on the connection's thread, inside a transaction."""

    raw: Raw
    state: LedgerState
    names: KeyedNames
    clock: Clock
    halted: bool = False

    # -- Gate 2 ----------------------------------------------------------------------------------------------

    def claim(self, payment_id: str, build: Builder) -> Sealed | GateRefusal | None:
        """Consume the approval: look again at freezes, policy, settings and time, give the nonce, seal, store."""
        row = self._row(payment_id)
        if self.halted or row.record.state is not State.RESERVED:
            return None
        refusal = self._changed_since(row)
        if refusal is not None:
            self._give_back(row, EventType.RESERVATION_RELEASED, refusal, Step.RELEASE)
            return refusal
        approval, intent = row.record.approval, row.record.intent
        assert approval is not None, "a reserved payment has an approval"  # noqa: S101
        nonce = self._next_nonce(row)
        registry = self._settings().registry
        asset = registry.asset_by_id(AssetId(intent.asset))
        sealed = seal(
            intent=intent,
            asset=asset,
            approval=approval,
            nonce=nonce,
            unsigned=build(intent, asset, approval, nonce),
            registry=registry,
            now_ms=self._now(),
        )
        if isinstance(sealed, GateRefusal):
            expired = sealed.code is ReasonCode.APPROVAL_TOKEN_EXPIRED
            self._give_back(row, EventType.GATE2_REJECTED, sealed, Step.EXPIRE if expired else Step.RELEASE)
            return sealed
        self._move(row, Step.CLAIM, changes={"nonce": nonce, "unsigned": sealed.unsigned})
        self._event(
            row,
            EventType.GATE2_PASSED,
            {
                "fingerprint": sealed.fingerprint,
                "chain": sealed.chain,
                "nonce": str(nonce),
                "feeMaxWei": str(approval.gas_limit * approval.max_fee_wei),
                "unsignedSha256": hashlib.sha256(sealed.unsigned).hexdigest(),
            },
        )
        return sealed

    def sealed(self, payment_id: str) -> Sealed | None:
        """Seal the stored bytes of a `signing` payment again: the same checks, the same bytes.

        None while a freeze covers it or the ledger is halted: it keeps its nonce and waits, for the signer is not to
        be asked after a stop.
        """
        row = self._row(payment_id)
        record = row.record
        if record.state is not State.SIGNING or record.approval is None or record.nonce is None:
            return None
        if self.halted or self.state.books.frozen_by(counted_of(record)):
            return None
        registry = self._settings().registry
        again = reseal(
            intent=record.intent,
            asset=registry.asset_by_id(AssetId(record.intent.asset)),
            approval=record.approval,
            nonce=record.nonce,
            unsigned=record.unsigned,
            registry=registry,
        )
        if isinstance(again, GateRefusal):
            message = f"stored bytes no longer pass Gate 2: {again.code}"
            raise InvariantBroken(message)
        return again

    def store_signed(self, signed: Signed) -> None:
        """Store the bytes that may leave; storing the same again changes nothing."""
        row = self._row(signed.payment_id)
        if row.record.signed:
            if row.record.signed != signed.raw:
                message = "two different signatures for one payment"
                raise InvariantBroken(message)
            return
        changes = {"signed": signed.raw, "transaction_hash": signed.transaction_hash}
        self._move(row, Step.STORE_SIGNED, changes=changes)
        self._event(
            row,
            EventType.TRANSACTION_SIGNED,
            {"transactionHash": signed.transaction_hash, "nonce": str(signed.nonce)},
        )

    def reject_signed(self, payment_id: str, refusal: GateRefusal) -> None:
        """Record that the signer returned other bytes, and stop everything: the signer is not to be trusted."""
        row = self._row(payment_id)
        self._event(row, EventType.GATE2_REJECTED, _refusal(refusal) | {"afterSigning": True})
        self._freeze("all", "", "the signer returned other bytes than were sealed")

    # -- settlement ------------------------------------------------------------------------------------------

    def advance(self, payment_id: str, what: Step, event_type: EventType) -> None:
        """Take a step that changes nothing but the state; not possible any more means that it is done already."""
        row = self._row(payment_id)
        if can(row.record.state, what):
            self._move(row, what)
            self._event(row, event_type, {"transactionHash": row.record.transaction_hash})

    def confirm(self, payment_id: str, receipt: Receipt) -> None:
        """Held becomes spent, the fee is counted; a receipt proves that the bytes had left."""
        row = self._row(payment_id)
        if not can(row.record.state, Step.CONFIRM):
            return
        if row.record.state is State.SIGNED:
            self._event(row, EventType.TRANSACTION_BROADCAST, {"transactionHash": receipt.transaction_hash})
        at_ms = self._now()
        self._move(row, Step.CONFIRM, changes=_settled(receipt, at_ms) | self._executed(row.record, receipt))
        self._event(row, EventType.TRANSACTION_CONFIRMED, _receipt(receipt), at_ms=at_ms)

    def fail(self, payment_id: str, reason: Reason, receipt: Receipt | None) -> None:
        """Give budget and guards back after a proof; the fee of a reverted transaction stays spent."""
        row = self._row(payment_id)
        if not can(row.record.state, Step.FAIL):
            return
        at_ms = self._now()
        changes = {"ended_by": str(reason.code)} | (
            _settled(receipt, at_ms) | self._executed(row.record, receipt) if receipt is not None else {}
        )
        self._move(row, Step.FAIL, freed=True, changes=changes)
        payload: dict[str, Json] = {"reasons": [reason.document()]}
        self._event(row, EventType.TRANSACTION_FAILED, payload | (_receipt(receipt) if receipt else {}), at_ms=at_ms)

    def reorg(self, payment_id: str) -> None:
        """The block of a confirmed payment is gone: spent is held again, the fee is held at its most."""
        row = self._row(payment_id)
        record = row.record
        if record.state is not State.CONFIRMED or record.approval is None:
            return
        fee_wei, settled_at_ms = self.raw.execute(
            "SELECT fee_wei, settled_at_ms FROM payment WHERE id = ?", (record.decision_sequence,)
        ).fetchone()
        self._move(row, Step.REORG, changes={"block_number": None, "fee_wei": None, "settled_at_ms": None})
        payload: dict[str, Json] = {
            "transactionHash": record.transaction_hash,
            "chain": record.intent.chain,
            "blockNumber": str(record.block_number),
            "feeWei": fee_wei,
            "feeMaxWei": str(most_wei(self.raw, record)),
            "settledAtMs": str(settled_at_ms),
        }
        self._event(row, EventType.TRANSACTION_REORGED, payload)

    def resolve(self, payment_id: str, *, paid: bool, reason: str, actor: Actor) -> bool:
        """A person says what became of an unknown payment; its fee counts as the most that it may have been."""
        row = self._row(payment_id)
        record = row.record
        if record.state is not State.UNKNOWN or record.approval is None:
            return False
        at_ms, fee_wei = self._now(), str(most_wei(self.raw, record))
        changes: dict[str, object] = {"fee_wei": fee_wei, "settled_at_ms": at_ms}
        if not paid:
            changes["ended_by"] = str(ReasonCode.SETTLEMENT_UNKNOWN)
        self._move(row, Step.CONFIRM if paid else Step.FAIL, freed=not paid, changes=changes)
        payload: dict[str, Json] = {
            "outcome": "paid" if paid else "failed",
            "reason": reason,
            "actor": {"kind": actor.kind, "name": actor.name},
            "transactionHash": record.transaction_hash,
            "feeWei": fee_wei,
        }
        self._event(row, EventType.PAYMENT_RESOLVED, payload, at_ms=at_ms)
        return True

    def outflow(self, chain: ChainId, observed: str) -> None:
        """Something left the account that this ledger does not explain: record it and freeze the chain."""
        payload: dict[str, Json] = {"chain": chain, "observed": observed[:500]}
        append_event(self.state, EventType.OUTFLOW_UNKNOWN, payload, at_ms=self._now())
        self._freeze("chain", chain, "something left the account without this wallet")

    def settlement_mismatch(self, payment_id: str, receipt: Receipt, observed: str) -> None:
        """Record that the effect is not the approved one and freeze the chain; the budget stays held."""
        row = self._row(payment_id)
        chain = row.record.intent.chain
        if row.record.state is State.SIGNED:
            self.advance(payment_id, Step.SEND, EventType.TRANSACTION_BROADCAST)
        if ("chain", chain) in self.state.books.freezes:
            return
        self._event(row, EventType.SETTLEMENT_MISMATCH, _receipt(receipt) | {"observed": observed[:500]})
        self._freeze("chain", chain, "a transaction had another effect than was approved")

    def expire_overdue(self) -> int:
        """Expire approvals and approval requests whose time is over."""
        if self.halted:
            return 0
        now_ms, expired = self._now(), 0
        for row in map(read_row, self.raw.execute(_OVERDUE, (now_ms,)).fetchall()):
            pending = row.record.state is State.PENDING_APPROVAL
            code = ReasonCode.APPROVAL_EXPIRED if pending else ReasonCode.APPROVAL_TOKEN_EXPIRED
            kind = EventType.APPROVAL_EXPIRED if pending else EventType.RESERVATION_RELEASED
            message = "Nobody approved it in time." if pending else "The approval was not used in time."
            self._give_back(row, kind, GateRefusal(code=code, message=message), Step.EXPIRE)
            expired += 1
        return expired

    # -- parts -----------------------------------------------------------------------------------------------

    def _executed(self, record: PaymentRecord, receipt: Receipt) -> dict[str, object]:
        """Return the bytes and hash of the replacement that was mined; nothing when it was the first transaction."""
        found = self.raw.execute(
            "SELECT signed FROM attempt WHERE payment = ? AND transaction_hash = ?",
            (record.decision_sequence, receipt.transaction_hash),
        ).fetchone()
        return {} if found is None else {"signed": found[0], "transaction_hash": receipt.transaction_hash}

    def _row(self, payment_id: str) -> PaymentRow:
        row = find_row(self.raw, self.names, payment_id, self.state.decided)
        if row is None:
            message = f"no payment {payment_id}"
            raise InvariantBroken(message)
        return row

    def _now(self) -> int:
        return max(self.clock(), self.state.books.last_event_ms)

    def _settings(self) -> Settings:
        settings = self.state.control.settings
        assert settings is not None, "a payment cannot exist without settings"  # noqa: S101
        return settings

    def _next_nonce(self, row: PaymentRow) -> int:
        """Return the ledger's next nonce; before its first payment on the chain, the account's."""
        following = self.state.books.next_nonce.get(ChainId(row.record.intent.chain))
        if following is not None:
            return following
        if row.account_nonce is None:
            message = "a payment was approved without knowing the account's nonce"
            raise InvariantBroken(message)
        return row.account_nonce

    def _changed_since(self, row: PaymentRow) -> GateRefusal | None:
        record = row.record
        if self.state.books.frozen_by(counted_of(record)):
            return GateRefusal(code=ReasonCode.FROZEN, message="An operator stopped it before it was signed.")
        agent = self.state.control.agents.get(record.intent.agent_id)
        policy = self.state.control.policies.get(agent.policy_id) if agent and not agent.disabled else None
        if policy is None or policy.hash != record.policy_hash or self._settings().hash != record.settings_hash:
            return GateRefusal(
                code=ReasonCode.POLICY_CHANGED,
                message="Policy or settings changed before it was signed: send it again.",
            )
        return None

    def _give_back(self, row: PaymentRow, kind: EventType, refusal: GateRefusal, what: Step) -> None:
        self._move(row, what, freed=True, changes={"ended_by": str(refusal.code)})
        self._event(row, kind, _refusal(refusal))

    def _move(
        self, row: PaymentRow, what: Step, *, freed: bool = False, changes: Mapping[str, object] | None = None
    ) -> None:
        update_row(self.raw, row.record, step(row.record.state, what), freed=freed, changes=changes or {})

    def _event(self, row: PaymentRow, kind: EventType, payload: dict[str, Json], *, at_ms: int | None = None) -> None:
        record: PaymentRecord = row.record
        append_event(
            self.state,
            kind,
            {"paymentId": record.payment_id, "intentFingerprint": record.fingerprint} | payload,
            at_ms=self._now() if at_ms is None else at_ms,
            agent_id=record.intent.agent_id,
        )

    def _freeze(self, kind: str, value: str, reason: str) -> None:
        if (kind, value) not in self.state.books.freezes:
            actor: dict[str, Json] = {"kind": "system", "name": "settlement"}
            engage_freeze(self.raw, self.state, kind=kind, value=value, reason=reason, actor=actor, at_ms=self._now())


def _refusal(refusal: GateRefusal) -> dict[str, Json]:
    fields = {"code": str(refusal.code), "observed": refusal.observed[:500], "expected": refusal.expected[:500]}
    return {"reasons": [{k: v for k, v in fields.items() if v}], "message": refusal.message}


def _settled(receipt: Receipt, at_ms: int) -> dict[str, object]:
    """Return what the row keeps; its time is the event's, so that tables and trail count the fee alike."""
    return {"block_number": receipt.block_number, "fee_wei": str(receipt.fee_wei), "settled_at_ms": at_ms}


def _receipt(receipt: Receipt) -> dict[str, Json]:
    return {
        "transactionHash": receipt.transaction_hash,
        "blockNumber": str(receipt.block_number),
        "blockHash": receipt.block_hash,
        "status": str(receipt.status),
        "feeWei": str(receipt.fee_wei),
    }
