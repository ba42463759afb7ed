"""Times in addresses: whatever was chosen, a link that is kept or sent on holds moments, so it shows the same tomorrow."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

from django.http import QueryDict
from django.utils import timezone as django_timezone

SINCE, UNTIL, DAY = "since", "until", "day"
SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "365d": timedelta(days=365),
}


def parse_time(text: str) -> datetime | None:
    """The time that an address names, None for nonsense and for what is too early or late for the database."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(timezone.utc) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def with_absolute_times(query: QueryDict, now: datetime) -> QueryDict | None:
    """The same query with the moments that a relative time means now, or a day or a time without a zone for this reader;
    None where it has none of these.
    """
    span, day = SPANS.get(query.get(SINCE, "")), _bounds(query.get(DAY, ""))
    typed = {name: str(query[name]) for name in (SINCE, UNTIL) if _is_of_the_reader(query.get(name))}
    if span is None and day is None and not typed:
        return None
    changed = query.copy()
    for name, text in typed.items():
        at = _at_the_reader(text)
        if at is None:
            del changed[name]
        else:
            changed[name] = format_time_parameter(at)
    if span is not None:
        changed[SINCE] = format_time_parameter(now - span)
    if day is not None:
        del changed[DAY]
        changed[SINCE], changed[UNTIL] = map(format_time_parameter, day)
    return changed


def _is_of_the_reader(text: str | None) -> bool:
    """Whether a form has sent it: nothing, or a time without a zone."""
    return text is not None and text not in SPANS and parse_time(text) is None


def _at_the_reader(text: str) -> datetime | None:
    """The moment of a time that was typed without a zone, None for nonsense."""
    try:
        at = django_timezone.make_aware(datetime.fromisoformat(text))
        return at.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def local_input(at: datetime | None) -> str:
    """As a form's field of date and time holds it: to the minute, in the reader's zone."""
    return django_timezone.localtime(at).strftime("%Y-%m-%dT%H:%M") if at is not None else ""


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
