"""Times in addresses: whatever was chosen, a link that is kept or sent on holds moments, so it shows the same tomorrow."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

from django.http import QueryDict
from django.utils import timezone as django_timezone

SINCE, UNTIL, DAY = "since", "until", "day"
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def parse_time(text: str) -> datetime | None:
    """The time that an address names, None for nonsense and for what is too early or late for the database."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(timezone.utc) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def with_absolute_times(query: QueryDict, now: datetime) -> QueryDict | None:
    """The same query with the moments that a relative time means now, or a day for this reader; None where it has neither."""
    span, day = SPANS.get(query.get(SINCE, "")), _bounds(query.get(DAY, ""))
    if span is None and day is None:
        return None
    changed = query.copy()
    if span is not None:
        changed[SINCE] = format_time_parameter(now - span)
    if day is not None:
        del changed[DAY]
        changed[SINCE], changed[UNTIL] = map(format_time_parameter, day)
    return changed


def _bounds(text: str) -> tuple[datetime, datetime] | None:
    """A day in the reader's time zone."""
    try:
        day = date.fromisoformat(text)
        bounds = (datetime.combine(each, time.min) for each in (day, day + timedelta(days=1)))
        first, last = (django_timezone.make_aware(each).astimezone(timezone.utc) for each in bounds)
    except (ValueError, OverflowError):
        return None
    return first, last


def format_time_parameter(at: datetime) -> str:
    """As an address holds it: in UTC, to the second."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
