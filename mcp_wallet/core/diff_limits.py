"""When one limit refuses whatever another one does, after any past.

The past is arbitrary: it may come from other versions. So a limit is only stood in for by one that counts every
payment that it counts, in the same group, and has no higher maximum. Several limits that refuse enough only together
are not looked for: what cannot be compared counts as both.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from mcp_wallet.core.diff_space import LimitItem, chain_of
from mcp_wallet.core.identifiers import AssetId, ChainId
from mcp_wallet.core.matching import Matcher
from mcp_wallet.core.policy_document import UNITS_MAX
from mcp_wallet.core.windows import Calendar, Lifetime, Limit, Rolling, Window

AMOUNT: Final = "maxAmount"
COUNT: Final = "maxCount"
DISTINCT: Final = "maxDistinctRecipients"
_HOUR_MS: Final = 3_600_000
_SURELY_MS: Final = {"day": 27 * _HOUR_MS, "week": 171 * _HOUR_MS, "month": 747 * _HOUR_MS}
"""A rolling window of this length covers the calendar period wherever the clock is moved by up to three hours."""
_PERIODS_WITHIN: Final = {"day": ("day", "week", "month"), "week": ("week",), "month": ("month",)}


class Maximum(NamedTuple):
    """One of the maxima of a limit, as it stands towards a payment in one asset."""

    kind: str
    most: int
    limit: Limit


def maxima_of(items: Iterable[LimitItem], units: int) -> tuple[Maximum, ...]:
    """Return every maximum that counts a payment of so many base units."""
    found: list[Maximum] = []
    for item in items:
        if item.low <= units <= item.high:
            limit = item.limit
            maxima = (AMOUNT, item.most_units), (COUNT, limit.max_count), (DISTINCT, limit.max_distinct_recipients)
            found += (Maximum(kind, most, limit) for kind, most in maxima if most is not None)
    return tuple(found)


def unmatched(these: Iterable[Maximum], others: Iterable[Maximum], asset: AssetId) -> tuple[Maximum, ...]:
    """Return those of `these` for which none of `others` surely refuses as well."""
    standing = tuple(others)
    return tuple(one for one in these if not any(_stands_in(other, one, asset) for other in standing))


def _stands_in(outer: Maximum, inner: Maximum, asset: AssetId) -> bool:
    """Return whether `outer` refuses each payment in the asset that `inner` refuses, after any past."""
    if outer.kind == inner.kind:
        fits = outer.most <= inner.most
    elif outer.kind == COUNT:  # one counted payment is enough, or as many as there must be recipients
        fits = outer.most == 1 or (inner.kind == DISTINCT and outer.most <= inner.most)
    else:
        return False
    if not fits or not _counts_all(outer.limit, inner.limit, asset):
        return False
    return outer.kind != DISTINCT or _counts_all(inner.limit, outer.limit, asset)


def _counts_all(outer: Limit, inner: Limit, asset: AssetId) -> bool:
    """Return whether `outer` counts, in a payment's group, every payment that `inner` counts in its own."""
    return (
        _lasts(outer.window, inner.window)
        and all(_is_pinned(group, inner) for group in outer.group_by)
        and _matches_all(outer, inner)
        and _meets_all(outer.matcher, inner, asset)
    )


def _lasts(outer: Window, inner: Window) -> bool:
    if isinstance(outer, Lifetime):
        return True
    if isinstance(outer, Rolling):
        if isinstance(inner, Rolling):
            return outer.span_ms >= inner.span_ms
        return isinstance(inner, Calendar) and outer.span_ms >= _SURELY_MS[inner.period]
    if isinstance(outer, Calendar) and isinstance(inner, Calendar):
        return outer.timezone == inner.timezone and outer.period in _PERIODS_WITHIN[inner.period]
    return outer.name == inner.name


def _is_pinned(group: str, inner: Limit) -> bool:
    """Return whether all payments that `inner` counts together agree in what `outer` groups by."""
    m = inner.matcher
    assets = _assets(m)
    fixed: dict[str, AbstractSet[str] | None] = {
        "agent": m.agents,
        "recipient": m.recipients,
        "asset": assets,
        "chain": m.chains if assets is None else {chain_of(a) for a in assets},
        "category": m.categories,
    }
    values = fixed[group]
    by_asset = group == "chain" and "asset" in inner.group_by
    return group in inner.group_by or by_asset or (values is not None and len(values) == 1)


def _matches_all(outer: Limit, inner: Limit) -> bool:
    one, other = outer.matcher, inner.matcher
    parts: tuple[tuple[str, AbstractSet[str] | None, AbstractSet[str] | None], ...] = (
        ("agent", one.agents, other.agents),
        ("", one.operations, other.operations),
        ("recipient", one.recipients, other.recipients),
        ("category", one.categories, other.categories),
    )
    return (one.hours is None or one.hours == other.hours) and all(
        mine is None or group in inner.group_by or (theirs is not None and _within(theirs, mine))
        for group, mine, theirs in parts
    )


def _within(small: AbstractSet[str], large: AbstractSet[str]) -> bool:
    return small is large or (len(small) <= len(large) and (small == large or all(x in large for x in small)))


def _meets_all(outer: Matcher, inner: Limit, asset: AssetId) -> bool:
    """Return whether `outer` matches chains, assets and amounts of everything that `inner` counts."""
    if "asset" in inner.group_by:
        assets: AbstractSet[AssetId] | None = frozenset((asset,))
    else:
        assets = _assets(inner.matcher)
    if assets is not None:
        return all(_meets(outer, inner.matcher, one) for one in assets)
    chains: AbstractSet[ChainId] | None = inner.matcher.chains
    if "chain" in inner.group_by:
        chains = frozenset((chain_of(asset),))
    reached = outer.chains is None or (chains is not None and chains <= outer.chains)
    return outer.assets is None and outer.amounts is None and reached


def _meets(outer: Matcher, inner: Matcher, asset: AssetId) -> bool:
    if (outer.assets is not None and asset not in outer.assets) or (
        outer.chains is not None and chain_of(asset) not in outer.chains
    ):
        return False
    if outer.amounts is None:
        return True
    low, high = outer.amounts.get(asset, (1, 0))
    least, most = (1, UNITS_MAX) if inner.amounts is None else inner.amounts.get(asset, (1, 0))
    return least > most or (low <= least and most <= high)


def _assets(m: Matcher) -> frozenset[AssetId] | None:
    """Return the assets that a match can meet; None when it does not bound them."""
    named = m.assets if m.assets is not None else None if m.amounts is None else frozenset(m.amounts)
    if named is None:
        return None
    return frozenset(a for a in named if m.chains is None or chain_of(a) in m.chains)
