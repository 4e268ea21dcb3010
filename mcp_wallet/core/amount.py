"""Money: `int` base units inside, decimal text outside, exact or refused; no floating point anywhere."""

import re

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode

AMOUNT_BOUND = 1 << 256
"""Amounts are 0 < a < 2^256 base units."""
TEXT_CHARACTERS_MAX = 160
"""Longest text that can be an amount: 78 digits of uint256, a point and generous places."""

_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_UNITS = re.compile(r"0|[1-9][0-9]{0,77}")


def parse_amount(value: object, *, decimals: int, unit: str) -> int:
    """Return the base units that a human amount means.

    Args:
        value: Text such as `"12.50"`, or a JSON integer (human units: clients turn "5" into 5).
        decimals: Places of the asset, pinned in the registry.
        unit: Symbol for the sentence, such as `USDC`.

    Raises:
        CallerError: `AMOUNT_INVALID` for any other type, shape or range, with what to send instead.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if abs(value) < AMOUNT_BOUND else "too large"
    elif isinstance(value, str):
        text = value
    else:
        raise _invalid(f'an amount is text such as "12.50" {unit}, not {_kind_of(value)}')
    if len(text) > TEXT_CHARACTERS_MAX or (match := _DECIMAL.fullmatch(text)) is None:
        raise _invalid(
            f'`{text[:40]}` is not a plain decimal amount: send digits with a point, such as "12.50" {unit}, '
            "without sign, exponent, comma, space or symbol"
        )
    whole, places = match.groups("")
    if len(places) > decimals:
        raise _invalid(
            f"`{text[:40]}` has {len(places)} decimal places, {unit} has {decimals}: send at most {decimals}"
        )
    return _in_range(int(whole + places.ljust(decimals, "0")), text)


def parse_units(value: object) -> int:
    """Return base units from text of digits; a decimal point is refused (`AMOUNT_INVALID`)."""
    if not isinstance(value, str) or _UNITS.fullmatch(value) is None:
        raise _invalid('an amount in base units is text of digits such as "50000000", without a decimal point')
    return _in_range(int(value), value)


def format_amount(units: int, decimals: int) -> str:
    """Return exact human text, at least two places where the asset has two: 50000000, 6 -> `50.00`."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    whole, places = digits[:-decimals], digits[-decimals:]
    shown = places.rstrip("0").ljust(min(2, decimals), "0")
    return f"{sign}{whole}.{shown}"


def _in_range(units: int, text: str) -> int:
    if units == 0:
        raise _invalid("an amount of zero pays nothing: send more than zero")
    if units >= AMOUNT_BOUND:
        raise _invalid(f"`{text[:40]}` is more than any token can hold (2^256 base units)")
    return units


def _kind_of(value: object) -> str:
    kinds = {bool: "a boolean", type(None): "null", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a JSON number with a fraction or exponent")


def _invalid(sentence: str) -> CallerError:
    return CallerError(ReasonCode.AMOUNT_INVALID, sentence[0].upper() + sentence[1:] + ".")
