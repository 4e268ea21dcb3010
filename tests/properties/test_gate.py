"""What Gate 1 promises for all policies, pasts and payments."""

import copy
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Counters, Decision, Outcome
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.windows import Windows
from tests.model.generator import ASSETS, BOB, NOW_MS, Generator, Shape, Source
from tests.model.test_against_naive import compiled, intent_of
from tests.promises import promise

OPENNESS = {Outcome.DENY: 0, Outcome.REQUIRE_APPROVAL: 1, Outcome.ALLOW: 2}
USDC = ASSETS[2]
seeds = st.randoms(use_true_random=False)
many = settings(max_examples=100)


def world(random: Random, shape: Shape = Shape()) -> tuple[Generator, Source, CompiledPolicy]:  # noqa: B008  frozen
    generator = Generator(random, shape)
    source = generator.policy()
    return generator, source, loaded(source)


def loaded(source: Source) -> CompiledPolicy:
    """Return the policy; a source that must not load shows nothing."""
    try:
        return compiled(source)
    except OwnerError:
        assume(False)
        raise


def past_of(generator: Generator) -> list[Payment]:
    """Return some payments of the last hours, oldest first."""
    times = sorted(NOW_MS - generator.random.choice([1, 60_000, 3_600_000, 5_000_000]) for _ in range(4))
    return [generator.payment(at_ms) for at_ms in times]


def answer(policy: CompiledPolicy, past: list[Payment], payment: Payment) -> Decision:
    """Return what the gate says of a payment after that past."""
    windows = Windows()
    for index, entry in enumerate(past):
        windows.hold(str(index), entry)
    last = [p.at_ms for p in past if (p.agent, p.to) == (payment.agent, payment.to)]
    counters = Counters(
        uses=tuple(windows.use(limit, payment, payment.at_ms) for limit in policy.limits_for(payment)),
        last_payment_ms=max(last, default=None),
        last_event_ms=payment.at_ms,
        wall_ms=payment.at_ms,
        known_since_ms=policy.known_since(payment.to),
    )
    return decide(policy, intent_of(payment), counters, NO_FACTS, payment.at_ms)


def told(decision: Decision) -> tuple[Outcome, frozenset[tuple[str, str]]]:
    """Return what does not depend on where a rule stands."""
    return decision.outcome, frozenset((str(r.code), r.rule) for r in decision.reasons)


@promise("default-deny")
@many
@given(random=seeds)
def test_without_an_allow_rule_everything_is_denied(random: Random):
    generator, source, _ = world(random)
    source["rules"] = [rule for rule in source["rules"] if rule["effect"] != "allow"]
    decision = answer(loaded(source), past_of(generator), generator.payment(NOW_MS))
    assert decision.outcome is Outcome.DENY
    assert ReasonCode.NO_MATCHING_RULE in decision.codes


@promise("deny-wins")
@many
@given(random=seeds)
def test_deny_wins_whatever_else_is_written(random: Random):
    generator, source, _ = world(random)
    payment = generator.payment(NOW_MS)
    source["rules"].append({"id": "stop", "effect": "deny", "match": {"agents": [payment.agent]}})
    decision = answer(loaded(source), past_of(generator), payment)
    assert decision.outcome is Outcome.DENY
    assert ReasonCode.RULE_DENIED in decision.codes


@promise("default-deny")
@many
@given(random=seeds)
def test_approval_never_lifts_a_denial(random: Random):
    generator, source, policy = world(random)
    payment, past = generator.payment(NOW_MS), past_of(generator)
    before = answer(policy, past, payment)
    source["rules"].append({"id": "ask", "effect": "requireApproval", "match": {}})
    after = answer(loaded(source), past, payment)
    assert after.outcome is (Outcome.DENY if before.outcome is Outcome.DENY else Outcome.REQUIRE_APPROVAL)


@promise("deny-wins")
@many
@given(random=seeds)
def test_the_order_of_rules_limits_and_lists_never_matters(random: Random):
    generator, source, policy = world(random)
    payment, past = generator.payment(NOW_MS), past_of(generator)
    shuffled = copy.deepcopy(source)
    for items in (shuffled["rules"], shuffled["limits"], *shuffled["lists"].values()):
        random.shuffle(items)
    assert told(answer(policy, past, payment)) == told(answer(loaded(shuffled), past, payment))


