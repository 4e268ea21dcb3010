"""The second decision on a payment that people approved: everything is checked again and written as a decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.rows import approval_columns, find_row, update_row
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.contract.approvals import approval_id
from mcp_wallet.contract.events import EventType, decision_payload
from mcp_wallet.core.approval import Approval
from mcp_wallet.core.books import counters_at, held_payment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.decision import Decision, Facts, Outcome
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.lifecycle import Step, step
from mcp_wallet.core.policy_gate import approval_of, decide
from mcp_wallet.core.recorded import anomalies_of, draft_of
from mcp_wallet.ports import Approved, Clock, Denied, PaymentRecord


@dataclass(slots=True)
class DecidedAgain:
    """Gate 1 with the votes."""

    raw: Raw
    state: LedgerState
    names: KeyedNames
    clock: Clock

    def decide(
        self, record: PaymentRecord, first: Mapping[str, Any], facts: Facts, *, requested_by: str
    ) -> Approved | Denied | None:
        """Return the second decision, durable with its event; None when the votes are not enough after all.

        Args:
            record: The payment, `pending_approval`, its policy and settings in force.
            first: The event of its first decision.
            requested_by: Whom the rules leave out, empty for nobody.
        """
        control, books = self.state.control, self.state.books
        agent, settings = control.agents[record.intent.agent_id], control.settings
        assert settings is not None, "a payment cannot exist without settings"  # noqa: S101
        policy, wall_ms = control.policies[agent.policy_id], self.clock()
        now_ms = max(wall_ms, books.last_event_ms)
        with books.set_aside(record.payment_id):
            counters = counters_at(
                books,
                policy=policy,
                settings=settings,
                payment=held_payment(record.intent, now_ms),
                wall_ms=wall_ms,
                duplicate="",
                halted="",
                votes=books.votes.get(record.payment_id, ()),
                requested_by=requested_by,
                anomalies=anomalies_of(first),
            )
        decision = decide(policy, record.intent, counters, facts, now_ms)
        if decision.outcome is Outcome.REQUIRE_APPROVAL:
            return None
        approval = approval_of(
            decision, policy, record.intent, payment_id=record.payment_id, fingerprint=record.fingerprint
        )
        payload = decision_payload(
            decision=decision,
            policy=policy,
            draft=draft_of(first["intent"], settings),
            intent=record.intent,
            fingerprint=record.fingerprint,
            payment_id=record.payment_id,
            recipient_hash=self.names.pseudonym(record.intent.to),
            settings_version=settings.version,
            plaintext=settings.plaintext,
            approval=approval,
        )
        payload["metadata"] = {"approvalId": approval_id(record.payment_id)}
        sequence = append_event(
            self.state, EventType.POLICY_DECISION, payload, at_ms=now_ms, agent_id=record.intent.agent_id
        )
        if approval is not None:
            return self._reserve(record, approval, sequence)
        return self._release(record, decision, sequence)

    def _reserve(self, record: PaymentRecord, approval: Approval, sequence: int) -> Approved:
        changes = {"decided_by": sequence, "expires_at_ms": approval.expires_at_ms, **approval_columns(approval)}
        update_row(self.raw, record, step(record.state, Step.APPROVE), freed=False, changes=changes)
        return Approved(record=self._newest(record), approval=approval)

    def _release(self, record: PaymentRecord, decision: Decision, sequence: int) -> Denied:
        changes = {"decided_by": sequence, "ended_by": str(decision.codes[0])}
        update_row(self.raw, record, step(record.state, Step.RELEASE), freed=True, changes=changes)
        payload: dict[str, Json] = {
            "paymentId": record.payment_id,
            "intentFingerprint": record.fingerprint,
            "reasons": [reason.document() for reason in decision.reasons],
            "message": "It was approved, but cannot be paid any more as things stand.",
        }
        append_event(
            self.state,
            EventType.RESERVATION_RELEASED,
            payload,
            at_ms=decision.now_ms,
            agent_id=record.intent.agent_id,
        )
        return Denied(record=self._newest(record))

    def _newest(self, record: PaymentRecord) -> PaymentRecord:
        self.state.write_out(self.raw)
        row = find_row(self.raw, self.names, record.payment_id, {})
        if row is None:
            raise InvariantBroken("a payment is gone that was just decided")
        return row.record
