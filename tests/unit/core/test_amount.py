"""Amounts: exact or refused, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.amount import AMOUNT_BOUND, format_amount, parse_amount, parse_units
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [
        ("50.00", 6, 50_000_000),
        ("0.000001", 6, 1),
        ("1", 18, 10**18),
        (5, 6, 5_000_000),
        ("7", 0, 7),
        (str(2**256 - 1), 0, 2**256 - 1),
    ],
)
def test_human_amounts_become_base_units_exactly(text, decimals, units):
    assert parse_amount(text, decimals=decimals, unit="USDC") == units


@pytest.mark.parametrize(
    "value",
    [
        "", " 1", "1 ", "+1", "-1", "1e3", "0x10", "1,000", "1_000", ".5", "5.", "00.5", "01", "0", "0.00", "NaN",
        "Infinity", "\uff11\uff12", "\u0661", "1\u200b", "1\n", "$5", "5 USDC", "0.0000001", str(2**256), "9" * 200, 0,
        -5, True, None, 1.5, [], {}, b"5", 2**256,
    ],
)  # fmt: skip
def test_what_is_not_a_plain_amount_is_refused_with_what_to_send(value):
    with pytest.raises(CallerError) as refused:
        parse_amount(value, decimals=6, unit="USDC")
    assert refused.value.code is ReasonCode.AMOUNT_INVALID
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize("value", ["50.00", "0", "-1", "", " 5", "01", 5, None, str(2**256), "1" * 79])
def test_base_units_are_text_of_digits_and_nothing_else(value):
    with pytest.raises(CallerError) as refused:
        parse_units(value)
    assert refused.value.code is ReasonCode.AMOUNT_INVALID


@given(units=st.integers(min_value=1, max_value=AMOUNT_BOUND - 1), decimals=st.integers(min_value=0, max_value=36))
def test_parsing_what_was_printed_gives_it_back(units, decimals):
    assert parse_amount(format_amount(units, decimals), decimals=decimals, unit="X") == units
    assert parse_units(str(units)) == units


@given(text=st.text(max_size=30))
def test_any_text_is_an_amount_or_a_caller_error(text):
    try:
        units = parse_amount(text, decimals=6, unit="USDC")
    except CallerError:
        return
    assert 0 < units < AMOUNT_BOUND


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(50_000_000, 6, "50.00"), (1, 6, "0.000001"), (10**18, 18, "1.00"), (0, 6, "0.00"), (7, 0, "7"), (-5, 1, "-0.5")],
)
def test_amounts_are_printed_with_two_places_where_the_asset_has_them(units, decimals, text):
    assert format_amount(units, decimals) == text
