"""Gate 1 inside its transaction: guards, freezes, counters, decide, reserve, record."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.duplicates import GuardState, guard_state, replayed_row
from mcp_wallet.adapters.sqlite.rows import insert_row
from mcp_wallet.adapters.sqlite.state import LedgerState, payment_at
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.contract.events import EventType, decision_payload
from mcp_wallet.core.approval import Approval
from mcp_wallet.core.books import HOUR_MS, counters_at
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Decision, Facts, Outcome
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.intent import PaymentDraft, PaymentIntent
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import approval_for, decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Approved, Clock, Denied, PaymentRecord, Replayed

_STATE_OF: Final = {
    Outcome.ALLOW: State.RESERVED,
    Outcome.REQUIRE_APPROVAL: State.PENDING_APPROVAL,
    Outcome.DENY: State.DENIED,
}


@dataclass(slots=True)
class Gate:
    """Gate 1 on one connection; its methods run on the connection's thread, inside a transaction.

    Args:
        home_key: Secret of the home: intent ids and recipient pseudonyms are keyed with it.
        halted: A code that stops all spending, or empty text.
    """

    raw: Raw
    state: LedgerState
    home_key: bytes
    clock: Clock
    halted: str = ""

    def preview(self, draft: PaymentDraft) -> Replayed | bool:
        """Return a replay, or whether the draft is refused without any chain fact; writes nothing."""
        policy, settings = self.in_force(draft)
        moment = self.now_ms()
        guards = self._guards(draft, settings, moment)
        if guards.verdict.replay:
            return Replayed(record=replayed_row(self.raw, guards.verdict).record)
        decision = self._decide(draft, policy, settings, guards, NO_FACTS, moment=moment)[0]
        return decision.outcome is Outcome.DENY

    def simulate(self, draft: PaymentDraft) -> Decision:
        """Return what would be decided without facts; records a `simulation` event, reserves nothing."""
        policy, settings = self.in_force(draft)
        moment = self.now_ms()
        guards = self._guards(draft, settings, moment)
        decision, intent = self._decide(draft, policy, settings, guards, NO_FACTS, moment=moment)
        append_event(
            self.raw,
            self.state,
            EventType.SIMULATION,
            {
                "decision": str(decision.outcome),
                "reasons": [r.document() for r in decision.reasons],
                "fingerprint": intent.fingerprint(),
                "duplicate": guards.verdict.replay,
            },
            at_ms=decision.now_ms,
            agent_id=draft.agent_id,
        )
        return decision

    def decide_and_reserve(
        self, draft: PaymentDraft, facts: Facts, *, only_refuse: bool = False
    ) -> Approved | Denied | Replayed | None:
        """Decide and write decision, reservation and event; None when it should only refuse and need not."""
        policy, settings = self.in_force(draft)
        moment = self.now_ms()
        guards = self._guards(draft, settings, moment)
        if guards.verdict.replay:
            return Replayed(record=replayed_row(self.raw, guards.verdict).record)
        payment_id = "pay_" + secrets.token_hex(16)
        decision, intent = self._decide(draft, policy, settings, guards, facts, moment=moment, payment_id=payment_id)
        if only_refuse and decision.outcome is not Outcome.DENY:
            return None
        record = self._write(draft, policy, settings, decision, intent, facts, payment_id)
        self._after(record, settings)
        if record.approval is not None:
            return Approved(record=record, approval=record.approval)
        return Denied(record=record)

    def _write(  # noqa: PLR0917  private, the parts of one decision in the order of their making
        self,
        draft: PaymentDraft,
        policy: CompiledPolicy,
        settings: Settings,
        decision: Decision,
        intent: PaymentIntent,
        facts: Facts,
        payment_id: str,
    ) -> PaymentRecord:
        fingerprint = intent.fingerprint()
        payload = decision_payload(
            decision=decision,
            policy=policy,
            draft=draft,
            intent=intent,
            fingerprint=fingerprint,
            payment_id=payment_id,
            recipient_hash=self._pseudonym(draft.to),
            settings_version=settings.version,
            plaintext=settings.plaintext,
        )
        sequence = append_event(
            self.raw, self.state, EventType.POLICY_DECISION, payload, at_ms=decision.now_ms, agent_id=draft.agent_id
        )
        record = PaymentRecord(
            payment_id=payment_id,
            state=_STATE_OF[decision.outcome],
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
            approval=_approval(decision, policy, record_of=(payment_id, fingerprint), intent=intent, facts=facts),
            remaining_units=_least_units(decision, policy, intent.asset),
        )
        self._store(record, policy, facts)
        return record

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

    def _decide(
        self,
        draft: PaymentDraft,
        policy: CompiledPolicy,
        settings: Settings,
        guards: GuardState,
        facts: Facts,
        *,
        moment: tuple[int, int],
        payment_id: str = "",
    ) -> tuple[Decision, PaymentIntent]:
        now_ms, wall_ms = moment
        intent = draft.intent(self._intent_id(draft, guards, payment_id))
        payment = payment_at(intent, now_ms)
        counters = counters_at(
            self.state.books,
            policy=policy,
            settings=settings,
            payment=payment,
            wall_ms=wall_ms,
            duplicate=str(guards.verdict.refuse or ""),
            halted=self.halted,
        )
        return decide(policy, intent, counters, facts, now_ms), intent

    def _guards(self, draft: PaymentDraft, settings: Settings, moment: tuple[int, int]) -> GuardState:
        payment = _payment_of(draft, moment[0])
        return guard_state(self.raw, self.state.books, draft, payment, deduplication_ms=settings.deduplication_ms)

    def _intent_id(self, draft: PaymentDraft, guards: GuardState, payment_id: str) -> str:
        """Return `int_` + base32 of the keyed hash of the strongest guard; the attempt counts freed predecessors."""
        value = guards.value or payment_id
        name: Json = [draft.org_id, draft.agent_id, guards.guard, value, draft.to, str(guards.attempt)]
        digest = _keyed(self.home_key, b"mcp-wallet/intent-id/v1\n" + canonical_bytes(name))
        return "int_" + base64.b32encode(digest).decode().rstrip("=").lower()

    def _pseudonym(self, address: str) -> str:
        return _pseudonym(self.home_key, address)

    def _store(self, record: PaymentRecord, policy: CompiledPolicy, facts: Facts) -> None:
        if record.approval is not None:
            expires_at_ms = record.approval.expires_at_ms
        else:
            expires_at_ms = record.decided_at_ms + policy.approval_ttl_ms
        insert_row(
            self.raw,
            record,
            freed=record.outcome is Outcome.DENY,
            expires_at_ms=expires_at_ms,
            account_nonce=facts.account_nonce,
        )

    def _after(self, record: PaymentRecord, settings: Settings) -> None:
        """Ask people for what needs them; freeze an agent that was denied too often (it searches or is broken)."""
        agent_id, at_ms = record.intent.agent_id, record.decided_at_ms
        if record.outcome is Outcome.REQUIRE_APPROVAL:
            payload: dict[str, Json] = {"paymentId": record.payment_id, "fingerprint": record.fingerprint}
            append_event(self.raw, self.state, EventType.APPROVAL_REQUESTED, payload, at_ms=at_ms, agent_id=agent_id)
        if record.outcome is not Outcome.DENY or ("agent", agent_id) in self.state.books.freezes:
            return
        if self.state.books.denials_since(agent_id, at_ms - HOUR_MS) >= settings.denials_per_hour:
            engage_freeze(
                self.raw,
                self.state,
                kind="agent",
                value=agent_id,
                reason=f"{settings.denials_per_hour} denials within an hour",
                actor={"kind": "system", "name": "gate-1"},
                at_ms=at_ms,
            )


def engage_freeze(
    raw: Raw, state: LedgerState, *, kind: str, value: str, reason: str, actor: dict[str, Json], at_ms: int
) -> None:
    """Stop what is named from the next decision or claim on, in every process; durable with the transaction."""
    raw.execute(
        "INSERT INTO freeze (kind, value, reason) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason",
        (kind, value, reason),
    )
    payload: dict[str, Json] = {"kind": kind, "value": value, "reason": reason, "actor": actor}
    append_event(raw, state, EventType.KILL_SWITCH_ENGAGED, payload, at_ms=at_ms)


@lru_cache(maxsize=8)
def _keyed_hash(key: bytes) -> "hmac.HMAC":
    return hmac.new(key, digestmod="sha256")


def _keyed(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256; the key is prepared once."""
    keyed = _keyed_hash(key).copy()
    keyed.update(message)
    return keyed.digest()


@lru_cache(maxsize=4096)
def _pseudonym(home_key: bytes, address: str) -> str:
    """Return the recipient's keyed hash: a bare hash of an address is guessed in minutes."""
    return "hmac-sha256:" + _keyed(home_key, b"mcp-wallet/recipient/v1\n" + address.encode()).hex()


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


def _approval(
    decision: Decision, policy: CompiledPolicy, *, record_of: tuple[str, str], intent: PaymentIntent, facts: Facts
) -> Approval | None:
    if decision.outcome is not Outcome.ALLOW:
        return None
    return approval_for(
        decision,
        payment_id=record_of[0],
        intent=intent,
        facts=facts,
        fingerprint=record_of[1],
        fee_cap_wei=policy.fee_caps.get(ChainId(intent.chain), (0, 0))[0],
        now_ms=decision.now_ms,
    )


def _least_units(decision: Decision, policy: CompiledPolicy, asset: str) -> int | None:
    """Return the least that is left of the amounts (not the counts) that this payment counts in."""
    measured = {limit.limit_id for limit in policy.limits if asset in (limit.max_units_by_asset or {})}
    return min((left for limit_id, left in decision.remaining.items() if limit_id in measured), default=None)
