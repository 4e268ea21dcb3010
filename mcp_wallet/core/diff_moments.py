"""Moments that stand for all others: one for each combination of validity and hours that some instant has.

Between two edges of a validity the hours of a week repeat, moved by the clock changes of their zones. A year of their
edges holds every combination; each is tried with the same `Hours.covers` that decides.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from mcp_wallet.core.wall_clock import DAY_MINUTES, HOUR_MINUTES, Hours, local_time

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
_YEAR_DAYS: Final = 366
_QUARTER_MS: Final = 15 * MINUTE_MS
_FAR_MS: Final = 1 << 46


def moments_of(hours: Iterable[Hours], edges: Iterable[int], *, from_ms: int) -> tuple[int, ...]:
    """Return moments, Unix milliseconds, of which one has the validity and hours of any other moment.

    Args:
        hours: Those that rules or limits are bound to.
        edges: First moments of a validity and first moments after one.
        from_ms: Where to look when nothing bounds the future.
    """
    known = tuple(sorted(set(hours), key=repr))
    cuts = sorted({edge for edge in edges if 0 < edge < _FAR_MS})
    found: list[int] = []
    for left, right in pairwise((0, *cuts, _FAR_MS)):
        found += _in_stretch(known, left, right, from_ms)
    return tuple(found)


@lru_cache(maxsize=256)
def _in_stretch(hours: tuple[Hours, ...], left: int, right: int, from_ms: int) -> tuple[int, ...]:
    """Return moments in [left, right): the last of each pattern, or the first where the stretch does not end."""
    is_open = right == _FAR_MS
    start = max(left, from_ms) if is_open else max(left, right - _YEAR_DAYS * DAY_MS)
    if not hours:
        return (start if is_open else right - 1,)
    patterns: dict[tuple[bool, ...], int] = {}
    for moment in (
        *_edges_in(hours, start, min(right, start + _YEAR_DAYS * DAY_MS)),
        *(() if is_open else (right - 1,)),
    ):
        pattern = tuple(h.covers(moment) for h in hours)
        if not is_open or pattern not in patterns:
            patterns[pattern] = max(moment, patterns.get(pattern, 0))
    return tuple(sorted(patterns.values()))


def _edges_in(hours: tuple[Hours, ...], start: int, end: int) -> Iterator[int]:
    """Yield every moment in [start, end) at which the hours may begin or end, and the last moment before it."""
    yield start
    minutes: dict[str, set[int]] = {}
    for found in hours:
        minutes.setdefault(found.timezone, set()).update((found.start_minute, found.end_minute % DAY_MINUTES, 0))
    for zone, wanted in minutes.items():
        for day in range(start - start % DAY_MS - DAY_MS, end, DAY_MS):
            for moment in _edges_on(day, zone, wanted):
                yield from (m for m in (moment - 1, moment) if start <= m < end)


def _edges_on(day_ms: int, zone: str, minutes: set[int]) -> Iterator[int]:
    """Yield the moments of the 24 hours from `day_ms` at which the clock there shows one of the minutes."""
    local = local_time(day_ms, zone)
    if local.utcoffset() != local_time(day_ms + DAY_MS, zone).utcoffset():
        yield from range(day_ms, day_ms + DAY_MS, _QUARTER_MS)  # the clock is moved: no minute is where it would be
    shown = local.hour * HOUR_MINUTES + local.minute
    rest_ms = local.second * 1000
    for minute in minutes:
        moment = day_ms - rest_ms + (minute - shown) % DAY_MINUTES * MINUTE_MS
        yield moment
        moved = (local_time(moment, zone).utcoffset() or timedelta()) - (local.utcoffset() or timedelta())
        if moved:
            yield moment - moved // timedelta(milliseconds=1)
