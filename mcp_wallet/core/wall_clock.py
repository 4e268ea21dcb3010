"""Wall clocks: what time it is somewhere, and when a day, a week or a month began there.

Zones come from the data that is locked with our dependencies, never from the operating system: two machines, and an
auditor's, must read the same hours. A day begins at its first instant, also where midnight is skipped or comes twice.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PERIODS: Final = ("day", "week", "month")
CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
DAY_MINUTES: Final = 1_440
HOUR_MINUTES: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """[start, end) in local wall time on some weekdays; a night shift belongs to the weekday of its start.

    Args:
        days: Weekdays, Monday is 0.
        start_minute: Minute of the day, 0 to 1439.
        end_minute: Minute of the day, 1 to 1440; below the start it is one of the next day.
        timezone: IANA name.
    """

    days: frozenset[int]
    start_minute: int
    end_minute: int
    timezone: str

    def covers(self, at_ms: int) -> bool:
        """Return whether the moment, Unix milliseconds, is within the hours."""
        local = local_time(at_ms, self.timezone)
        minute, day = local.hour * HOUR_MINUTES + local.minute, local.weekday()
        if self.start_minute < self.end_minute:
            return day in self.days and self.start_minute <= minute < self.end_minute
        return (minute >= self.start_minute and day in self.days) or (
            minute < self.end_minute and (day - 1) % len(WEEKDAYS) in self.days
        )


def minute_of(text: str) -> int:
    """Return the minute of the day, 0 to 1440, of `HH:MM` up to `24:00`; `ValueError` with the sentence."""
    if text == "24:00":
        return DAY_MINUTES
    if re.fullmatch(CLOCK, text) is None:
        raise ValueError("a time of day is written as `08:00`, from 00:00 to 24:00")
    return int(text[:2]) * HOUR_MINUTES + int(text[3:])


def is_zone(name: str) -> bool:
    """Return whether the name is an IANA time zone of the data that ships with the dependencies."""
    return name in _zone_names()


def local_time(at_ms: int, timezone: str) -> datetime:
    """Return the wall clock there, to the second; `ValueError` for a zone that nobody knows."""
    return datetime.fromtimestamp(at_ms // 1000, _zone(timezone))


def period_start_ms(period: str, timezone: str, now_ms: int) -> int:
    """Return the first instant of the day, week (from Monday) or month that it is there now, Unix milliseconds."""
    today = local_time(now_ms, timezone)
    ordinal = today.toordinal()
    if period == "week":
        ordinal -= today.weekday()
    elif period == "month":
        ordinal -= today.day - 1
    return _first_instant_ms(timezone, ordinal)


@lru_cache(maxsize=4096)
def _first_instant_ms(timezone: str, ordinal: int) -> int:
    """Return the first instant at which the wall clock there shows the date or a later one.

    Where the clock is moved at midnight there are two candidates; the first instant is one of them or, when midnight
    is skipped, the moment of the move between them.
    """
    there, midnight = _zone(timezone), datetime.fromordinal(ordinal)
    first, last = sorted((midnight.replace(tzinfo=there, fold=fold) - _EPOCH) // _SECOND for fold in (0, 1))
    if _wall(first, there) >= midnight:
        return first * 1000
    while first < last:
        middle = (first + last) // 2
        if _wall(middle, there) >= midnight:
            last = middle
        else:
            first = middle + 1
    return first * 1000


def _wall(second: int, there: "ZoneInfo") -> datetime:
    return datetime.fromtimestamp(second, there).replace(tzinfo=None)


@cache
def _zone(name: str) -> "ZoneInfo":
    from importlib.resources import files  # noqa: PLC0415  start-up time
    from zoneinfo import ZoneInfo  # noqa: PLC0415  start-up time

    if not is_zone(name):
        raise ValueError("no such time zone")
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def _zone_names() -> frozenset[str]:
    from importlib.resources import files  # noqa: PLC0415  start-up time

    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())
