"""The counters are the naive sum over every history, whatever is held, confirmed and given back, at growing times."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.matching import Matcher, Payment
from mcp_wallet.core.windows import Calendar, Lifetime, Limit, Rolling, Window, Windows
from tests.model.generator import ASSETS, NOW_MS, Generator

WINDOWS: tuple[Window, ...] = (
    Rolling(1),
    Rolling(1_000),
    Rolling(60_000),
    Calendar("day", "Europe/London"),
    Calendar("week", "Australia/Lord_Howe"),
    Lifetime(),
)
GROUPS = ("agent", "recipient", "asset", "chain", "category")


@dataclass
class NaiveEntry:
    payment: Payment
    confirmed: bool = False
    gone: bool = False


@dataclass
class NaiveBook:
    """A list, and a sum over all of it whenever one asks."""

    entries: list[NaiveEntry] = field(default_factory=list)

    def use(self, limit: Limit, payment: Payment, now_ms: int) -> tuple[int, int, int, set[str]]:
        counted = [
            entry
            for entry in self.entries
            if not entry.gone
            and entry.payment.at_ms > limit.window.left_ms(now_ms)
            and limit.matcher.matches(entry.payment)
            and limit.group_of(entry.payment) == limit.group_of(payment)
        ]
        spent = sum(e.payment.amount_units for e in counted if e.confirmed)
        held = sum(e.payment.amount_units for e in counted if not e.confirmed)
        return spent, held, len(counted), {e.payment.to for e in counted}


def limits_for(random: Random) -> list[Limit]:
    def some(items):
        return frozenset(item for item in items if random.random() < 0.7)

    return [
        Limit(
            limit_id=f"limit-{i}",
            pointer=f"/limits/{i}",
            key=f"key-{i}",
            matcher=Matcher(
                agents=random.choice([None, some(["refunds", "payroll"])]),
                assets=random.choice([None, some(a.asset_id for a in ASSETS)]),
            ),
            window=random.choice(WINDOWS),
            group_by=tuple(group for group in GROUPS if random.random() < 0.4),
        )
        for i in range(3)
    ]


@given(random=st.randoms(use_true_random=False), steps=st.integers(min_value=1, max_value=60))
def test_counters_are_the_naive_sum_on_every_history(random: Random, steps: int):
    windows, naive, limits, now_ms = Windows(), NaiveBook(), limits_for(random), NOW_MS
    for _ in range(steps):
        now_ms += random.choice([0, 1, 500, 999, 1_000, 30_000, 20_000_000])
        payment = Generator(random).payment(now_ms)
        for limit in limits:
            use = windows.use(limit, payment, now_ms)
            spent, held, count, recipients = naive.use(limit, payment, now_ms)
            assert (use.spent_units, use.held_units, use.count, use.distinct) == (spent, held, count, len(recipients))
            assert use.knows_recipient is (payment.to in recipients)
            assert use.group == limit.group_of(payment)
        if random.random() < 0.7:
            windows.hold(str(len(naive.entries)), payment)
            naive.entries.append(NaiveEntry(payment))
        elif naive.entries:
            index = random.randrange(len(naive.entries))
            if random.random() < 0.5:
                windows.confirm(str(index))
                naive.entries[index].confirmed = True
            else:
                windows.release(str(index))
                naive.entries[index].gone = True


@given(random=st.randoms(use_true_random=False))
def test_a_counter_that_is_asked_late_counts_the_same_as_one_asked_all_along(random: Random):
    windows, limits, payments, now_ms = Windows(), limits_for(random), [], NOW_MS
    early = limits[0]
    for index in range(20):
        now_ms += random.choice([0, 1, 999, 30_000])
        payments.append(Generator(random).payment(now_ms))
        windows.hold(str(index), payments[-1])
        windows.use(early, payments[-1], now_ms)
    fresh = Windows()
    for index, payment in enumerate(payments):
        fresh.hold(str(index), payment)
    for payment in payments:
        assert fresh.use(early, payment, now_ms) == windows.use(early, payment, now_ms)


def test_a_payment_before_the_newest_one_cannot_be_held():
    windows = Windows()
    windows.hold("a", Generator(Random(1)).payment(NOW_MS))
    with pytest.raises(InvariantBroken):
        windows.hold("b", Generator(Random(1)).payment(NOW_MS - 1))
