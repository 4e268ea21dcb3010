"""Gate 1: one pure, total function from policy, intent, counters, facts and time to a decision.

Nothing is allowed by default. Error > freeze > deny > limits > approval > allow: all reasons of every rank are
reported, the decision follows the highest. What cannot be evaluated denies.
"""

from typing import Final

from mcp_wallet.core.approval import APPROVAL_MS, Approval
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import REASONS_MAX, Counters, Decision, Facts, Outcome, Reason
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.fact_checks import chain_reasons, engine_reasons
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.limit_checks import remaining_before, standing_of, timing_reasons
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.rule_checks import (
    NOBODY_ASKED,
    admitting_rule,
    anomaly_refusals,
    denying_reasons,
    people_reasons,
    refusal_reasons,
)

_DENY_RANK: Final = 2
_RANK: Final = (
    dict.fromkeys((ReasonCode.ENGINE_ERROR, ReasonCode.CLOCK_UNTRUSTED, ReasonCode.ROLLBACK_DETECTED), 0)
    | {ReasonCode.FROZEN: 1}
    | dict.fromkeys(
        (
            ReasonCode.WINDOW_LIMIT_EXCEEDED,
            ReasonCode.COUNT_LIMIT_EXCEEDED,
            ReasonCode.DISTINCT_LIMIT_EXCEEDED,
            ReasonCode.COOLDOWN,
            ReasonCode.NEW_RECIPIENT_HOLD,
            ReasonCode.INSUFFICIENT_FUNDS,
            ReasonCode.FEE_CAP_EXCEEDED,
            ReasonCode.SIMULATION_REVERTED,
        ),
        3,
    )
)
"""Error, freeze, deny, limits; approvals come after all of them."""


def decide(policy: CompiledPolicy, intent: PaymentIntent, counters: Counters, facts: Facts, now_ms: int) -> Decision:
    """Return Gate 1's answer for this payment, now. Pure, and total: it raises nothing.

    Args:
        policy: The agent's active policy, compiled.
        intent: The canonical intent.
        counters: What the ledger knows under its lock; `uses` are those of `policy.limits_for(payment)`, in order.
        facts: What the chain said before the lock was taken.
        now_ms: The decision's time, Unix milliseconds: max(wall clock, newest event).
    """
    try:
        return _decide(policy, intent, counters, facts, now_ms)
    except Exception as error:  # noqa: BLE001  a rule that cannot be evaluated must deny, whatever kept it from it
        # The one place in core that catches everything: to let an accident pass here would be to skip a rule.
        return Decision(
            outcome=Outcome.DENY,
            reasons=(Reason(code=ReasonCode.ENGINE_ERROR, observed=type(error).__name__),),
            counters=counters,
            facts=facts,
            policy_id=policy.policy_id,
            policy_version=policy.version,
            policy_hash=policy.hash,
            settings_hash=policy.settings_hash,
            now_ms=now_ms,
            limits={},
            remaining={},
        )


def approval_for(
    decision: Decision,
    *,
    payment_id: str,
    intent: PaymentIntent,
    facts: Facts,
    fingerprint: str,
    fee_cap_wei: int,
    now_ms: int,
) -> Approval:
    """Return the single-use permission that an ALLOW yields; nothing else makes one.

    Args:
        decision: The decision on `intent`.
        payment_id: The ledger's id of the payment.
        intent: The canonical intent.
        facts: Those that the decision rested on; without fees in them (a stubbed chain) gas and fees are bound to 0.
        fingerprint: Of the intent.
        fee_cap_wei: The chain's cap for one transaction; the approval's is the smaller of it and twice the quote.
        now_ms: The decision's time; the approval ends `APPROVAL_MS` later.

    Raises:
        InvariantBroken: For another outcome than ALLOW, or without facts: an unmeasured payment is never approved.
    """
    if decision.outcome is not Outcome.ALLOW or not facts.source:
        raise InvariantBroken("only an ALLOW that rests on facts yields an approval")
    gas_limit, max_fee_wei = facts.gas_limit or 0, facts.max_fee_wei or 0
    return Approval(
        payment_id=payment_id,
        fingerprint=fingerprint,
        policy_hash=decision.policy_hash,
        settings_hash=decision.settings_hash,
        chain=ChainId(intent.chain),
        sender=Address(intent.sender),
        gas_limit=gas_limit,
        max_fee_wei=max_fee_wei,
        priority_fee_wei=facts.priority_fee_wei or 0,
        fee_cap_wei=min(2 * gas_limit * max_fee_wei, fee_cap_wei),
        expires_at_ms=now_ms + APPROVAL_MS,
    )


def approval_of(
    decision: Decision, policy: CompiledPolicy, intent: PaymentIntent, *, payment_id: str, fingerprint: str
) -> Approval | None:
    """Return what the decision permits under its policy's fee cap: an approval for an ALLOW, else None."""
    if decision.outcome is not Outcome.ALLOW:
        return None
    return approval_for(
        decision,
        payment_id=payment_id,
        intent=intent,
        facts=decision.facts,
        fingerprint=fingerprint,
        fee_cap_wei=policy.fee_caps.get(ChainId(intent.chain), (0, 0))[0],
        now_ms=decision.now_ms,
    )


