"""How a payment would be decided, in words, and what would change it.

Nothing that is said to change the outcome is guessed: each amount and each moment was put before the gate again, with
everything else as it is. Only a change of the policy itself is described and not tried: the rule that would admit the
payment but for one part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mcp_wallet.core.books import Books, counters_at
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Decision, Outcome
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.limit_checks import remaining_before
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.reason_words import amount_words, moment_words, reason_words
from mcp_wallet.core.rule_index import ALLOW
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.wall_clock import period_start_ms
from mcp_wallet.core.windows import Calendar, Rolling

Ask = Callable[[int, int], Decision]
"""The gate, asked again with another amount in base units and at another time."""

MINUTE_MS: Final = 60_000
LOOK_AHEAD_MINUTES: Final = 8 * 1_440
"""Hours repeat within a week; with moved clocks, within eight days."""
LONGEST_PERIOD_MS: Final = 32 * 86_400_000
_OPENNESS: Final = {Outcome.DENY: 0, Outcome.REQUIRE_APPROVAL: 1, Outcome.ALLOW: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision in words.

    Args:
        decision: What would be decided.
        reasons: A clause for each of its reasons, in their order.
        changes: A sentence for each thing that would change the outcome.
        agent_sees: What the policy's disclosure lets the agent know, a line each.
    """

    decision: Decision
    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    agent_sees: tuple[str, ...]


def explain(
    books: Books,
    *,
    policy: CompiledPolicy,
    settings: Settings,
    draft: PaymentDraft,
    wall_ms: int,
    duplicate: str = "",
    halted: str = "",
) -> Explanation:
    """Return how the payment would be decided now, without any fact of the chain, and what would change it.

    Args:
        books: The past; read, never changed. Where nobody watched, a policy's `anomaly` is left aside.
        draft: The payment.
        wall_ms: What the wall clock says.
        duplicate: A guard's code, as for `counters_at`.
        halted: A code that stops all spending, as for `counters_at`.
    """

    def ask(units: int, at_ms: int) -> Decision:
        payment = _payment(draft, units, at_ms)
        counters = counters_at(
            books,
            policy=policy,
            settings=settings,
            payment=payment,
            wall_ms=wall_ms if at_ms == now_ms else at_ms,
            duplicate=duplicate,
            halted=halted,
        )
        return decide(policy, draft._replace(amount_units=units).intent("int_explained"), counters, NO_FACTS, at_ms)

    if books.watch is None:
        policy = replace(policy, anomaly={})
    now_ms = max(wall_ms, books.last_event_ms)
    decision = ask(draft.amount_units, now_ms)
    changes: tuple[str, ...] = ()
    if decision.outcome is not Outcome.ALLOW:
        changes = (
            *_other_amounts(policy, draft, decision, ask),
            *_later(policy, draft, decision, ask),
            *_people(policy, decision),
            *_one_part_away(policy, draft, now_ms),
        )
    return Explanation(
        decision=decision,
        reasons=tuple(reason_words(reason, draft.asset) for reason in decision.reasons),
        changes=changes,
        agent_sees=_agent_view(policy, draft, decision),
    )


def _other_amounts(policy: CompiledPolicy, draft: PaymentDraft, decision: Decision, ask: Ask) -> Iterator[str]:
    """Yield the nearest smaller and the nearest larger amount that would be treated better."""
    asked, now_ms = draft.amount_units, decision.now_ms
    edges = sorted(set(_edges(policy, draft, decision)))
    better = [u for u in edges if _is_better(ask(u, now_ms), decision)]
    for words, found in (
        ("at most", max((u for u in better if u < asked), default=None)),
        ("at least", min((u for u in better if u > asked), default=None)),
    ):
        if found is not None:
            outcome = _outcome_words(ask(found, now_ms))
            yield f"An amount of {words} {amount_words(str(found), draft.asset)} {outcome}."


def _edges(policy: CompiledPolicy, draft: PaymentDraft, decision: Decision) -> Iterator[int]:
    """Yield the amounts at which anything can change: bounds of rules, what limits leave."""
    asset = draft.asset.asset_id
    for rule in policy.rules:
        spans = [rule.bounds.get(asset), (rule.matcher.amounts or {}).get(asset)]
        for low, high in (span for span in spans if span is not None):
            yield from (units for units in (low - 1, low, high, high + 1) if 0 < units < 1 << 256)
    payment = _payment(draft, draft.amount_units, decision.now_ms)
    limits = policy.limits_for(payment)
    left = remaining_before(limits, decision.counters.uses, asset=asset)
    yield from (left[x.limit_id] for x in limits if x.max_units_by_asset is not None and left[x.limit_id] > 0)


def _later(policy: CompiledPolicy, draft: PaymentDraft, decision: Decision, ask: Ask) -> Iterator[str]:
    """Yield the first later moment at which the same payment would be treated better."""
    units, last_ms = draft.amount_units, decision.now_ms
    for at_ms in sorted(set(_moments(policy, draft, decision))):
        if not _is_better(ask(units, at_ms), decision):
            last_ms = at_ms
            continue
        first_ms = at_ms
        while last_ms + 1 < first_ms:  # what a window frees, it frees between the two
            middle = (last_ms + first_ms) // 2
            if _is_better(ask(units, middle), decision):
                first_ms = middle
            else:
                last_ms = middle
        yield f"From {moment_words(first_ms)} on the same payment {_outcome_words(ask(units, first_ms))}."
        return


