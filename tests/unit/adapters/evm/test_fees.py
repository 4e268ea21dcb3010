import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.adapters.evm.fees import PRIORITY_FEE_WEI_MIN, limit_gas, quote_fees
from mcp_wallet.adapters.evm.wire import FeeHistory

GWEI = 10**9
wei = st.integers(0, 10**15)


def history(base_fee_wei: int, *tips_wei: int) -> FeeHistory:
    return FeeHistory(next_base_fee_wei=base_fee_wei, priority_fees_wei=tips_wei)


def test_the_max_fee_is_twice_the_base_fee_and_the_median_tip():
    found = quote_fees(history(10 * GWEI, GWEI, 3 * GWEI, 100 * GWEI), gas_limit=21_000, fee_cap_wei=10**18)
    assert (found.max_fee_wei, found.priority_fee_wei) == (23 * GWEI, 3 * GWEI)


@pytest.mark.parametrize("tips", [(), (0, 0, 0), (0, 0, 10 * GWEI)])
def test_a_quiet_chain_is_tipped_what_miners_ask_at_least(tips):
    assert (
        quote_fees(history(GWEI, *tips), gas_limit=21_000, fee_cap_wei=10**18).priority_fee_wei == PRIORITY_FEE_WEI_MIN
    )


@given(wei, st.lists(wei, max_size=10), st.integers(21_000, 10**7), st.integers(0, 10**22))
def test_the_quote_is_within_the_cap_or_shows_that_nothing_within_it_can_be_mined(base, tips, gas, cap):
    found = quote_fees(history(base, *tips), gas_limit=gas, fee_cap_wei=cap)
    assert found.priority_fee_wei <= found.max_fee_wei
    assert found.max_fee_wei >= base + found.priority_fee_wei
    if found.max_fee_wei * gas > cap:
        assert (base + found.priority_fee_wei) * gas > cap


@given(wei, st.lists(wei, max_size=10))
def test_a_payment_that_would_fail_is_quoted_without_a_cap(base, tips):
    assert quote_fees(history(base, *tips), gas_limit=None, fee_cap_wei=0).max_fee_wei > 2 * base


@pytest.mark.parametrize(("estimate", "limit"), [(21_000, 21_000), (21_001, 25_201), (50_000, 60_000)])
def test_gas_gets_a_fifth_of_head_room_unless_its_amount_is_fixed(estimate, limit):
    assert limit_gas(estimate) == limit
