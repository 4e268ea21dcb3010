"""Windows: the edges of time and of groups."""

from dataclasses import replace

from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.matching import Matcher, Payment
from mcp_wallet.core.windows import Limit, Rolling, Windows

PAYMENT = Payment(
    agent="refunds",
    operation="transfer",
    chain=ChainId("eip155:8453"),
    asset=AssetId("eip155:8453/slip44:60"),
    to=Address("0x" + "a1" * 20),
    category="refund",
    amount_units=100,
    at_ms=10_000,
)
DAY = Limit(
    limit_id="day",
    pointer="/limits/0",
    key="day",
    matcher=Matcher(),
    window=Rolling(1_000),
    group_by=("agent",),
    max_units_by_asset={PAYMENT.asset: 1_000},
)


def held(*payments: Payment) -> Windows:
    windows = Windows()
    for index, payment in enumerate(payments):
        windows.hold(str(index), payment)
    return windows


def test_a_payment_exactly_one_window_old_has_left_it():
    windows = held(PAYMENT)
    assert windows.use(DAY, PAYMENT, 10_999).held_units == 100
    assert windows.use(DAY, PAYMENT, 11_000).held_units == 0


def test_a_look_ahead_frees_nothing_for_an_earlier_moment():
    windows = held(PAYMENT, PAYMENT._replace(at_ms=10_400))
    assert windows.use(DAY, PAYMENT, 11_400).held_units == 0
    assert windows.use(DAY, PAYMENT, 11_000).held_units == 100
    assert windows.use(DAY, PAYMENT, 10_999).held_units == 200
    windows.release("0")
    assert windows.use(DAY, PAYMENT, 10_999).held_units == 100


def test_confirming_moves_what_is_held_to_what_is_spent():
    windows = held(PAYMENT)
    assert windows.use(DAY, PAYMENT, 10_000).held_units == 100
    windows.confirm("0")
    windows.confirm("0")
    use = windows.use(DAY, PAYMENT, 10_000)
    assert (use.spent_units, use.held_units, use.count) == (100, 0, 1)


def test_giving_back_frees_budget_count_and_recipient_once():
    windows = held(PAYMENT, PAYMENT)
    windows.use(DAY, PAYMENT, 10_000)
    windows.release("0")
    windows.release("0")
    windows.confirm("0")
    use = windows.use(DAY, PAYMENT, 10_000)
    assert (use.held_units, use.spent_units, use.count, use.distinct) == (100, 0, 1, 1)
    windows.release("1")
    assert not windows.use(DAY, PAYMENT, 10_000).knows_recipient


def test_what_leaves_the_window_and_is_given_back_later_is_not_subtracted_twice():
    windows = held(PAYMENT)
    assert windows.use(DAY, PAYMENT, 11_000).count == 0
    windows.release("0")
    windows.hold("1", PAYMENT._replace(at_ms=11_000))
    assert windows.use(DAY, PAYMENT, 11_000).held_units == 100


def test_each_group_has_its_own_counter_and_an_empty_grouping_shares_one():
    other = PAYMENT._replace(agent="payroll")
    windows = held(PAYMENT, other)
    assert windows.use(DAY, PAYMENT, 10_000).count == 1
    assert windows.use(replace(DAY, key="shared", group_by=()), PAYMENT, 10_000).count == 2


def test_a_payment_that_the_limit_does_not_match_is_not_counted():
    salaries = replace(DAY, key="salaries", matcher=Matcher(categories=frozenset({"salary"})))
    assert held(PAYMENT).use(salaries, PAYMENT, 10_000).count == 0


def test_a_limit_under_another_id_starts_with_what_was_already_spent():
    windows = held(PAYMENT)
    windows.use(DAY, PAYMENT, 10_000)
    assert windows.use(replace(DAY, limit_id="renamed"), PAYMENT, 10_000).held_units == 100


def test_unknown_ids_are_older_than_every_window_and_change_nothing():
    windows = held(PAYMENT)
    windows.confirm("older")
    windows.release("older")
    assert windows.use(DAY, PAYMENT, 10_000).held_units == 100
