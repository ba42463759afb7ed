"""Due times against a clock that is watched for a whole year: every zone's changes, each time of each day once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connections.sync.due_times import Interval, TimesOfDay, first_moment

UTC = timezone.utc
TICK = timedelta(minutes=15)  # every change of these zones, and every time below, falls on one
QUARTERS = [time(hour, minute) for hour in range(24) for minute in (0, 15, 30, 45)]

# Each with what is odd about it.
YEARS = [
    ("Europe/Helsinki", 2026),  # 03:00 to 04:00, and back
    ("Asia/Tehran", 2019),  # midnight is skipped
    ("Asia/Tehran", 2020),  # on other days, by the sun's calendar
    ("Asia/Tehran", 2022),  # the last year with a change
    ("Asia/Tehran", 2026),  # no change any more
    ("Australia/Lord_Howe", 2026),  # half an hour
    ("America/New_York", 2026),
    ("America/Havana", 2026),  # midnight comes twice
    ("Africa/Casablanca", 2026),  # back for a month
    ("Pacific/Apia", 2011),  # a whole day is skipped
    ("Asia/Ho_Chi_Minh", 2026),
    ("UTC", 2026),
]


def ticks(zone: ZoneInfo, year: int) -> Iterator[tuple[datetime, datetime]]:
    """Every quarter of an hour around the year, with what the clock shows then."""
    moment = datetime(year - 1, 12, 30, tzinfo=UTC)
    while moment < datetime(year + 1, 1, 3, tzinfo=UTC):
        yield moment, moment.astimezone(zone).replace(tzinfo=None)
        moment += TICK


@cache
def watched(zone: ZoneInfo, year: int) -> dict[datetime, datetime]:
    """By what the clock would show (each quarter of each day of the year), the first moment at which it shows that or more."""
    wanted = [
        datetime.combine(date(year, 1, 1) + timedelta(days=number), at)
        for number in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)
        for at in QUARTERS
    ]
    found: dict[datetime, datetime] = {}
    place = 0
    for moment, wall in ticks(zone, year):
        while place < len(wanted) and wall >= wanted[place]:
            found[wanted[place]] = moment
            place += 1
    assert place == len(wanted)
    return found


@pytest.mark.parametrize(("name", "year"), YEARS)
def test_every_quarter_of_a_year_is_due_when_the_clock_first_shows_it(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    seen = watched(zone, year)
    assert {wall: first_moment(wall.date(), wall.time(), zone) for wall in seen} == seen


@pytest.mark.parametrize(("name", "year"), YEARS)
def test_a_years_schedule_is_due_once_for_each_time_of_each_day(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    seen = watched(zone, year)
    begin, end = seen[datetime(year, 1, 1)] - TICK, max(seen.values())
    for times in ([time(3, 30)], [time(0, 0), time(2, 15), time(3, 30), time(12, 0)], QUARTERS):
        due = list(takewhile(lambda moment: moment <= end, TimesOfDay(times, (), zone).after(begin)))
        days_due = [first for wall, first in sorted(seen.items()) if wall.time() in times]
        # Times that one jump of the clock skips are due at the one moment after it.
        assert due == sorted(set(days_due))
        assert len(due) == len(set(due))


CHANGES = [
    ("Europe/Helsinki", "2026-03-29 03:30", "2026-03-29 01:00"),  # is skipped: at 04:00, when the clocks have moved
    ("Europe/Helsinki", "2026-03-29 02:59", "2026-03-29 00:59"),
    ("Europe/Helsinki", "2026-03-29 04:00", "2026-03-29 01:00"),
    ("Europe/Helsinki", "2026-10-25 03:30", "2026-10-25 00:30"),  # comes twice: the first
    ("Europe/Helsinki", "2026-10-25 04:00", "2026-10-25 02:00"),
    ("Asia/Tehran", "2022-03-22 00:00", "2022-03-21 20:30"),
    ("Asia/Tehran", "2022-03-22 00:45", "2022-03-21 20:30"),
    ("Asia/Tehran", "2022-09-21 23:30", "2022-09-21 19:00"),
    ("Asia/Tehran", "2023-03-22 00:30", "2023-03-21 21:00"),
    ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30"),
    ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45"),
    ("Pacific/Apia", "2011-12-30 09:00", "2011-12-30 10:00"),
]


@pytest.mark.parametrize(("name", "wall", "moment"), CHANGES)
def test_a_time_that_is_skipped_or_comes_twice_is_due_once(name: str, wall: str, moment: str) -> None:
    shown = datetime.fromisoformat(wall)
    assert f"{first_moment(shown.date(), shown.time(), ZoneInfo(name)):%Y-%m-%d %H:%M}" == moment


def test_on_chosen_days_of_the_week_alone() -> None:
    plan = TimesOfDay((time(7),), (1, 5), ZoneInfo("Europe/Helsinki"))
    due = islice(plan.after(datetime(2026, 11, 30, 5, tzinfo=UTC)), 4)  # a Monday, at 07:00 itself
    assert [f"{each:%a %d %H:%M}" for each in due] == ["Fri 04 05:00", "Mon 07 05:00", "Fri 11 05:00", "Mon 14 05:00"]


def test_without_times_it_is_never_due() -> None:
    assert list(TimesOfDay((), (), UTC).after(datetime(2026, 1, 1, tzinfo=UTC))) == []


@pytest.mark.parametrize(
    ("moment", "expected"),
    [("12:00", "18:00"), ("12:01", "18:00"), ("17:59", "18:00"), ("18:00", "00:00"), ("11:59", "12:00")],
)
def test_an_interval_stays_in_step_with_its_anchor(moment: str, expected: str) -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    at = day + timedelta(hours=int(moment[:2]), minutes=int(moment[3:]))
    assert f"{next(Interval(6, day + timedelta(hours=12)).after(at)):%H:%M}" == expected


ZONES = st.sampled_from(sorted({name for name, _year in YEARS}))
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@settings(deadline=None)
@given(ZONES, MOMENTS, st.sets(st.times().map(lambda at: at.replace(second=0, microsecond=0)), min_size=1, max_size=6))
def test_whenever_it_is_asked_the_next_ones_are_the_same(name: str, moment: datetime, times: set[time]) -> None:
    """Nothing is lost or doubled by being asked more often, which is what a beat too many or too few is."""
    plan = TimesOfDay(times, (), ZoneInfo(name))
    following = list(islice(plan.after(moment), 12))
    assert all(one < other for one, other in zip([moment, *following], following, strict=False))
    at, singly = moment, []
    for _ in range(12):
        at = next(plan.after(at))
        singly.append(at)
    assert singly == following


@settings(deadline=None)
@given(ZONES, st.dates(date(2010, 1, 1), date(2030, 1, 1)), st.times().map(lambda at: at.replace(microsecond=0)))
def test_it_is_the_first_moment_that_shows_the_time(name: str, day: date, at: time) -> None:
    zone, wall = ZoneInfo(name), datetime.combine(day, at)
    moment = first_moment(day, at, zone)
    assert moment.astimezone(zone).replace(tzinfo=None) >= wall
    assert (moment - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) < wall
