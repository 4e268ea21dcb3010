"""Can the properties fail? Each is run against a gate with one flaw, and must find it within some hundred tries."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis.errors import UnsatisfiedAssumption

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Counters, Decision, Facts, Outcome, WindowUse
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.reasons import ReasonCode
from tests.model import test_against_naive as model
from tests.model.generator import STARTS_MS, Generator
from tests.properties import test_gate as properties

TRIES = 400
Gate = Callable[[CompiledPolicy, PaymentIntent, Counters, Facts, int], Decision]


def lax(decision: Decision) -> Decision:
    return decision._replace(outcome=Outcome.ALLOW)


def allows_what_no_rule_admits(*given) -> Decision:
    found = decide(*given)
    return lax(found) if ReasonCode.NO_MATCHING_RULE in found.codes else found


def lets_allow_win(*given) -> Decision:
    found = decide(*given)
    return lax(found) if ReasonCode.RULE_DENIED in found.codes else found


def asks_people_about_everything(*given) -> Decision:
    found = decide(*given)
    asks = ReasonCode.APPROVAL_REQUIRED in found.codes
    return found._replace(outcome=Outcome.REQUIRE_APPROVAL) if asks else found


def stops_at_the_first_rule(*given) -> Decision:
    found = decide(*given)
    return found._replace(reasons=tuple(sorted(found.reasons, key=lambda reason: reason.pointer))[:1])


def counts_rules(policy: CompiledPolicy, *given) -> Decision:
    found = decide(policy, *given)
    return found._replace(outcome=Outcome.DENY) if len(policy.rules) > 4 else found


def forgets_everything_under_a_long_cooldown(policy: CompiledPolicy, *given) -> Decision:
    found = decide(policy, *given)
    return lax(found) if policy.cooldown_ms >= 86_400_000 else found


def dislikes_small_amounts(policy: CompiledPolicy, intent: PaymentIntent, *given) -> Decision:
    found = decide(policy, intent, *given)
    return found._replace(outcome=Outcome.DENY) if int(intent.amount) < 1_000_000 else found


def keeps_the_last_unit(*given) -> Decision:
    found = decide(*given)
    return found._replace(outcome=Outcome.DENY) if 0 in found.remaining.values() else found


MUTANTS: dict[Gate, Callable[..., None]] = {
    allows_what_no_rule_admits: properties.test_without_an_allow_rule_everything_is_denied,
    lets_allow_win: properties.test_deny_wins_whatever_else_is_written,
    asks_people_about_everything: properties.test_approval_never_lifts_a_denial,
    stops_at_the_first_rule: properties.test_the_order_of_rules_limits_and_lists_never_matters,
    counts_rules: properties.test_saying_a_thing_twice_changes_nothing,
    forgets_everything_under_a_long_cooldown: properties.test_tightening_never_opens,
    dislikes_small_amounts: properties.test_a_smaller_amount_is_never_treated_worse_except_below_a_minimum,
    keeps_the_last_unit: properties.test_a_limit_can_be_spent_to_the_last_unit_and_not_one_further,
}


@pytest.mark.filterwarnings("ignore:Using `assume` outside")  # that is what is done here, and caught
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_property_finds_the_gate_that_breaks_it(monkeypatch: pytest.MonkeyPatch, mutant: Gate):
    shown = MUTANTS[mutant].hypothesis.inner_test  # type: ignore[attr-defined]  # what @given wraps
    monkeypatch.setattr(properties, "decide", mutant)
    assert is_refuted(lambda random: shown(random=random))


def forgets_what_is_held(policy: CompiledPolicy, intent: PaymentIntent, counters: Counters, *given) -> Decision:
    uses = tuple(use._replace(held_units=0, count=0) for use in counters.uses)
    return decide(policy, intent, counters._replace(uses=uses), *given)


def lets_a_full_window_take_one_more(
    policy: CompiledPolicy, intent: PaymentIntent, counters: Counters, *given
) -> Decision:
    uses: tuple[WindowUse, ...] = tuple(use._replace(count=max(0, use.count - 1)) for use in counters.uses)
    return decide(policy, intent, counters._replace(uses=uses), *given)


@pytest.mark.parametrize("mutant", [forgets_what_is_held, lets_a_full_window_take_one_more])
def test_the_windows_of_a_history_find_the_gate_that_overspends(mutant: Gate):
    def history(random: Random) -> None:
        source = Generator(random).policy()
        gates, at_ms = model.TwoGates(source, model.compiled(source), random), random.choice(STARTS_MS)
        for _ in range(40):
            at_ms += random.choice((0, 60_000, 1_800_000))
            gates.take(Generator(random).payment(at_ms), mutant)
        gates.most_in_any_window()

    assert is_refuted(history)


def is_refuted(shown: Callable[[Random], None]) -> bool:
    """Return whether some seed makes the property fail."""
    for seed in range(TRIES):
        try:
            shown(Random(seed))
        except AssertionError:
            return True
        except (UnsatisfiedAssumption, OwnerError):
            continue
    return False
