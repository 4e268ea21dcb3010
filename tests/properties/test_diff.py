"""What a diff promises for all versions: no payment, past or vote contradicts it, and its witnesses are real."""

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcp_wallet.core import diff_cells
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Counters, Outcome
from mcp_wallet.core.diff import Classification, PolicyDiff, diff
from mcp_wallet.core.diff_terms import Direction, direction_of
from mcp_wallet.core.diff_witness import decide_witness
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.votes import Vote
from mcp_wallet.core.windows import Windows
from tests.model.generator import BOOK, NOW_MS, Generator, Source
from tests.model.test_against_naive import compiled, intent_of
from tests.promises import promise

PEOPLE = ("nora", "omar", "pia")
SHOWS = {
    Direction.NONE: set(Classification),
    Direction.TIGHTENS: {Classification.TIGHTENS, Classification.BOTH},
    Direction.LOOSENS: {Classification.LOOSENS, Classification.BOTH},
}
PAYMENTS = 40
MUTANT_SEEDS = 2_000
seeds = st.integers(0, 1 << 64).map(Random)
many = settings(max_examples=50)


def versions(random: Random) -> tuple[Generator, CompiledPolicy, CompiledPolicy]:
    """Return two versions of a policy that load, most of them alike in most parts."""
    generator = Generator(random)
    source = with_people(generator, generator.policy())
    other = copy.deepcopy(source)
    for _ in range(random.randint(0, 3)):
        edit(generator, other)
    if random.random() < 0.1:
        other = with_people(generator, generator.policy())
    try:
        return generator, compiled(source), compiled(other)
    except OwnerError:
        return versions(random)  # one of them must not load: the next pair


def with_people(generator: Generator, source: Source) -> Source:
    for rule in source["rules"]:
        if rule["effect"] == "requireApproval":
            generator.maybe(rule, "approval", lambda: terms(generator), 0.8)
    return source


def terms(generator: Generator) -> Source:
    found: Source = {"excludeRequester": generator.random.random() < 0.5, "ttl": generator.random.choice(["1h", "2h"])}
    named = generator.some(PEOPLE)
    if named:
        found["approvers"] = named
    found["quorum"] = generator.random.randint(1, len(named) or 2)
    return found


def edit(generator: Generator, source: Source) -> None:
    """Change one thing, as an operator would."""
    generator.random.choice([edit_rule, edit_limit, edit_rest])(generator, source)


def edit_rule(generator: Generator, source: Source) -> None:
    random = generator.random
    rule = random.choice(source["rules"] or [generator.wide_rule()])
    what = random.choice(["rule", "match", "bounds", "people"])
    if what == "rule":
        source["rules"] = [generator.rule(r["id"]) if r is rule else r for r in source["rules"]]
    elif what == "match":
        part = random.choice(["agents", "chains", "categories", "amount", "hours", "recipients"])
        fresh = generator.match(lower=random.random() < 0.5)
        if part in fresh:
            rule["match"][part] = fresh[part]
        elif part != "recipients":
            rule["match"].pop(part, None)
    elif what == "bounds" and "perTransaction" in rule:
        rule["perTransaction"] = {"max": random.choice(["5", "10.5", "20", "50.00"])}
    elif rule["effect"] == "requireApproval":
        rule["approval"] = terms(generator)


def edit_limit(generator: Generator, source: Source) -> None:
    random = generator.random
    limit = random.choice(source["limits"] or [generator.limit("limit-x")])
    what = random.choice(["amount", "group", "window", "count", "add"])
    if what == "amount" and "maxAmount" in limit:
        limit["maxAmount"] = random.choice(["20", "50.00", "100"])
    elif what == "group":
        limit["groupBy"] = generator.some(["agent", "recipient", "asset", "chain", "category"])
    elif what == "window":
        limit["window"] = generator.window()
    elif what == "count":
        limit["maxCount"] = random.randint(1, 5)
    else:
        source["limits"] = [*source["limits"], generator.limit("limit-new")]


def edit_rest(generator: Generator, source: Source) -> None:
    other = generator.policy()
    what = generator.random.choice(["lists", "cooldown", "newRecipientHold", "validity", "rules", "limits"])
    if what in {"rules", "limits"}:
        source[what] = source[what][1:]
    elif what == "lists":
        source["lists"] = other["lists"]
    elif source.pop(what, None) is None and what in other:
        source[what] = other[what]