def _decide(policy: CompiledPolicy, intent: PaymentIntent, counters: Counters, facts: Facts, now_ms: int) -> Decision:
    units, asset = int(intent.amount), intent.asset
    bucket = policy.bucket(intent.agent_id, intent.chain, asset, now_ms)
    limits = bucket.plain_limits
    if limits is None:
        limits = policy.limits_for(_payment(intent, units, now_ms))
    standing = standing_of(limits, counters.uses, asset=asset, units=units)
    rule = admitting_rule(bucket, intent, units)
    asked = (
        people_reasons(policy, bucket, intent, units, counters, now_ms)
        if bucket.approval.items or counters.anomalies
        else NOBODY_ASKED
    )
    refusals, approvals = standing.reasons + asked.rejected, asked.missing
    if _is_unusual(policy, counters, facts):
        refusals += _unusual_refusals(policy, intent, counters, facts, now_ms)
    if rule is None:
        refusals += refusal_reasons(policy, bucket, _payment(intent, units, now_ms))
    if bucket.deny.items:
        refusals += denying_reasons(bucket, intent, units)
    if approvals and not refusals and counters.pending >= policy.pending_max:
        refusals = (_too_many_pending(policy, counters),)
    remaining = standing.remaining
    if refusals or rule is None:
        outcome, reasons = Outcome.DENY, (*sorted(refusals, key=_rank), *approvals)
        remaining = remaining_before(limits, counters.uses, asset=asset)
    elif approvals:
        outcome, reasons = Outcome.REQUIRE_APPROVAL, approvals
    else:
        outcome, reasons = Outcome.ALLOW, (rule.admits,)
    return Decision(
        outcome=outcome,
        reasons=(reasons + asked.noted)[:REASONS_MAX],
        counters=counters,
        facts=facts,
        policy_id=policy.policy_id,
        policy_version=policy.version,
        policy_hash=policy.hash,
        settings_hash=policy.settings_hash,
        now_ms=now_ms,
        limits=standing.maxima,
        remaining=remaining,
    )


def _is_unusual(policy: CompiledPolicy, counters: Counters, facts: Facts) -> bool:
    """Return whether anything but rules and limits has a say: most previews need to ask nothing else."""
    return bool(
        facts.source
        or policy.is_timed
        or counters.last_event_ms > counters.wall_ms
        or counters.frozen_by
        or counters.duplicate
        or counters.imitates
        or counters.halted
        or counters.anomalies
    )


def _unusual_refusals(
    policy: CompiledPolicy, intent: PaymentIntent, counters: Counters, facts: Facts, now_ms: int
) -> tuple[Reason, ...]:
    """Return what clock, freezes, validity, guards, cooldown, hold and chain refuse."""
    return (
        *engine_reasons(counters, facts, chain=intent.chain, now_ms=now_ms),
        *(Reason(code=ReasonCode.FROZEN, observed=kind) for kind in counters.frozen_by),
        *_validity_reasons(policy, now_ms),
        *_guard_reasons(policy, intent.to, counters),
        *timing_reasons(policy, counters, now_ms),
        *anomaly_refusals(policy, counters),
        *chain_reasons(policy, intent, counters, facts),
    )


def _rank(reason: Reason) -> int:
    return _RANK.get(reason.code, _DENY_RANK)


def _validity_reasons(policy: CompiledPolicy, now_ms: int) -> tuple[Reason, ...]:
    """Return the refusals outside [notBefore, expiresAt)."""
    not_before_ms, expires_at_ms = policy.not_before_ms, policy.expires_at_ms
    if not_before_ms is not None and now_ms < not_before_ms:
        pointer = "/validity/notBefore"
        code = ReasonCode.NOT_YET_ACTIVE
        return (Reason(code=code, pointer=pointer, observed=str(now_ms), limit=str(not_before_ms)),)
    if expires_at_ms is not None and now_ms >= expires_at_ms:
        pointer = "/validity/expiresAt"
        return (Reason(code=ReasonCode.EXPIRED, pointer=pointer, observed=str(now_ms), limit=str(expires_at_ms)),)
    return ()


def _guard_reasons(policy: CompiledPolicy, to: str, counters: Counters) -> tuple[Reason, ...]:
    """Return what the guards found: a second payment for one reference, a recipient made to look like a payee."""
    reasons: tuple[Reason, ...] = ()
    if counters.duplicate:
        reasons += (Reason(code=ReasonCode(counters.duplicate)),)
    if counters.imitates and not policy.lists(Address(to)):
        reasons += (Reason(code=ReasonCode.RECIPIENT_LOOKALIKE, observed=to, limit=counters.imitates),)
    return reasons


def _too_many_pending(policy: CompiledPolicy, counters: Counters) -> Reason:
    code = ReasonCode.TOO_MANY_PENDING
    return Reason(code=code, observed=str(counters.pending), limit=str(policy.pending_max), remaining="0")


def _payment(intent: PaymentIntent, units: int, now_ms: int) -> Payment:
    return Payment(
        agent=intent.agent_id,
        operation=intent.operation,
        chain=ChainId(intent.chain),
        asset=AssetId(intent.asset),
        to=Address(intent.to),
        category=intent.category,
        amount_units=units,
        at_ms=now_ms,
    )