@many
@given(random=seeds)
def test_saying_a_thing_twice_changes_nothing(random: Random):
    generator, source, policy = world(random)
    payment, past = generator.payment(NOW_MS), past_of(generator)
    doubled = copy.deepcopy(source)
    for part in ("rules", "limits"):
        doubled[part] += [{**item, "id": f"z-{item['id']}"} for item in source[part]]
    once, twice = answer(policy, past, payment), answer(loaded(doubled), past, payment)
    assert (once.outcome, set(once.codes)) == (twice.outcome, set(twice.codes))


@promise("tightening-never-opens")
@many
@given(random=seeds)
def test_tightening_never_opens(random: Random):
    generator, source, policy = world(random)
    payment, past = generator.payment(NOW_MS), past_of(generator)
    tighter = tightened(source, generator)
    before, after = answer(policy, past, payment), answer(loaded(tighter), past, payment)
    assert OPENNESS[after.outcome] <= OPENNESS[before.outcome]


def tightened(source: Source, generator: Generator) -> Source:
    """Return the policy with one thing made stricter."""
    tighter, random = copy.deepcopy(source), generator.random
    allowing = [rule for rule in tighter["rules"] if rule["effect"] == "allow"]
    way = random.randrange(7)
    if way == 0 and allowing:
        tighter["rules"].remove(random.choice(allowing))
    elif way == 1 and allowing:
        random.choice(allowing)["perTransaction"]["max"] = "5"
    elif way == 2 and allowing:
        match = random.choice(allowing)["match"]
        match["recipients"] = ["bob"] if match["recipients"] == "any" else []
    elif way == 3:
        tighter["rules"].append({**generator.rule("more"), "effect": "deny"} | {"perTransaction": None})
        tighter["rules"][-1].pop("perTransaction")
    elif way == 4:
        tighter["limits"].append(generator.limit("more"))
    elif way == 5 and tighter["limits"]:
        limit = random.choice(tighter["limits"])
        limit["window"] = {"rolling": "2d"}
        limit.update({"maxAmount": "20"} if "maxAmount" in limit else {})
    else:
        tighter["cooldown"] = "24h"
    return tighter


@many
@given(random=seeds)
def test_a_smaller_amount_is_never_treated_worse_except_below_a_minimum(random: Random):
    generator, _, policy = world(random, Shape(monotone=True))
    payment, past = generator.payment(NOW_MS), past_of(generator)
    smaller = payment._replace(amount_units=random.randint(1, payment.amount_units))
    more, less = answer(policy, past, payment), answer(policy, past, smaller)
    assert OPENNESS[less.outcome] >= OPENNESS[more.outcome]


@many
@given(random=seeds)
def test_a_limit_can_be_spent_to_the_last_unit_and_not_one_further(random: Random):
    generator = Generator(random)
    limit = {**generator.limit("day"), "maxAmount": "20", "match": {"assets": ["usdc"]}, "window": {"rolling": "1d"}}
    rule = {**generator.wide_rule(), "perTransaction": {"max": "50"}}
    rule["match"]["recipients"] = "any"
    policy = loaded({"version": 1, "id": "one", "rules": [rule], "limits": [{**limit, "maxCount": 99}]})
    payment = generator.payment(NOW_MS)._replace(asset=USDC.asset_id, chain=USDC.chain, operation="transfer", to=BOB)
    past = past_of(generator)
    first = answer(policy, past, payment._replace(amount_units=1))
    assume(first.outcome is Outcome.ALLOW)
    left = first.remaining["day"] + 1
    assert answer(policy, past, payment._replace(amount_units=left)).outcome is Outcome.ALLOW
    assert answer(policy, past, payment._replace(amount_units=left)).remaining["day"] == 0
    beyond = answer(policy, past, payment._replace(amount_units=left + 1))
    assert beyond.codes == (ReasonCode.WINDOW_LIMIT_EXCEEDED,)


@promise("fail-closed")
@given(amount=st.text(max_size=20), chain=st.text(max_size=20), asset=st.text(max_size=20), to=st.text(max_size=50))
def test_deciding_is_total_and_what_cannot_be_evaluated_is_denied(amount: str, chain: str, asset: str, to: str):
    generator = Generator(Random(7))
    policy = None
    while policy is None:
        try:
            policy = compiled(generator.policy())
        except OwnerError:
            continue
    intent = intent_of(generator.payment(NOW_MS))._replace(amount=amount, chain=chain, asset=asset, to=to)
    decision = decide(policy, intent, Counters(), NO_FACTS, NOW_MS)
    assert decision.outcome is Outcome.DENY
    assert decision.reasons
