"""What the rules say about a payment: which one admits it, which take it away, and which list it was that refused.

Rules are alternatives: one allow rule that matches and whose own `perTransaction` holds admits. Deny and
requireApproval rules only take away. Their order never matters.
"""

from typing import Final, NamedTuple

from mcp_wallet.core.anomaly import ASK, CODES, DENY, FREEZE
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Anomaly, Counters, Reason
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.matching import Matcher, Payment
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.rule_index import REQUIRE_APPROVAL, Bucket, Fit, Rule
from mcp_wallet.core.votes import ApprovalTerms, rejecting_vote

PER_TRANSACTION: Final = "/perTransaction"


class People(NamedTuple):
    """What people have to say: the rejection, if any, what is still to be approved, and what they should know."""

    rejected: tuple[Reason, ...]
    missing: tuple[Reason, ...]
    noted: tuple[Reason, ...] = ()


NOBODY_ASKED: Final = People((), ())
_ANOMALY_FIELDS: Final = {code: field for field, code in CODES.items()}
_ANOMALY_TERMS: Final = ApprovalTerms(
    quorum=1, approvers=None, exclude_requester=True, ttl_ms=3_600_000, channel="outOfBand"
)
"""Who approves what a test found unusual: those whom a rule without `approval` asks."""

_CODE_OF_PART: Final = {
    "assets": ReasonCode.ASSET_NOT_ALLOWED,
    "chains": ReasonCode.CHAIN_NOT_ALLOWED,
    "recipients": ReasonCode.RECIPIENT_NOT_ALLOWED,
    "operations": ReasonCode.OPERATION_NOT_ALLOWED,
    "categories": ReasonCode.CATEGORY_NOT_ALLOWED,
    "hours": ReasonCode.OUTSIDE_HOURS,
}


def admitting_rule(bucket: Bucket, intent: PaymentIntent, units: int) -> Rule | None:
    """Return the allow rule that admits the payment, the first by id; None when none does."""
    best: Rule | None = None
    for fit in bucket.allow.candidates(intent.to):
        if (
            fit.minimum_units <= units <= fit.maximum_units
            and fit.matches(intent.operation, intent.category, units)
            and (best is None or fit.rule.rule_id < best.rule_id)
        ):
            best = fit.rule
    return best


def denying_reasons(bucket: Bucket, intent: PaymentIntent, units: int) -> tuple[Reason, ...]:
    """Return one reason for each deny rule that matches."""
    found = bucket.deny.candidates(intent.to)
    return tuple(_denial(fit.rule) for fit in found if fit.matches(intent.operation, intent.category, units))


def people_reasons(  # noqa: PLR0917  what a decision rests on
    policy: CompiledPolicy, bucket: Bucket, intent: PaymentIntent, units: int, counters: Counters, now_ms: int
) -> People:
    """Return what the votes say; without votes, everything is still to be approved.

    Each requireApproval rule that matches asks for itself: all of them must be satisfied together.
    """
    asking = asking_rules(policy, bucket, intent, units, counters)
    if not asking and not counters.anomalies:
        return NOBODY_ASKED
    noted = tuple(_anomaly_reason(a) for a in counters.anomalies if policy.anomaly[a.code] not in (DENY, FREEZE))
    votes, requested_by = counters.votes, counters.requested_by
    if not votes:
        return People((), tuple(_approval(rule, units) for rule in asking), noted)
    terms = [rule.approval for rule in asking if rule.approval is not None]
    rejection = rejecting_vote(terms, votes, requested_by=requested_by)
    if rejection is not None:
        return People((Reason(code=ReasonCode.APPROVAL_REJECTED, observed=rejection.by),), (), noted)
    missing = tuple(
        _approval(rule, units)
        for rule in asking
        if rule.approval is None or not rule.approval.is_satisfied(votes, requested_by=requested_by, now_ms=now_ms)
    )
    return People((), missing, noted)


def asking_rules(
    policy: CompiledPolicy, bucket: Bucket, intent: PaymentIntent, units: int, counters: Counters
) -> tuple[Rule, ...]:
    """Return the requireApproval rules that match, and one for each anomaly that needs people."""
    found = bucket.approval.candidates(intent.to)
    rules = [fit.rule for fit in found if fit.matches(intent.operation, intent.category, units)]
    if counters.anomalies:
        rules += [_anomaly_rule(a) for a in counters.anomalies if policy.anomaly[a.code] == ASK]
    return tuple(rules)


