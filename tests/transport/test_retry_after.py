"""Waiting times as servers send them: seconds, moments, units, dates; what has two meanings, and nonsense."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from connections.transport.http import retry_after
from connections.transport.http.retry_after import LONGEST_SECONDS, wait_seconds

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
HOUR, DAY = 3600, 86_400
EPOCH = int(NOW.timestamp())


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


SPELLINGS = [
    # seconds, and fractions of them
    ("0", 0), ("1", 1), (" 7 ", 7), ("007", 7), ("\t9\t", 9), ("120", 120), ("3600", HOUR), ("12.5", 12.5),
    ("0.25", 0.25), ('"30"', 30),
    # without a unit, and more than an hour: milliseconds, or a wait that an asking in between does no harm to
    ("3601", HOUR), ("30000", HOUR), ("86400", HOUR), ("28800000", HOUR), ("999999999", HOUR),
    # moments, in seconds and milliseconds since 1970
    (str(EPOCH + 40), 40), (f"{EPOCH + 40}.5", 40.5), (str((EPOCH + 40) * 1000), 40), (str(EPOCH - 40), 0), (str(EPOCH), 0),
    (str((EPOCH - 40) * 1000), 0), (str(EPOCH + 5 * HOUR), 5 * HOUR), (str(EPOCH + 2 * DAY), LONGEST_SECONDS), ("1000000000", 0),
    # units
    ("30s", 30), ("30 s", 30), ("30S", 30), ("1.5s", 1.5), ("500ms", 0.5), ("2 min", 120), ("2m", 120), ("2 minutes", 120),
    ("1 hour", HOUR), ("2h", 2 * HOUR), ("1m30s", 90), ("1h 1m 1s", 3661), ("1 minute, 5 seconds", 65), ("90 sec", 90),
    ("5 seconds", 5),
    ("30000 ms", 30), ("1 day", LONGEST_SECONDS), ("24h", LONGEST_SECONDS),
    # dates: RFC 9110, and ISO 8601
    (http_date(30), 30), (http_date(0), 0), (http_date(-30), 0), (http_date(2 * DAY), LONGEST_SECONDS),
    ("Sun, 01 Mar 2026 12:00:10", 10), ("Sunday, 01-Mar-26 12:00:10 GMT", 10), ("Sun Mar  1 12:00:10 2026", 10),
    ("Sun, 01 Mar 2026 14:00:10 +0200", 10), ("Sun, 01 Mar 2026 12:00:10 EST", 5 * HOUR + 10),
    ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
    ("2026-03-01T12:00:10Z", 10), ("2026-03-01T12:00:10", 10), ("2026-03-01 12:00:10", 10), ("2026-03-01T14:00:10+02:00", 10),
    ("2026-03-01T12:00:10.500Z", 10.5), ("2026-03-01T11:00:00Z", 0), ("2026-04-01T11:00:00Z", LONGEST_SECONDS),
    ("2026-03-01t12:00:10z", 10),
    # nonsense
    ("", None), ("-1", None), ("+5", None), ("1e3", None), ("soon", None), ("٣", None), ("5, 6", None), ("\x00", None),
    ("0x10", None),
    ("nan", None), ("inf", None), ("-0", None), ("1_000", None), ("²", None), ("1;q=2", None), ("true", None),
    ("null", None), (",", None),
    ("GMT", None), ("30 parsecs", None), ("s", None), ("30s!", None), (".5", None), ("5.", None), ("1.2.3", None),
    ("30 s 5", None),
    ("999999999999999999999", None), ("9" * 18, None), ("2026-13-01T12:00:00Z", None), ("2026-03-01", None),
    ("12:00:10", None),
    ("Sun, 32 Mar 2026 12:00:10 GMT", None), ("Sun, 01 Mar 2026 25:00:00 GMT", None),
    ("Fri, 31 Dec 99999 23:59:59 GMT", None),
]  # fmt: skip


@pytest.mark.parametrize("header", ["retry-after", "x-rate-limit-reset", "ratelimit-reset", "x-ratelimit-reset"])
@pytest.mark.parametrize(("value", "seconds"), SPELLINGS)
def test_every_spelling_is_read_in_every_header(header, value, seconds):
    assert wait_seconds({header: value}, NOW) == (seconds if seconds is None else pytest.approx(seconds, abs=1e-6))


HEADERS = [
    ({}, None),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": str(2 * HOUR * 1000)}, 2 * HOUR),
    ({"retry-after-ms": str((EPOCH + 40) * 1000)}, 40),
    ({"retry-after-ms": "soon"}, None),
    ({"retry-after": "2", "retry-after-ms": "1500"}, 2),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "0"}, 40),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "00"}, 40),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "3"}, None),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "none"}, None),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "-1"}, None),
    ({"x-rate-limit-reset": "40", "retry-after": "5"}, 5),
    ({"x-rate-limit-reset": "40", "retry-after": "soon"}, 40),
    ({"ratelimit-reset": "40", "ratelimit-remaining": "0"}, 40),
    ({"ratelimit-reset": "40", "ratelimit-remaining": "1"}, None),
    ({"x-ratelimit-reset": str(EPOCH + 50), "x-ratelimit-remaining": "0"}, 50),
    ({"x-ratelimit-reset": str(EPOCH + 50), "x-ratelimit-remaining": "12"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), HEADERS)
def test_the_first_header_that_can_be_read_counts(headers, seconds):
    assert wait_seconds(headers, NOW) == seconds


def test_what_is_left_is_read_from_any_of_them():
    assert retry_after.quota_left({"x-rate-limit-remaining": "999"}) == 999
    assert retry_after.quota_left({"ratelimit-remaining": " 7 "}) == 7
    assert retry_after.quota_left({"x-ratelimit-remaining": "0"}) == 0
    assert retry_after.quota_left({"x-ratelimit-remaining": "many", "retry-after": "5"}) is None


# -- properties, with a seed so that a failure can be repeated ---------------------------------------------------------

waits = st.floats(0, LONGEST_SECONDS, allow_nan=False).map(lambda wait: round(wait, 3))
SAID = {
    "seconds": lambda wait: f"{wait:.3f}",
    "unit": lambda wait: f"{wait:.3f}s",
    "words": lambda wait: f"{int(wait // 60)} minutes {wait % 60:.3f} seconds",
    "milliseconds": lambda wait: f"{wait * 1000:.0f} ms",
    "moment": lambda wait: f"{EPOCH + wait:.3f}",
    "moment in milliseconds": lambda wait: f"{(EPOCH + wait) * 1000:.0f}",
    "iso": lambda wait: (NOW + timedelta(seconds=wait)).isoformat(),
    "http": lambda wait: http_date(int(wait)),
}


@seed(10)
@given(
    waits, st.sampled_from(sorted(SAID)), st.sampled_from(["retry-after", *(reset for reset, _ in retry_after.RESETS)])
)
def test_a_wait_is_the_same_in_every_way_of_saying_it(wait, spelling, header):
    expected = int(wait) if spelling == "http" else wait
    expected = min(expected, HOUR) if spelling == "seconds" else expected
    assert wait_seconds({header: SAID[spelling](wait)}, NOW) == pytest.approx(expected, abs=0.002)


@seed(10)
@given(st.one_of(st.text(max_size=60), st.from_regex(r"[0-9.:TZ smhd+-]{0,24}", fullmatch=True)))
def test_whatever_stands_there_it_is_short_or_nothing(text):
    for name in retry_after.HEADERS:
        found = wait_seconds({name: text}, NOW)
        assert found is None or 0 <= found <= LONGEST_SECONDS < DAY


@seed(10)
@given(st.integers(HOUR + 1, 10**9 - 1))
def test_a_long_wait_without_a_unit_is_asked_about_after_an_hour(number):
    assert wait_seconds({"retry-after": str(number)}, NOW) == HOUR
