"""A payment on which two versions of a policy really differ, with the past and the votes under which they do.

What a version says of it is what `decide` says. The past is counted here in the plainest way, by walking it.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Anomaly, Counters, Decision, WindowUse
from mcp_wallet.core.diff_cells import Cell
from mcp_wallet.core.diff_limits import COUNT, DISTINCT, Maximum, maxima_of
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_document import UNITS_MAX
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.votes import Vote
from mcp_wallet.core.windows import Limit

RECIPIENTS_MAX: Final = 1_000
"""A past with more recipients than this is not made up: a higher `maxDistinctRecipients` has no witness."""
IMITATED: Final = "payee"


class Past(NamedTuple):
    """Payments of the past that are alike: one, and how many times it was made."""

    payment: Payment
    times: int = 1


class Witness(NamedTuple):
    """A payment and everything else that a decision on it needs.

    Args:
        imitates: Whether the recipient looks like a payee.
    """

    payment: Payment
    past: tuple[Past, ...] = ()
    votes: tuple[Vote, ...] = ()
    requested_by: str = ""
    imitates: bool = False
    anomalies: tuple[Anomaly, ...] = ()


def decide_witness(policy: CompiledPolicy, witness: Witness) -> Decision:
    """Return what one version of the policy decides about the witness."""
    payment, to = witness.payment, witness.payment.to
    last = [p.at_ms for p, _ in witness.past if (p.agent, p.to) == (payment.agent, to)]
    counters = Counters(
        uses=tuple(_use(limit, witness) for limit in policy.limits_for(payment)),
        last_payment_ms=max(last, default=None),
        last_event_ms=payment.at_ms,
        wall_ms=payment.at_ms,
        known_since_ms=policy.known_since(to),
        imitates=IMITATED if witness.imitates and not policy.lists(to) else "",
        votes=witness.votes,
        requested_by=witness.requested_by,
        anomalies=tuple(a for a in witness.anomalies if a.code in policy.anomaly),
    )
    return decide(policy, _intent(payment), counters, NO_FACTS, payment.at_ms)


def plain_witness(cell: Cell) -> Witness:
    """Return the witness of a piece that needs neither past nor votes."""
    units = cell.low if cell.high == UNITS_MAX else cell.high
    return Witness(cell.payment(units), imitates=cell.recipient.imitates)


def telling_witnesses(cell: Cell) -> Iterator[Witness]:
    """Yield witnesses under which the terms of the versions may tell them apart; most of them show nothing."""
    old, new = (maxima_of(side.limits, cell.low) for side in cell.pair)
    policies = [side.policy for side in cell.pair]
    plain = Witness(cell.payment(cell.low), imitates=cell.recipient.imitates)
    now_ms = cell.at_ms
    for cooldown_ms in {p.cooldown_ms for p in policies}:
        yield plain._replace(past=(Past(plain.payment._replace(at_ms=now_ms - cooldown_ms)),))
    for code in {code for p in policies for code in p.anomaly}:
        yield plain._replace(anomalies=(Anomaly(code, 0, 0),))
    known = [(p.known_since(cell.recipient.address) or 0) + p.new_recipient_hold_ms for p in policies]
    yield plain._replace(payment=plain.payment._replace(at_ms=min(known)))
    for votes, requested_by in _votes(cell):
        yield plain._replace(votes=votes, requested_by=requested_by)
    ages = {1, *(p.cooldown_ms for p in policies)}
    for maximum in (*old, *new):
        left_ms = maximum.limit.window.left_ms(now_ms)
        ages |= {age for age in (now_ms - left_ms, now_ms - left_ms - 1) if age >= 0}
    for maximum, age in product((*old, *new), sorted(ages)):
        for past in _pasts(maximum, plain.payment, age, cell):
            yield plain._replace(past=past)


def _pasts(maximum: Maximum, payment: Payment, age_ms: int, cell: Cell) -> Iterator[tuple[Past, ...]]:
    """Yield pasts in which a maximum is just exceeded by the payment, by payments of different kinds."""
    for like in _likes(payment._replace(at_ms=max(0, payment.at_ms - age_ms)), maximum.limit, cell):
        if maximum.kind == COUNT:
            yield (Past(like._replace(amount_units=_least(like, maximum.limit)), maximum.most),)
        elif maximum.kind == DISTINCT and maximum.most <= RECIPIENTS_MAX:
            found = _recipients(maximum.limit, payment.to, maximum.most)
            yield tuple(Past(like._replace(to=to, amount_units=_least(like, maximum.limit))) for to in found)
        elif maximum.kind not in {COUNT, DISTINCT}:
            units = min(UNITS_MAX, maximum.most - payment.amount_units + 1)
            yield (Past(like._replace(amount_units=units)),)


def _likes(payment: Payment, limit: Limit, cell: Cell) -> Iterator[Payment]:
    """Yield the payment and others that the limit counts, each different in one part."""
    m = limit.matcher
    yield payment
    for to in _recipients(limit, payment.to, 1):
        yield payment._replace(to=to)
    for agent in sorted(m.agents or (*cell.agents, "another-agent")):
        yield payment._replace(agent=agent)
    for asset in sorted(m.assets or ()):
        yield payment._replace(asset=asset, chain=type(payment.chain)(asset.partition("/")[0]))
    for category in sorted(m.categories or ("another-category",)):
        yield payment._replace(category=category)
    for operation in sorted(m.operations or ("another-operation",)):
        yield payment._replace(operation=operation)


def _least(payment: Payment, limit: Limit) -> int:
    """Return the fewest base units that the limit counts."""
    amounts = limit.matcher.amounts
    return 1 if amounts is None else max(1, amounts.get(payment.asset, (1, 1))[0])


def _recipients(limit: Limit, to: Address, count: int) -> list[Address]:
    """Return so many recipients that the limit counts, none of them the payment's own; fewer when there are not."""
    listed = limit.matcher.recipients
    source = (Address(f"0x{(0xD1FF << 144) + i:040x}") for i in range(count + 1)) if listed is None else iter(listed)
    found: list[Address] = []
    for address in source:
        if len(found) < count and address != to:
            found.append(address)
        if len(found) == count:
            break
    return found


