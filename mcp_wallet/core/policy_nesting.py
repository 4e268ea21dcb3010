"""Limits of equal match and grouping must nest: per transaction <= hour <= day <= week <= month.

A tighter limit over a longer time would make the shorter one a promise that does not hold.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Final

from mcp_wallet.core.canonical import canonical_bytes
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_language import LimitPart, Match, Rule, Window, duration_ms
from mcp_wallet.core.policy_source import FieldPath
from mcp_wallet.core.policy_terms import met_assets, resolved_match, sorted_once
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.windows import FOREVER_MS

HOUR_MS: Final = 3_600_000
_CALENDAR_HOURS: Final = {"day": (23, 25), "week": (167, 169), "month": (28 * 24 - 1, 31 * 24 + 1)}
"""The shortest and the longest of each period, in hours."""


def nesting_findings(
    rules: Mapping[int, Rule],
    limits: Mapping[int, LimitPart],
    *,
    registry: Registry,
    book: AddressBook,
    timezone: str,
) -> Iterator[tuple[FieldPath, str]]:
    """Yield each pair of equal match that does not nest, at the place of the one over the shorter time."""
    matches = {i: _identity(limit.match, registry, book, timezone) for i, limit in limits.items()}
    alike: dict[tuple[bytes, frozenset[str]], list[int]] = {}
    by_match: dict[bytes, list[int]] = {}
    for index, limit in limits.items():
        alike.setdefault((matches[index], frozenset(limit.group_by)), []).append(index)
        by_match.setdefault(matches[index], []).append(index)
    for indices in alike.values():
        for pair in combinations(sorted(indices, key=lambda i: _length_ms(limits[i].window)), 2):
            yield from _pair_findings(limits, *pair)
    for index, rule in rules.items():
        for other in by_match.get(_identity(rule.match, registry, book, timezone), ()):
            yield from _rule_findings(rule, index, limits[other])


def _pair_findings(limits: Mapping[int, LimitPart], short: int, long: int) -> Iterator[tuple[FieldPath, str]]:
    one, other = limits[short], limits[long]
    if _length_ms(one.window)[1] >= _length_ms(other.window)[0]:  # not surely the shorter one
        return
    maxima = (
        ("maxAmount", _fraction(one.max_amount), _fraction(other.max_amount)),
        ("maxCount", one.max_count, other.max_count),
        ("maxDistinctRecipients", one.max_distinct_recipients, other.max_distinct_recipients),
    )
    for field, shorter, longer in maxima:
        if shorter is not None and longer is not None and shorter > longer:
            sentence = (
                f"limits must nest: `{one.id}` allows more in {one.window.words} "
                f"than `{other.id}` in {other.window.words}"
            )
            yield ("limits", short, field), sentence


def _rule_findings(rule: Rule, index: int, limit: LimitPart) -> Iterator[tuple[FieldPath, str]]:
    most, bound = _fraction(limit.max_amount), rule.per_transaction
    if bound is not None and most is not None and Fraction(bound.max) > most:
        sentence = f"limits must nest: one payment may be more than `{limit.id}` allows in {limit.window.words}"
        yield ("rules", index, "perTransaction", "max"), sentence


def _length_ms(window: Window) -> tuple[int, int]:
    """Return the shortest and the longest that the window can be."""
    if window.rolling is not None:
        return duration_ms(window.rolling), duration_ms(window.rolling)
    if window.calendar is not None:
        shortest, longest = _CALENDAR_HOURS[window.calendar]
        return shortest * HOUR_MS, longest * HOUR_MS
    return FOREVER_MS, FOREVER_MS


def _identity(match: Match, registry: Registry, book: AddressBook, timezone: str) -> bytes:
    """Return equal bytes for matches that speak about the same payments."""
    assets = sorted_once(a.asset_id for a in met_assets(match, registry))
    resolved = resolved_match(match, registry=registry, book=book, timezone=timezone)
    return canonical_bytes({**resolved, "chains": None, "assets": assets})


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
