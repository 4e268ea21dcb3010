"""Amounts in English words, so that a person who approves sees a slipped digit."""

from typing import Final

_ONES: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES: Final = ("", " thousand", " million", " billion", " trillion", " quadrillion", " quintillion")
_GROUP: Final = 1000
_HUNDRED: Final = 100
_TWENTY: Final = 20
_TEN: Final = 10


def amount_words(amount: str) -> str:
    """Return decimal text such as `1250.50` in words: `one thousand two hundred fifty point five zero`.

    A whole part beyond quintillions is read digit by digit.
    """
    whole, _, places = amount.partition(".")
    words = _whole_words(int(whole)) if len(whole) <= 3 * len(_SCALES) else _digits(whole)
    return words if not places.strip("0") else f"{words} point {_digits(places)}"


def _digits(text: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in text)


def _whole_words(number: int) -> str:
    if number == 0:
        return _ONES[0]
    parts: list[str] = []
    for scale in _SCALES:
        number, group = divmod(number, _GROUP)
        if group:
            parts.insert(0, _group_words(group) + scale)
    return " ".join(parts)


def _group_words(number: int) -> str:
    hundreds, rest = divmod(number, _HUNDRED)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest >= _TWENTY:
        tens, ones = divmod(rest, _TEN)
        words.append(_TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else ""))
    elif rest:
        words.append(_ONES[rest])
    return " ".join(words)