def _votes(cell: Cell) -> Iterator[tuple[tuple[Vote, ...], str]]:
    """Yield votes that may satisfy the approval rules of one version and not those of the other."""
    terms = [item.rule.approval for side in cell.pair for item in cell.asking(side) if item.rule.approval]
    if not terms:
        return
    crowd = [f"person-{i}" for i in range(1, max(t.quorum for t in terms) + 1)]
    people = sorted({person for t in terms for person in t.approvers or ()} | set(crowd[:20]))
    ages = sorted({0, *(t.ttl_ms for t in terms)})
    for one, age_ms in product(terms, ages):
        inside = [p for p in people if one.approvers is None or p in one.approvers]
        outside = [p for p in people if p not in inside]
        for few in (inside[: one.quorum - 1], inside[: one.quorum]):
            voting = [*outside, *few]
            votes = tuple(Vote(p, approves=True, at_ms=cell.at_ms - age_ms) for p in voting)
            yield votes, ""
            yield from ((votes, person) for person in voting)
            yield from (((*votes, Vote(person, approves=False, at_ms=cell.at_ms)), "") for person in people)


def _use(limit: Limit, witness: Witness) -> WindowUse:
    payment = witness.payment
    left_ms, group = limit.window.left_ms(payment.at_ms), limit.group_of(payment)
    counted = [
        (past, times)
        for past, times in witness.past
        if past.at_ms > left_ms and limit.matcher.matches(past) and limit.group_of(past) == group
    ]
    recipients = {past.to for past, _ in counted}
    return WindowUse(
        limit_id=limit.limit_id,
        group=group,
        spent_units=sum(past.amount_units * times for past, times in counted),
        held_units=0,
        count=sum(times for _, times in counted),
        distinct=len(recipients),
        knows_recipient=payment.to in recipients,
    )


def _intent(payment: Payment) -> PaymentIntent:
    return PaymentIntent(
        version="1",
        org_id="",
        agent_id=payment.agent,
        intent_id="",
        operation=payment.operation,
        chain=payment.chain,
        asset=payment.asset,
        sender="",
        to=payment.to,
        amount=str(payment.amount_units),
        reference="",
        category=payment.category,
        memo_hash="",
        blind="",
    )
