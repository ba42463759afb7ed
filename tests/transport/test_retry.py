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
    ("007", 7), ("3600", 3600), ("\t9\t", 9), ("-0", None), ("1_000", None), ("inf", None), ("²", None), ("1;q=2", None),
    ("Sun, 01 Mar 2026 12:00:10 EST", 5 * 3600 + 10), ("Sun, 01 Mar 2026 25:00:00 GMT", None), ("true", None), ("null", None),
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
    ({"x-rate-limit-reset": "0"}, 0),
    ({"x-rate-limit-reset": "40.5"}, None),
    ({"x-rate-limit-reset": "Sun, 01 Mar 2026 12:00:10 GMT"}, None),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "-1"}, None),
    ({"x-rate-limit-reset": "40", "x-rate-limit-remaining": "00"}, 40),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), RESETS)
def test_the_reset_counts_where_nothing_is_left(headers, seconds):
    assert retry.asked_for(headers, NOW) == seconds


def test_the_table_has_sixty_values():
    assert len(RETRY_AFTER) + len(RESETS) == 60


@pytest.mark.parametrize("attempt", range(1, 8))
@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER)
def test_no_wish_undercuts_a_step(value, seconds, attempt):
    floor = retry.asked_for({"retry-after": value}, NOW) or 0.0
    step = retry.STEPS[min(attempt, len(retry.STEPS)) - 1]
    assert retry.delay(attempt, floor) >= max(step, seconds or 0)


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


def test_a_retry_budget_is_a_tenth_of_the_calls():
    budget = retry.Budget()
    at_first = sum(budget.spend() for _ in range(10))
    assert at_first == retry.AT_FIRST
    retries = 0
    for _ in range(1000):
        budget.earn()
        retries += budget.spend()
    assert 95 <= retries <= 100
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == retry.AT_MOST


def test_a_provider_shares_one_budget_in_a_process():
    assert retry.budget_of("a:test") is retry.budget_of("a:test")
    assert retry.budget_of("a:test") is not retry.budget_of("a:production")