def situation(generator: Generator) -> tuple[Payment, list[Payment], tuple[Vote, ...], str]:
    """Return a payment now, some of the last hours, and what people said."""
    random = generator.random
    now_ms = NOW_MS + random.choice([0, 0, 3_600_000, 7 * 3_600_000, 20 * 3_600_000, 3 * 86_400_000])
    ages = sorted(random.choice([0, 1, 1_000, 1_800_000, 3_600_000, 5_400_000, 90_000_000]) for _ in range(4))
    past = [generator.payment(now_ms - age) for age in reversed(ages)]
    votes = tuple(
        Vote(person, random.random() < 0.8, now_ms - random.choice([0, 3_599_999, 3_600_000, 7_200_000]))
        for person in generator.some(PEOPLE)
    )
    return generator.payment(now_ms), past, votes, random.choice(["", *PEOPLE])


def outcome(policy: CompiledPolicy, found: tuple[Payment, list[Payment], tuple[Vote, ...], str]) -> Outcome:
    payment, past, votes, requested_by = found
    windows = Windows()
    for index, entry in enumerate(past):
        windows.hold(str(index), entry)
    imitated = None if policy.lists(payment.to) else BOOK.imitated_by(payment.to)
    counters = Counters(
        uses=tuple(windows.use(limit, payment, payment.at_ms) for limit in policy.limits_for(payment)),
        last_payment_ms=max((p.at_ms for p in past if (p.agent, p.to) == (payment.agent, payment.to)), default=None),
        last_event_ms=payment.at_ms,
        wall_ms=payment.at_ms,
        known_since_ms=policy.known_since(payment.to),
        imitates=imitated.name if imitated else "",
        votes=votes,
        requested_by=requested_by,
    )
    return decide(policy, intent_of(payment), counters, NO_FACTS, payment.at_ms).outcome


def told_apart(found: PolicyDiff, before: Outcome, after: Outcome, payment: Payment) -> bool:
    """Return whether the diff names this change for the payment's asset and amount."""
    return any(
        (change.before, change.after) == (before, after)
        and payment.asset in change.assets
        and any(low <= payment.amount_units <= high for low, high in change.amounts)
        for change in found.changes
    )


def contradicted(random: Random) -> bool:
    """Return whether some payment shows a direction that the classification excludes."""
    generator, old, new = versions(random)
    allowed = diff(old, new).classification
    if allowed is Classification.BOTH:
        return False
    cases = [situation(generator) for _ in range(PAYMENTS)]
    return any(allowed not in SHOWS[direction_of(outcome(old, case), outcome(new, case))] for case in cases)


@promise("diff-is-exact")
@many
@given(random=seeds)
def test_no_payment_past_or_vote_contradicts_the_classification(random: Random):
    assert not contradicted(random)


@promise("diff-is-exact")
@many
@given(random=seeds)
def test_what_the_rules_alone_change_is_named_with_its_amount(random: Random):
    generator, old, new = versions(random)
    found = diff(old, new)
    assume(all(term.subject != "newRecipientHold" for term in found.terms))  # a term: it is over at its own time
    for _ in range(PAYMENTS):
        payment, _, _, _ = situation(generator)
        before, after = outcome(old, (payment, [], (), "")), outcome(new, (payment, [], (), ""))
        assert before is after or told_apart(found, before, after, payment), (before, after, payment)


@promise("diff-is-exact")
@many
@given(random=seeds)
def test_both_versions_really_decide_each_witness_so(random: Random):
    _, old, new = versions(random)
    for change in diff(old, new).changes:
        witness = change.example.witness
        assert (decide_witness(old, witness).outcome, decide_witness(new, witness).outcome) == (
            change.before,
            change.after,
        )
        assert change.before is not change.after


@many
@given(random=seeds)
def test_a_change_back_is_the_opposite(random: Random):
    _, old, new = versions(random)
    opposite: dict[Any, Any] = {
        Classification.TIGHTENS: Classification.LOOSENS,
        Classification.LOOSENS: Classification.TIGHTENS,
    }
    there = diff(old, new).classification
    assert diff(new, old).classification is opposite.get(there, there)


@many
@given(random=seeds)
def test_a_version_stands_to_itself_as_neutral(random: Random):
    _, old, _ = versions(random)
    found = diff(old, old)
    assert (found.classification, found.changes, found.terms) == (Classification.NEUTRAL, (), ())


MUTANTS: dict[str, tuple[object, str, object]] = {
    "one hour is like another": (diff_cells, "moments_of", lambda *_, from_ms: (from_ms,)),
    "amounts do not matter": (diff_cells, "amounts_of", lambda _: ((1, 1),)),
    "recipients do not matter": (diff_cells._Cutter, "_told_apart", lambda self, _: self._recipients[:1]),
    "denials do not matter": (diff_cells, "DENY", "nothing"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_careless_comparison_is_contradicted(name: str, monkeypatch: pytest.MonkeyPatch):
    place, attribute, careless = MUTANTS[name]
    monkeypatch.setattr(place, attribute, careless)
    assert any(contradicted(Random(seed)) for seed in range(MUTANT_SEEDS))
