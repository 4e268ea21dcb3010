"""Wall clocks: hours across midnight and across moved clocks, and where days, weeks and months begin."""

from datetime import datetime

import pytest

from mcp_wallet.core.wall_clock import WEEKDAYS, Hours, is_zone, local_time, minute_of, period_start_ms

LONDON, NEW_YORK = "Europe/London", "America/New_York"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1000


def hours(start: str, end: str, days: tuple[str, ...] = WEEKDAYS, timezone: str = LONDON) -> Hours:
    return Hours(
        days=frozenset(WEEKDAYS.index(day) for day in days),
        start_minute=minute_of(start),
        end_minute=minute_of(end),
        timezone=timezone,
    )


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-03-10T07:59:59Z", False),
        ("2026-03-10T08:00:00Z", True),
        ("2026-03-10T19:59:59Z", True),
        ("2026-03-10T20:00:00Z", False),
        ("2026-07-10T07:00:00Z", True),  # summer: London is an hour ahead
        ("2026-07-10T19:00:00Z", False),
    ],
)
def test_hours_are_from_start_to_before_end_in_local_wall_time(moment: str, covered: bool):
    assert hours("08:00", "20:00").covers(ms(moment)) is covered


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-03-13T21:59:59Z", False),  # a Friday
        ("2026-03-13T22:00:00Z", True),
        ("2026-03-14T05:59:59Z", True),  # Saturday morning belongs to Friday's shift
        ("2026-03-14T06:00:00Z", False),
        ("2026-03-14T22:00:00Z", False),
        ("2026-03-13T05:00:00Z", False),  # Friday morning belongs to Thursday's
    ],
)
def test_a_night_shift_belongs_to_the_weekday_of_its_start(moment: str, covered: bool):
    assert hours("22:00", "06:00", ("fri",)).covers(ms(moment)) is covered


def test_until_midnight_is_written_in_two_ways():
    for moment in ("2026-03-10T23:59:59Z", "2026-03-10T12:00:00Z", "2026-03-10T00:00:00Z"):
        assert hours("12:00", "24:00").covers(ms(moment)) is hours("12:00", "00:00").covers(ms(moment))


def test_an_hour_that_is_skipped_never_is_and_one_that_comes_twice_is_twice():
    skipped, twice = hours("01:00", "02:00"), hours("01:00", "02:00")
    assert not any(skipped.covers(ms("2026-03-29T00:00:00Z") + m * 60_000) for m in range(180))  # clocks go forward
    assert sum(twice.covers(ms("2026-10-25T00:00:00Z") + m * 60_000) for m in range(180)) == 120  # and back


@pytest.mark.parametrize(
    ("period", "timezone", "moment", "start"),
    [
        ("day", "UTC", "2026-03-10T12:00:00Z", "2026-03-10T00:00:00Z"),
        ("day", "UTC", "2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z"),
        ("day", LONDON, "2026-07-10T22:59:59Z", "2026-07-09T23:00:00Z"),
        ("day", LONDON, "2026-07-10T23:00:00Z", "2026-07-10T23:00:00Z"),
        ("day", LONDON, "2026-03-29T22:59:59Z", "2026-03-29T00:00:00Z"),  # a day of 23 hours
        ("day", LONDON, "2026-03-29T23:00:00Z", "2026-03-29T23:00:00Z"),
        ("day", LONDON, "2026-10-25T23:59:59Z", "2026-10-24T23:00:00Z"),  # a day of 25 hours
        ("day", LONDON, "2026-10-26T00:00:00Z", "2026-10-26T00:00:00Z"),
        ("week", "UTC", "2026-03-15T23:59:59Z", "2026-03-09T00:00:00Z"),  # Sunday belongs to Monday's week
        ("week", "UTC", "2026-03-16T00:00:00Z", "2026-03-16T00:00:00Z"),
        ("week", NEW_YORK, "2026-03-09T12:00:00Z", "2026-03-09T04:00:00Z"),  # clocks went forward the day before
        ("month", "UTC", "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z"),  # leap day
        ("month", "UTC", "2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("month", "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z"),
        ("month", "Asia/Tokyo", "2026-03-31T15:00:00Z", "2026-03-31T15:00:00Z"),
        ("day", "America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z"),  # midnight is skipped
        ("day", "America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z"),  # midnight comes twice
        ("day", "Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"),  # a date that never was
    ],
)
def test_a_period_begins_at_its_first_instant(period: str, timezone: str, moment: str, start: str):
    assert period_start_ms(period, timezone, ms(moment)) == ms(start)


@pytest.mark.parametrize("timezone", ["Europe/London", "America/Santiago", "Australia/Lord_Howe", "America/Havana"])
def test_the_start_of_a_day_never_moves_back_and_never_stands_in_the_future(timezone: str):
    now, last = ms("2026-01-01T00:00:00Z"), 0
    while now < ms("2027-01-01T00:00:00Z"):
        start = period_start_ms("day", timezone, now)
        assert last <= start <= now
        assert local_time(start, timezone).date() == local_time(now, timezone).date()
        now, last = now + 1_800_000, start


def test_only_zones_of_the_data_that_we_ship_are_known():
    assert is_zone("UTC")
    assert not is_zone("../../etc/localtime")
    with pytest.raises(ValueError, match="no such time zone"):
        local_time(0, "Mars/Olympus")
