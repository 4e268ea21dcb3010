"""Gate 1 inside its transaction: guards, freezes, counters, decide, reserve, record."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.duplicates import Guards, GuardState
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.rows import find_row, first_state
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import append_event, new_event
from mcp_wallet.adapters.sqlite.unwritten import Later
from mcp_wallet.contract.approvals import approval_id
from mcp_wallet.contract.events import EventType, decision_payload
from mcp_wallet.core.anomaly import FREEZE
from mcp_wallet.core.books import HOUR_MS, counters_at
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Decision, Facts, Outcome
from mcp_wallet.core.errors import CallerError, InvariantBroken, OwnerError
from mcp_wallet.core.explain import Explanation, explain
from mcp_wallet.core.intent import PaymentDraft, PaymentIntent
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import approval_of, decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Approved, Clock, Denied, PaymentRecord, Replayed

Answer: TypeAlias = Approved | Denied | Replayed | None
"""None when the gate was to refuse and nothing else, and did not refuse."""


class _Question(NamedTuple):
    """A draft and what decides about it, as of one moment: `payment.at_ms`; `wall_ms` is what the wall clock said."""

    draft: PaymentDraft
    policy: CompiledPolicy
    settings: Settings
    payment: Payment
    wall_ms: int
    guards: GuardState


class _Decided(NamedTuple):
    """A decision that counts and is not written yet."""

    question: _Question
    decision: Decision
    intent: PaymentIntent
    payment_id: str
    sequence: int


@dataclass(slots=True)
class Gate:
    """Gate 1 on one connection; its methods run on the connection's thread, inside a transaction.

    Args:
        guards: Against paying twice, on the same connection.
        names: What only the home's key can make.
        halted: A code that stops all spending, or empty text.
    """

    raw: Raw
    state: LedgerState
    guards: Guards
    names: KeyedNames
    clock: Clock
    halted: str = ""

    def preview(self, draft: PaymentDraft) -> Replayed | bool:
        """Return a replay, or whether the draft is refused without any chain fact; writes nothing."""
        question = self._question(draft)
        if question.guards.verdict.replay:
            return self._replayed(question.guards)
        return self._decide(question, NO_FACTS)[0].outcome is Outcome.DENY

    def simulate(self, draft: PaymentDraft) -> Decision:
        """Return what would be decided without facts; records a `simulation` event, reserves nothing."""
        question = self._question(draft)
        decision, intent = self._decide(question, NO_FACTS)
        append_event(
            self.state,
            EventType.SIMULATION,
            {
                "decision": str(decision.outcome),
                "reasons": [r.document() for r in decision.reasons],
                "asset": intent.asset,
                "amount": intent.amount,
                "fingerprint": intent.fingerprint(),
                "duplicate": question.guards.verdict.replay,
            },
            at_ms=decision.now_ms,
            agent_id=draft.agent_id,
        )
        self._react(question, decision)
        return decision

    def explain(self, draft: PaymentDraft, policy: CompiledPolicy | None) -> Explanation:
        """Return how it would be decided by this policy, or the one in force, and what would change it."""
        question = self._question(draft)
        return explain(
            self.state.books,
            policy=policy or question.policy,
            settings=question.settings,
            draft=draft,
            wall_ms=question.wall_ms,
            duplicate=str(question.guards.verdict.refuse or ""),
            halted=self.halted,
        )

    def decide_and_reserve(self, draft: PaymentDraft, facts: Facts, *, only_refuse: bool = False) -> Later[Answer]:
        """Decide and count now; event, reservation and answer are made when the batch is written out."""
        question = self._question(draft)
        if question.guards.verdict.replay:
            return Later.known(self._replayed(question.guards))
        payment_id = self.names.payment_id(self.state.next_sequence)
        decision, intent = self._decide(question, facts, payment_id=payment_id)
        if only_refuse and decision.outcome is not Outcome.DENY:
            return Later.known(None)
        sequence = self.state.keep_place()
        self.state.books.decided(payment_id, question.payment, decision.outcome)
        if self.state.books.watch is not None:
            self.state.books.watch.decided(payment_id, question.payment, decision.outcome, decision.codes)
        decided = _Decided(question, decision, intent, payment_id, sequence)
        answer: Later[Answer] = Later(partial(self._write, decided))
        self.state.unwritten.add_later(answer)
        self.state.unlisted.guard(draft.reference, draft.to)
        self.state.unlisted.guard(draft.idempotency_key, draft.agent_id)
        self._after(decided)
        return answer

    def _write(self, decided: _Decided) -> Approved | Denied:
        """Make event, record and row of a decision."""
        question, decision, intent, payment_id, sequence = decided
        draft, policy, settings = question.draft, question.policy, question.settings
        fingerprint = intent.fingerprint()
        approval = approval_of(decision, policy, intent, payment_id=payment_id, fingerprint=fingerprint)
        expires_at_ms = decision.now_ms + policy.approval_ttl_ms if approval is None else approval.expires_at_ms
        payload = decision_payload(
            decision=decision,
            policy=policy,
            draft=draft,
            intent=intent,
            fingerprint=fingerprint,
            payment_id=payment_id,
            recipient_hash=self.names.pseudonym(draft.to),
            settings_version=settings.version,
            approval=approval,
            plaintext=settings.plaintext,
        )
        event = new_event(
            EventType.POLICY_DECISION,
            payload,
            settings,
            sequence=sequence,
            at_ms=decision.now_ms,
            agent_id=draft.agent_id,
        )
        self.state.unwritten.fill_event(sequence, event)
        record = PaymentRecord(
            payment_id=payment_id,
            state=first_state(decision.outcome),
            outcome=decision.outcome,
            reasons=decision.reasons,
            intent=intent,
            fingerprint=fingerprint,
            payee=draft.payee,
            memo=draft.memo,
            idempotency_key=draft.idempotency_key,
            policy_hash=decision.policy_hash,
            settings_hash=decision.settings_hash,
            decided_at_ms=decision.now_ms,
            decision_sequence=sequence,
            approval=approval,
            remaining_units=_least_units(decision, policy, question.payment),
        )
        self.state.unlisted.add(record, expires_at_ms)
        self.state.remember(record, decision.facts.account_nonce)
        return Denied(record=record) if approval is None else Approved(record=record, approval=approval)

    def now_ms(self) -> tuple[int, int]:
        """Return the decision's time, never before the newest event's, and what the wall clock says; asked once."""
        wall_ms = self.clock()
        return max(wall_ms, self.state.books.last_event_ms), wall_ms

    def in_force(self, draft: PaymentDraft) -> tuple[CompiledPolicy, Settings]:
        """Return policy and settings; refuses when the draft's names were read by other settings."""
        settings = self.state.control.settings
        agent = self.state.control.agents.get(draft.agent_id)
        policy = self.state.control.policies.get(agent.policy_id) if agent else None
        if settings is None or policy is None:
            raise OwnerError(ReasonCode.POLICY_MISSING, "This agent has no active policy: ask the operator.")
        if draft.settings_hash != settings.hash:
            raise CallerError(ReasonCode.POLICY_CHANGED, "The settings changed during the call: send it again.")
        return policy, settings

    # -- parts -----------------------------------------------------------------------------------------------

    def _question(self, draft: PaymentDraft) -> _Question:
        """Return the draft with everything that is looked up once: policy, settings, time, guards."""
        policy, settings = self.in_force(draft)
        now_ms, wall_ms = self.now_ms()
        payment = _payment_of(draft, now_ms)
        guards = self.guards.look_up(draft, payment, deduplication_ms=settings.deduplication_ms)
        return _Question(draft, policy, settings, payment, wall_ms, guards)

    def _decide(self, question: _Question, facts: Facts, *, payment_id: str = "") -> tuple[Decision, PaymentIntent]:
        draft, policy, settings, payment, wall_ms, guards = question
        intent = draft.intent(self._intent_id(draft, guards, payment_id))
        counters = counters_at(
            self.state.books,
            policy=policy,
            settings=settings,
            payment=payment,
            wall_ms=wall_ms,
            duplicate=str(guards.verdict.refuse or ""),
            halted=self.halted,
        )
        return decide(policy, intent, counters, facts, payment.at_ms), intent

    def _intent_id(self, draft: PaymentDraft, guards: GuardState, payment_id: str) -> str:
        """Name this attempt by its strongest guard; the attempt counts freed predecessors."""
        value = guards.value or payment_id
        return self.names.intent_id((draft.org_id, draft.agent_id, guards.guard, value, draft.to, str(guards.attempt)))

    def _replayed(self, guards: GuardState) -> Replayed:
        self.state.list_payments(self.raw)
        row = find_row(self.raw, self.names, guards.verdict.replay, self.state.decided)
        if row is None:
            raise InvariantBroken("a guard named a payment that is not there")
        return Replayed(record=row.record)

    def _after(self, decided: _Decided) -> None:
        """Ask people for what needs them; freeze an agent that was denied too often (it searches or is broken)."""
        question, decision, intent, payment_id, _ = decided
        agent_id, at_ms = question.draft.agent_id, decision.now_ms
        if decision.outcome is Outcome.REQUIRE_APPROVAL:
            payload: dict[str, Json] = {
                "paymentId": payment_id,
                "approvalId": approval_id(payment_id),
                "fingerprint": intent.fingerprint(),
                "policyHash": decision.policy_hash,
                "settingsHash": decision.settings_hash,
            }
            append_event(self.state, EventType.APPROVAL_REQUESTED, payload, at_ms=at_ms, agent_id=agent_id)
        denials_max, why = question.settings.denials_per_hour, ""
        if decision.outcome is Outcome.DENY and ("agent", agent_id) not in self.state.books.freezes:
            too_many = self.state.books.denials_since(agent_id, at_ms - HOUR_MS) >= denials_max
            why = f"{denials_max} denials within an hour" if too_many else ""
        self._react(question, decision, payment_id=payment_id, why=why)

    def _react(self, question: _Question, decision: Decision, *, payment_id: str = "", why: str = "") -> None:
        """Freeze the agent for `why`, or for an anomaly that the policy freezes for; then say what was unusual."""
        agent_id, at_ms, actions = question.draft.agent_id, decision.now_ms, question.policy.anomaly
        anomalies = decision.counters.anomalies
        why = ", ".join(str(a.code) for a in anomalies if actions[a.code] == FREEZE) or why
        if why and ("agent", agent_id) not in self.state.books.freezes:
            actor: dict[str, Json] = {"kind": "system", "name": "gate-1"}
            engage_freeze(self.raw, self.state, kind="agent", value=agent_id, reason=why, actor=actor, at_ms=at_ms)
        if anomalies:
            payload: dict[str, Json] = {
                "paymentId": payment_id,
                "anomalies": [{**a.document(), "action": actions[a.code]} for a in anomalies],
            }
            append_event(self.state, EventType.ANOMALY_DETECTED, payload, at_ms=at_ms, agent_id=agent_id)


