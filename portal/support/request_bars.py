"""Bars above the request log: how many attempts there were in each minute, hour or day, by how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from datetime import timezone as fixed_zone
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDay, TruncHour, TruncMinute
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from connections.spec.text import duration
from connections.spec.times import format_local_time
from connections.transport.models import DayTally, MinuteTally, Outcome
from portal.support.request_filters import COUNTED, DEFAULT_SPAN, OF_A_TENANT, RequestTimeFilter
from portal.support.time_parameters import SINCE, UNTIL, format_time_parameter

UTC = fixed_zone.utc
LONGEST_SPAN = timedelta(days=430)
MOST_ENTRIES = 5000  # that are read to be counted, where no tally knows the filters
HEIGHT, WIDTH = 100, 10  # of the drawing, and of a bar in it
LEAST_HEIGHT = 2  # what there was is seen

Counts = Iterable[tuple[datetime, str, int]]  # when, outcome, attempts


@dataclass(frozen=True)
class BarStep:
    """How much a bar stands for, where the span is no longer than `longest`."""

    length: timedelta
    longest: timedelta

    @property
    def words(self) -> str:
        return gettext("A bar stands for %(time)s") % {"time": duration(self.length)}


MINUTE = BarStep(timedelta(minutes=1), timedelta(hours=3))
FIVE_MINUTES = BarStep(timedelta(minutes=5), timedelta(hours=12))
HOUR = BarStep(timedelta(hours=1), timedelta(days=8))
DAY = BarStep(timedelta(days=1), timedelta(days=190))
WEEK = BarStep(timedelta(days=7), LONGEST_SPAN)
STEPS = (MINUTE, FIVE_MINUTES, HOUR, DAY, WEEK)


@dataclass(frozen=True)
class Part:
    """The attempts of a bar that ended in one way, and where they are drawn."""

    outcome: str
    label: str
    attempts: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """`parts` from below; `address` narrows the list to it."""

    title: str
    x: int
    since: datetime
    until: datetime
    parts: list[Part]
    attempts: int
    address: str


@dataclass
class Bars:
    """`is_cut`: only the newest `MOST_ENTRIES` were counted. `outcomes`: those that there are, for the legend."""

    since: datetime
    until: datetime
    step: BarStep
    bars: list[Bar] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    most: int = 0
    is_cut: bool = False
    width: int = 0
    height: int = HEIGHT
    bar_width: int = WIDTH
    most_entries: int = MOST_ENTRIES


def bars_of(changelist: Any, request: HttpRequest) -> Bars | None:
    """Those of a list of the request log; None where it is of rows, and not of a span. At most two statements."""
    times = next(each for each in changelist.filter_specs if isinstance(each, RequestTimeFilter))
    since, until = times.moment(SINCE), times.moment(UNTIL)
    if times.names_rows and since is None:
        return None
    now = timezone.now()
    until = min(until or now, now + timedelta(minutes=1))
    since = max(since or until - DEFAULT_SPAN, until - LONGEST_SPAN)
    if since >= until:
        return None
    step = next((each for each in STEPS if until - since <= each.longest), WEEK)
    bars = Bars(_beginning(since, step), until, step)
    active = [each for each in changelist.filter_specs if each.value() and not isinstance(each, RequestTimeFilter)]
    if changelist.query or not all(isinstance(each, COUNTED) for each in active):
        counts, bars.is_cut = _in_the_log(changelist.queryset)
    elif step.length >= DAY.length and not any(isinstance(each, OF_A_TENANT) for each in active):
        counts = _by_days(request, active, bars)
    else:
        counts = _by_minutes(request, active, bars)
    _draw(bars, counts, changelist)
    return bars


def _beginning(at: datetime, step: BarStep) -> datetime:
    """That of the bar which the moment is in."""
    day = datetime.combine(at.astimezone(UTC).date(), time.min, UTC)
    return day + (at - day) // step.length * step.length if step.length < DAY.length else day


def _narrowed(rows: QuerySet[Any], request: HttpRequest, active: list[Any]) -> QuerySet[Any]:
    for each in active:
        rows = each.queryset(request, rows)
    return rows


def _by_minutes(request: HttpRequest, active: list[Any], bars: Bars) -> Counts:
    truncated = TruncDay if bars.step.length >= DAY.length else TruncHour if bars.step is HOUR else TruncMinute
    rows = MinuteTally.objects.filter(minute__gte=bars.since, minute__lt=bars.until)
    by_moment = _narrowed(rows, request, active).annotate(moment=truncated("minute", tzinfo=UTC))
    return list(by_moment.values_list("moment", "outcome").annotate(sum=Sum("attempts")).order_by())


def _by_days(request: HttpRequest, active: list[Any], bars: Bars) -> Counts:
    """Days that are added up, and the minutes of those that are not."""
    rows = DayTally.objects.filter(day__gte=bars.since.date(), day__lte=bars.until.astimezone(UTC).date())
    days = list(
        _narrowed(rows, request, active).values_list("day", "outcome").annotate(sum=Sum("attempts")).order_by()
    )
    counts = [(datetime.combine(day, time.min, UTC), outcome, attempts) for day, outcome, attempts in days]
    # Maintenance adds up all days before the last one that it has added up.
    rest = Bars(bars.since, bars.until, bars.step)
    if counts:
        rest.since = max(at for at, *_rest in counts) + DAY.length
    return [*counts, *_by_minutes(request, active, rest)]


def _in_the_log(rows: QuerySet[Any]) -> tuple[Counts, bool]:
    entries = list(rows.values_list("at", "outcome")[: MOST_ENTRIES + 1])
    return [(at, outcome, 1) for at, outcome in entries[:MOST_ENTRIES]], len(entries) > MOST_ENTRIES


def _draw(bars: Bars, counts: Counts, changelist: Any) -> None:
    length = bars.step.length
    number = -((bars.since - bars.until) // length)
    bins: list[Counter[str]] = [Counter() for _ in range(number)]
    for at, outcome, attempts in counts:
        place = (at - bars.since) // length
        if 0 <= place < number:
            bins[place][outcome] += attempts
    bars.width = number * WIDTH
    bars.most = max((each.total() for each in bins), default=0)
    bars.outcomes = [(value, str(label)) for value, label in Outcome.choices if any(each[value] for each in bins)]
    for place, each in enumerate(bins):
        since = bars.since + place * length
        ends = {SINCE: format_time_parameter(since), UNTIL: format_time_parameter(since + length)}
        parts = list(_parts(each, bars))
        address = changelist.get_query_string(ends)
        title = format_local_time(since)
        bars.bars.append(Bar(title, place * WIDTH, since, since + length, parts, each.total(), address))


def _parts(counts: Counter[str], bars: Bars) -> Iterator[Part]:
    y = float(HEIGHT)
    for outcome, label in bars.outcomes:
        if counts[outcome]:
            height = max(LEAST_HEIGHT, counts[outcome] / bars.most * HEIGHT)
            y = max(0.0, y - height)
            yield Part(outcome, label, counts[outcome], round(y, 2), round(height, 2))
