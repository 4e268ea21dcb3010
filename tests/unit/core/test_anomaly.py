"""Anomalies: what is unusual, what is learned from, and that looking ahead changes nothing."""

import math
from random import Random

import pytest

from mcp_wallet.core.anomaly import CODES, HOUR_MS, MEMORY_MS, Watch, score_of
from mcp_wallet.core.decision import Anomaly
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.reasons import ReasonCode
from tests.worlds import ALICE, BOB, NOW_MS, payment

ALL = frozenset(CODES.values())
AMOUNT, NEW, RATE, PROBING = (CODES[field] for field in ("amount", "newRecipient", "velocity", "probing"))


def regular(count: int, *, units: int = 50_000_000, every_ms: int = HOUR_MS) -> Watch:
    """Return what is known of an agent that paid the same amount to alice at regular times, the last one just now."""
    watch = Watch()
    for index in range(count):
        at_ms = NOW_MS - (count - 1 - index) * every_ms
        watch.decided(f"p{index}", paid(units, at_ms=at_ms), "ALLOW", ("OK",))
    return watch


def paid(units: int, *, to: Address = ALICE, at_ms: int = NOW_MS) -> Payment:
    return payment(at_ms=at_ms)._replace(amount_units=units, to=to)


def codes(watch: Watch, found: Payment) -> list[ReasonCode]:
    return [anomaly.code for anomaly in watch.found(found, ALL)]


@pytest.mark.parametrize("units", [1, 2, 3, 1_000_000, 10**18, 2**255 + 1, 2**256 - 1])
def test_the_score_is_the_binary_logarithm_rounded_down(units: int):
    assert abs(score_of(units) - math.floor(math.log2(units) * 256)) <= 1
    assert score_of(units) <= score_of(min(units * 2, 2**256 - 1))


def test_an_amount_four_times_above_the_usual_is_unusual_and_the_usual_is_not():
    watch = regular(20)
    assert codes(watch, paid(200_000_000)) == []
    assert watch.found(paid(201_000_000), ALL) == (Anomaly(AMOUNT, 514, 512),)


def test_an_agent_that_pays_all_sorts_of_amounts_has_more_room():
    watch, random = Watch(), Random(1)
    for index in range(100):
        units = 1_000_000 << random.randrange(12)
        watch.decided(str(index), paid(units, at_ms=NOW_MS - (100 - index) * HOUR_MS), "ALLOW", ("OK",))
    assert codes(watch, paid(2_000_000_000)) == []


@pytest.mark.parametrize("count", [0, 1, 19])
def test_before_twenty_payments_no_amount_is_unusual(count: int):
    assert AMOUNT not in codes(regular(count), paid(10**12))


def test_a_flagged_payment_is_never_learned_from_and_stays_unusual_however_often_it_comes():
    watch = regular(20)
    for index in range(50):
        large = paid(10**10, at_ms=NOW_MS + index)
        assert codes(watch, large)[:1] == [AMOUNT]
        watch.decided(f"large{index}", large, "ALLOW", ("OK", AMOUNT))


def test_what_people_approved_is_learned_from_once_it_passed_gate_2():
    watch = regular(20)
    stranger = paid(50_000_000, to=BOB)
    watch.decided("asked", stranger, "REQUIRE_APPROVAL", ("APPROVAL_REQUIRED", NEW))
    assert codes(watch, stranger) == [NEW]
    watch.approved("asked")
    assert codes(watch, stranger) == []


def test_what_people_did_not_approve_is_not_learned_from():
    watch = regular(20)
    stranger = paid(50_000_000, to=BOB)
    watch.decided("asked", stranger, "REQUIRE_APPROVAL", ("APPROVAL_REQUIRED",))
    watch.dropped("asked")
    watch.approved("asked")
    assert codes(watch, stranger) == [NEW]


def test_somebody_is_new_until_paid_and_again_after_thirty_days():
    watch = regular(10, every_ms=1)
    assert codes(watch, paid(1, to=BOB)) == [NEW]
    watch.decided("bob", paid(1, to=BOB), "ALLOW", ("OK",))
    for index in range(10):
        watch.decided(f"later{index}", paid(1, at_ms=NOW_MS + 1 + index), "ALLOW", ("OK",))
    assert codes(watch, paid(1, to=BOB, at_ms=NOW_MS + MEMORY_MS - 1)) == []
    assert codes(watch, paid(1, to=BOB, at_ms=NOW_MS + MEMORY_MS)) == [NEW]


def test_a_burst_is_unusual_for_an_agent_that_pays_once_an_hour():
    watch, burst = regular(30), []
    for index in range(12):
        found = paid(50_000_000, at_ms=NOW_MS + index)
        burst.append(RATE in codes(watch, found))
        watch.decided(f"burst{index}", found, "ALLOW", ("OK", RATE) if burst[-1] else ("OK",))
    assert burst == [False] * 9 + [True] * 3


def test_different_amounts_refused_at_a_bound_are_a_search_and_one_amount_repeated_is_not():
    watch = Watch()
    for index in range(20):
        watch.decided(f"same{index}", paid(5), "DENY", ("PER_TX_LIMIT_EXCEEDED",))
    assert codes(watch, paid(1)) == []
    for units in (6, 7, 8):
        watch.decided(f"p{units}", paid(units), "DENY", ("WINDOW_LIMIT_EXCEEDED",))
    assert codes(watch, paid(1)) == []
    watch.refused("refund-processor", paid(9).asset, 9, NOW_MS, ("PER_TX_LIMIT_EXCEEDED",))
    assert codes(watch, paid(1)) == [PROBING]
    assert codes(watch, paid(1, at_ms=NOW_MS + HOUR_MS)) == []


def test_other_refusals_are_no_search():
    watch = Watch()
    for units in range(1, 30):
        watch.decided(f"p{units}", paid(units), "DENY", ("RECIPIENT_NOT_ALLOWED",))
    assert codes(watch, paid(1)) == []


def test_only_the_tests_that_are_asked_for_are_made():
    watch = regular(20)
    assert watch.found(paid(10**12, to=BOB), frozenset({NEW})) == (Anomaly(NEW, 0, 1),)
    assert watch.found(paid(10**12, to=BOB), frozenset()) == ()


def test_a_look_ahead_is_taken_back():
    watch, again = regular(40), regular(40)
    watch.found(paid(1, at_ms=NOW_MS + 2 * MEMORY_MS), ALL)
    for at_ms in (NOW_MS, NOW_MS + MEMORY_MS - 10 * HOUR_MS):
        for units in (1, 10**9, 10**12):
            assert watch.found(paid(units, at_ms=at_ms), ALL) == again.found(paid(units, at_ms=at_ms), ALL)


def test_what_is_older_than_the_memory_changes_nothing():
    old = Watch()
    for index in range(6000):
        at_ms = NOW_MS - 4 * MEMORY_MS + index * 60_000
        old.decided(f"old{index}", paid(10**12, at_ms=at_ms), "ALLOW", ("OK",))
    young = regular(40)
    for index in range(40):
        at_ms = NOW_MS - (39 - index) * HOUR_MS
        old.decided(f"p{index}", paid(50_000_000, at_ms=at_ms), "ALLOW", ("OK",))
    for found in (paid(10**12), paid(1, to=BOB), paid(50_000_000)):
        assert old.found(found, ALL) == young.found(found, ALL)
