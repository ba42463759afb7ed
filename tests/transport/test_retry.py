"""When we try again: never before the step, never before what was asked, never because of nonsense."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.transport import retry

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
DAY = 86_400


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


RETRY_AFTER = [
    ("0", 0), ("1", 1), (" 7 ", 7), ("120", 120), ("86400", DAY), ("86401", DAY), ("99999999999", DAY),
    ("999999999999999999999", None), ("-1", None), ("+5", None), ("1.5", None), ("1e3", None), ("", None),
    ("soon", None), ("٣", None), ("5 seconds", None), ("5, 6", None), ("\x00", None), ("0x10", None), ("nan", None),
    (http_date(30), 30), (http_date(0), 0), (http_date(-30), 0), (http_date(2 * DAY), DAY),
    ("Sun, 01 Mar 2026 12:00:10", 10), ("Sunday, 01-Mar-26 12:00:10 GMT", 10), ("Sun Mar  1 12:00:10 2026", 10),
    ("Sun, 01 Mar 2026 14:00:10 +0200", 10), ("Sun, 32 Mar 2026 12:00:10 GMT", None),
    ("Fri, 31 Dec 99999 23:59:59 GMT", None), ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
    ("Mon, 01 Jan 0001 00:00:00 GMT", 0), (",", None), ("GMT", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER)
def test_retry_after_is_read(value, seconds):
    assert retry.asked_for({"retry-after": value}, NOW) == seconds


RESETS = [
    ({"x-rate-limit-reset": "40"}, 40),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "0"}, 40),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "3"}, None),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "none"}, None),
    ({"x-rate-limit-reset": "-40"}, None),
    ({"x-rate-limit-reset": "1772366400"}, DAY),
    ({"x-rate-limit-reset": "40", "retry-after": "5"}, 5),
    ({"x-rate-limit-reset": "40", "retry-after": "soon"}, 40),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), RESETS)
def test_the_reset_counts_where_nothing_is_left(headers, seconds):
    assert retry.asked_for(headers, NOW) == seconds


@given(st.text(max_size=60))
def test_no_header_breaks_it(text):
    found = retry.asked_for({"retry-after": text, "x-rate-limit-reset": text}, NOW)
    assert found is None or 0 <= found <= DAY


@pytest.mark.parametrize(("attempt", "step"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 16), (60, 16)])
def test_steps_have_their_jitter_after_them(attempt, step):
    delays = [retry.delay(attempt) for _ in range(300)]
    assert min(delays) >= step
    assert max(delays) <= step * 1.25
    assert len(set(delays)) > 200


def test_a_floor_is_never_undercut_and_a_past_one_changes_nothing():
    assert all(40 <= retry.delay(1, 40) <= 40.25 for _ in range(100))
    assert all(1 <= retry.delay(1, -5) <= 1.25 for _ in range(100))
