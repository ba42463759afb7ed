"""When a person may be mailed: not in their quiet hours, and where they want one mail a day, with that one."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo

from connections.spec.times import zone_named
from portal.incidents.models import MailChoice

DIGEST_AT = time(8)


def due_at(now: datetime, choice: MailChoice, time_zone: str, *, is_digest: bool = False) -> datetime:
    """The first instant from `now` on at which this person may be mailed. `time_zone`: the name of theirs."""
    zone = zone_named(time_zone)
    at = _next(now, DIGEST_AT, zone) if is_digest or choice.is_digest else now
    start, end = choice.quiet_from, choice.quiet_until
    if start is None or end is None or start == end:
        return at
    clock = at.astimezone(zone).time()
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    return _next(at, end, zone) if is_quiet else at


def _next(at: datetime, clock: time, zone: tzinfo) -> datetime:
    """The next time that a clock on the wall there shows this."""
    day = at.astimezone(zone).date()
    today = datetime.combine(day, clock, zone)
    return today if today > at else datetime.combine(day + timedelta(days=1), clock, zone)