def engage_freeze(
    raw: Raw, state: LedgerState, *, kind: str, value: str, reason: str, actor: dict[str, Json], at_ms: int
) -> None:
    """Stop what is named from the next decision or claim on, in every process; durable with the transaction."""
    raw.execute(
        "INSERT INTO freeze (kind, value, reason) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason",
        (kind, value, reason),
    )
    payload: dict[str, Json] = {"kind": kind, "value": value, "reason": reason, "actor": actor}
    append_event(state, EventType.KILL_SWITCH_ENGAGED, payload, at_ms=at_ms)


def _payment_of(draft: PaymentDraft, at_ms: int) -> Payment:
    return Payment(
        agent=draft.agent_id,
        operation=draft.operation,
        chain=draft.chain.chain_id,
        asset=draft.asset.asset_id,
        to=draft.to,
        category=draft.category,
        amount_units=draft.amount_units,
        at_ms=at_ms,
    )


def _least_units(decision: Decision, policy: CompiledPolicy, payment: Payment) -> int | None:
    """Return the least that is left of the amounts (not the counts) that this payment counts in."""
    measured = [x.limit_id for x in policy.limits_for(payment) if x.max_units_by_asset is not None]
    return min((decision.remaining[name] for name in measured if name in decision.remaining), default=None)