def anomaly_refusals(policy: CompiledPolicy, counters: Counters) -> tuple[Reason, ...]:
    """Return the anomalies that the policy refuses."""
    return tuple(_anomaly_reason(a) for a in counters.anomalies if policy.anomaly[a.code] in (DENY, FREEZE))


def refusal_reasons(policy: CompiledPolicy, bucket: Bucket, payment: Payment) -> tuple[Reason, ...]:
    """Return why no allow rule admits the payment.

    A rule that matches in all but its `perTransaction` names the bound. Else `NO_MATCHING_RULE`, and beside it the
    code of each list that no rule of the agent opens for this payment, or that alone keeps a rule from matching.
    """
    bounded = tuple(
        _out_of_bounds(fit, payment.amount_units)
        for fit in bucket.allow.candidates(payment.to)
        if fit.matches(payment.operation, payment.category, payment.amount_units)
    )
    if bounded:
        return bounded
    refusing = _closed_parts(policy, payment) | _only_obstacles(policy, bucket, payment)
    return (
        Reason(code=ReasonCode.NO_MATCHING_RULE),
        *(
            Reason(code=code, observed=_observed(payment, part))
            for part, code in _CODE_OF_PART.items()
            if part in refusing
        ),
    )


def _anomaly_reason(anomaly: Anomaly) -> Reason:
    return Reason(
        code=anomaly.code,
        pointer=f"/anomaly/{_ANOMALY_FIELDS[anomaly.code]}",
        observed=str(anomaly.observed),
        limit=str(anomaly.limit),
    )


def _anomaly_rule(anomaly: Anomaly) -> Rule:
    pointer = f"/anomaly/{_ANOMALY_FIELDS[anomaly.code]}"
    return Rule(
        rule_id="",
        effect=REQUIRE_APPROVAL,
        pointer=pointer,
        matcher=Matcher(),
        bounds={},
        admits=Reason(code=ReasonCode.OK, pointer=pointer),
        approval=_ANOMALY_TERMS,
    )


def _approval(rule: Rule, units: int) -> Reason:
    code = ReasonCode.APPROVAL_REQUIRED
    return Reason(code=code, rule=rule.rule_id, pointer=rule.pointer, observed=str(units))


def _denial(rule: Rule) -> Reason:
    names_recipients = rule.matcher.recipients is not None
    code = ReasonCode.RECIPIENT_DENIED if names_recipients else ReasonCode.RULE_DENIED
    return Reason(code=code, rule=rule.rule_id, pointer=rule.pointer)


def _out_of_bounds(fit: Fit, units: int) -> Reason:
    too_much = units > fit.maximum_units
    return Reason(
        code=ReasonCode.PER_TX_LIMIT_EXCEEDED if too_much else ReasonCode.BELOW_MINIMUM,
        rule=fit.rule.rule_id,
        pointer=fit.rule.pointer + PER_TRANSACTION,
        observed=str(units),
        limit=str(fit.maximum_units if too_much else fit.minimum_units),
    )


def _closed_parts(policy: CompiledPolicy, payment: Payment) -> set[str]:
    """Return the parts of the payment that no allow rule of its agent opens; none for an agent without a rule."""
    scope = policy.scope(payment.agent)
    if not scope.rules.items:
        return set()
    closed = {
        "assets": payment.asset not in scope.assets,
        "chains": scope.chains is not None and payment.chain not in scope.chains,
        "recipients": not scope.rules.candidates(payment.to),
        "operations": scope.operations is not None and payment.operation not in scope.operations,
        "categories": scope.categories is not None and payment.category not in scope.categories,
        "hours": not scope.is_open_at(payment.at_ms),
    }
    return {part for part, is_closed in closed.items() if is_closed}


def _only_obstacles(policy: CompiledPolicy, bucket: Bucket, payment: Payment) -> set[str]:
    """Return the parts that alone keep some allow rule of the agent from matching."""
    near = [fit.rule for fit in bucket.allow.items]
    near += policy.scope(payment.agent).rules.candidates(payment.to)
    missing = [rule.matcher.mismatches(payment) for rule in near]
    return {parts[0] for parts in missing if len(parts) == 1}


def _observed(payment: Payment, part: str) -> str:
    values = {
        "assets": payment.asset,
        "chains": payment.chain,
        "recipients": payment.to,
        "operations": payment.operation,
        "categories": payment.category,
        "hours": str(payment.at_ms),
    }
    return values[part]