def _moments(policy: CompiledPolicy, draft: PaymentDraft, decision: Decision) -> Iterator[int]:
    """Yield the later moments at which anything can change by itself."""
    now_ms, counters = decision.now_ms, decision.counters
    if counters.last_payment_ms is not None and policy.cooldown_ms:
        yield max(now_ms + 1, counters.last_payment_ms + policy.cooldown_ms)
    if counters.known_since_ms is not None and policy.new_recipient_hold_ms:
        yield max(now_ms + 1, counters.known_since_ms + policy.new_recipient_hold_ms)
    if policy.not_before_ms is not None and policy.not_before_ms > now_ms:
        yield policy.not_before_ms
    for limit in policy.limits_for(_payment(draft, draft.amount_units, now_ms)):
        if isinstance(limit.window, Rolling):
            yield now_ms + limit.window.span_ms
        elif isinstance(limit.window, Calendar):
            yield _next_period_ms(limit.window, now_ms)
    yield from _openings(policy, now_ms)


def _openings(policy: CompiledPolicy, now_ms: int) -> Iterator[int]:
    """Yield the minutes of the coming week at which the hours of some rule begin or end."""
    hours = {rule.matcher.hours for rule in policy.rules if rule.matcher.hours is not None}
    for one in hours:
        is_open = one.covers(now_ms)
        for minute in range(now_ms // MINUTE_MS + 1, now_ms // MINUTE_MS + LOOK_AHEAD_MINUTES):
            if one.covers(minute * MINUTE_MS) != is_open:
                is_open = not is_open
                yield minute * MINUTE_MS


def _next_period_ms(window: Calendar, now_ms: int) -> int:
    """Return the first moment of the next period, by bisection."""
    start = period_start_ms(window.period, window.timezone, now_ms)
    low, high = now_ms, now_ms + LONGEST_PERIOD_MS
    while low + 1 < high:
        middle = (low + high) // 2
        if period_start_ms(window.period, window.timezone, middle) == start:
            low = middle
        else:
            high = middle
    return high


def _people(policy: CompiledPolicy, decision: Decision) -> Iterator[str]:
    """Yield whose approval is asked for; people can do nothing about a denial."""
    if decision.outcome is not Outcome.REQUIRE_APPROVAL:
        return
    asking = {rule.rule_id: rule.approval for rule in policy.rules if rule.approval is not None}
    for reason in decision.reasons:
        terms = asking.get(reason.rule)
        if terms is not None:
            who = "people with the approver role" if terms.approvers is None else ", ".join(sorted(terms.approvers))
            yield f"Rule `{reason.rule}` is satisfied when {terms.quorum} of {who} approve."


def _one_part_away(policy: CompiledPolicy, draft: PaymentDraft, now_ms: int) -> Iterator[str]:
    """Yield the allow rules that would match but for one part of theirs."""
    payment = _payment(draft, draft.amount_units, now_ms)
    for rule in policy.rules:
        missing = rule.matcher.mismatches(payment) if rule.effect == ALLOW else ()
        if len(missing) == 1 and missing[0] != "hours":
            part = f"Rule `{rule.rule_id}` matches but for its `{missing[0]}`"
            yield f"{part}: a new version of the policy could widen them."


def _agent_view(policy: CompiledPolicy, draft: PaymentDraft, decision: Decision) -> tuple[str, ...]:
    """Return what the agent is told: the outcome and the codes; by disclosure, what is left, and the limits."""
    refused = decision.outcome is Outcome.DENY
    codes = [str(code) for code in decision.codes if refused or not code.startswith("ANOMALY_")]
    lines = [f"{decision.outcome}: {', '.join(codes)}"]
    payment = _payment(draft, draft.amount_units, decision.now_ms)
    measured = [limit for limit in policy.limits_for(payment) if limit.max_units_by_asset is not None]
    for limit in measured if policy.disclosure in ("remaining", "full") else ():
        left = amount_words(str(decision.remaining.get(limit.limit_id, 0)), draft.asset)
        of = amount_words(str(decision.limits.get(limit.limit_id, 0)), draft.asset)
        lines.append(f"{left} left{f' of {of}' if policy.disclosure == 'full' else ''} in {limit.window.words}")
    return tuple(lines)


def _is_better(found: Decision, than: Decision) -> bool:
    return _OPENNESS[found.outcome] > _OPENNESS[than.outcome]


def _outcome_words(decision: Decision) -> str:
    return "would be allowed" if decision.outcome is Outcome.ALLOW else "would wait for people's approval"


def _payment(draft: PaymentDraft, units: int, at_ms: int) -> Payment:
    return Payment(
        agent=draft.agent_id,
        operation=draft.operation,
        chain=draft.chain.chain_id,
        asset=draft.asset.asset_id,
        to=draft.to,
        category=draft.category,
        amount_units=units,
        at_ms=at_ms,
    )
