"""How long a provider asks us to wait: Retry-After and its cousins, in every spelling that servers are known to send.

RFC 9110 10.2.3 knows whole seconds and HTTP dates. Servers also send fractions, units, milliseconds, ISO dates and moments
as seconds or milliseconds since 1970, in any of these headers. What can be read in two ways is never believed for long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 6 * 3600.0  # no header holds anything up for a day: one request too many harms nobody
# 30000 may be milliseconds, 86400 may be meant: a request after an hour tells which.
LONGEST_WITHOUT_UNIT_SECONDS = 3600.0
FIRST_TIMESTAMP = 1e9  # seconds since 1970 (in 2001); as a wait it would be 31 years
FIRST_TIMESTAMP_MS = 1e12  # the same in milliseconds
LAST_TIMESTAMP_MS = 1e15

# Reset headers count where nothing is left of the allowance, or nobody says what is left. SmartBusiness documents the
# first (seconds left), RFC drafts the second, and the third is GitHub's and many others' (seconds left, or a moment).
RESETS = (
    ("x-rate-limit-reset", "x-rate-limit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
)
HEADERS = ("retry-after", "retry-after-ms", *(name for pair in RESETS for name in pair))

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_PART = re.compile(r"(\d{1,20}(?:\.\d{1,20})?)\s*([a-z]+)[\s,]*", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.{0,20}", re.ASCII | re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


def wait_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, from 0 to `LONGEST_SECONDS`. None where nothing is asked, and for nonsense. `headers`: in lower case."""
    wait = _seconds(headers.get("retry-after", ""), now)
    if wait is None and (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        wait = milliseconds / 1000 if milliseconds < FIRST_TIMESTAMP_MS else _seconds(headers["retry-after-ms"], now)
    for reset, remaining in RESETS:
        if wait is None and _number(headers.get(remaining, "0")) == 0:
            wait = _seconds(headers.get(reset, ""), now)
    return None if wait is None else min(max(wait, 0.0), LONGEST_SECONDS)


def quota_left(headers: Mapping[str, str]) -> int | None:
    """What is left of the allowance, as far as anybody says it in a whole number."""
    for _reset, remaining in RESETS:
        text = headers.get(remaining, "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
    return None


def _seconds(text: str, now: datetime) -> float | None:
    text = text.strip(' \t"')
    if (number := _number(text)) is not None:
        if number < FIRST_TIMESTAMP:
            return min(number, LONGEST_WITHOUT_UNIT_SECONDS)
        return (
            number / (1000 if number >= FIRST_TIMESTAMP_MS else 1) - now.timestamp()
            if number < LAST_TIMESTAMP_MS
            else None
        )
    if text[:1].isdigit() and not _ISO.fullmatch(text):
        return _seconds_with_units(text.lower())
    return _seconds_until_date(text, now)


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _seconds_with_units(text: str) -> float | None:
    """`30s`, `2 min`, `1h30m`."""
    wait, end = 0.0, 0
    while part := _PART.match(text, end):
        if part[2] not in _UNITS:
            return None
        wait, end = wait + float(part[1]) * _UNITS[part[2]], part.end()
    return wait if end == len(text) else None


def _seconds_until_date(text: str, now: datetime) -> float | None:
    """An ISO or HTTP date; one without a zone is in UTC."""
    try:
        at = datetime.fromisoformat(text.upper()) if _ISO.fullmatch(text) else parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
        return (at - now) / timedelta(seconds=1)
    except (ValueError, TypeError, OverflowError):
        return None
