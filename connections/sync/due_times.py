"""When a schedule is due: every so many hours, or at times of day on a clock that people move. Knows no row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Interval:
    """Every so many hours, counted from `anchor_at`: the clocks of people have no part in it."""

    hours: int
    anchor_at: datetime

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than `moment`, in order and without end."""
        step = timedelta(hours=self.hours)
        due = self.anchor_at + step * ((moment - self.anchor_at) // step + 1)
        while True:
            yield due
            due += step


@dataclass(frozen=True)
class TimesOfDay:
    """At these times of a zone's clock, on these days of the week (1 is Monday; none at all: every day).

    Each time of each day is due once: where the clock skips it, at the first moment after; where the clock shows it
    twice, at the first of the two.
    """

    times: Collection[time]
    weekdays: Collection[int]
    zone: tzinfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than `moment`, in order and without end; none where there are no times."""
        if not self.times:
            return
        times, latest = sorted(self.times), moment
        # The day before, too: what a day skipped is due on the next one.
        day = moment.astimezone(self.zone).date() - DAY
        while True:
            if not self.weekdays or day.isoweekday() in self.weekdays:
                for each in times:
                    due = first_moment(day, each, self.zone)
                    if due > latest:  # two times that one jump of the clock skips are due at the same moment
                        latest = due
                        yield due
            day += DAY


DueTimes = Interval | TimesOfDay


def first_moment(day: date, at: time, zone: tzinfo) -> datetime:
    """The first moment, in UTC and to the second, at which the clock of the zone shows this time of this day or a later one."""
    wall = datetime.combine(day, at)
    # `fold=0` is the first of two equal times; of a time that is skipped it is read with the offset of before the jump.
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    if _wall(moment, zone) == wall:
        return moment
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(timezone.utc), moment
    while after - before > SECOND:
        middle = before + SECOND * ((after - before) // SECOND // 2)
        if _wall(middle, zone) < wall:
            before = middle
        else:
            after = middle
    return after


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
