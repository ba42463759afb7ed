"""How a time is written for people: the one way, on every page, in every sentence and mail."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone as django_timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import pgettext

from connections.spec.text import isolate


def format_time(at: datetime, *, seconds: bool = False, zone: tzinfo | None = None) -> str:
    """`29 Nov 2026, 20:56 EET`: in the reader's zone, or in `zone`. Never ends with a full stop."""
    return isolate(f"{format_local_time(at, seconds=seconds, zone=zone)} {zone_name(at, zone)}")


def format_local_time(at: datetime, *, seconds: bool = False, zone: tzinfo | None = None) -> str:
    """`29 Nov 2026, 20:56`, without the zone: for pages that name it once."""
    form = pgettext("date format", "j M Y, H:i:s") if seconds else pgettext("date format", "j M Y, H:i")
    return date_format(django_timezone.localtime(at, zone), form).rstrip(".")


def format_day_and_time(at: datetime, zone: tzinfo) -> str:
    """`Sunday 29 November 2026, 20:56 EET`: a time that is planned, in `zone`."""
    day = date_format(django_timezone.localtime(at, zone), pgettext("date format", "l j F Y, H:i"))
    return isolate(f"{day} {zone_name(at, zone)}")


def format_day(on: date) -> str:
    """`29 Nov 2026`: a day of the calendar."""
    return date_format(on, pgettext("date format", "j M Y")).rstrip(".")


def format_foreign_time(at: datetime) -> str:
    """`29 Nov 2026, 20:56`: of another system, as its clock says; what has a zone, in the reader's."""
    if at.tzinfo is not None:
        return format_local_time(at)
    return date_format(at, pgettext("date format", "j M Y, H:i")).rstrip(".")


def format_time_of_day(at: time) -> str:
    """`06:30`: of any day."""
    return time_format(at, pgettext("time of day format", "H:i"))


def zone_name(at: datetime | None = None, zone: tzinfo | None = None) -> str:
    """`EET`, or `UTC+03:30` for zones whose time has no short name; at that moment, since clocks change in summer."""
    local = django_timezone.localtime(at, zone)
    name = local.tzname() or ""
    return name if name.isalpha() else timezone(local.utcoffset() or timedelta()).tzname(None)


def zone_named(name: str) -> ZoneInfo:
    """The zone of this name, UTC for one that this machine does not know any more."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
