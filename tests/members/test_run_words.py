"""Where a run's time went and how long it may yet take, in words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from connections.sync import time_shares
from connections.sync.models import RunState, StreamProgress, SyncRun
from portal.members import run_words

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)


def run_of(**more):
    values = {"state": RunState.RUNNING, "queued_at": NOW - timedelta(seconds=100), "started_at": NOW} | more
    return SyncRun(**values)


def test_every_share_has_words():
    assert run_words.SHARES.keys() == set(time_shares.SHARES)
    rows = run_words.share_rows(run_of(time_shares={"own": 1, "limiter": 3}))
    assert [(str(row.label), row.percent) for row in rows] == [
        ("keeping to the provider's limit", 75),
        ("our own work", 25),
    ]


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (1100, "It is almost done, at the speed so far."),
        (1600, "About 1 minute is left, at the speed so far."),
        (7000, "About 10 minutes are left, at the speed so far."),
        (200_000, "About 6 hours are left, at the speed so far."),
        (None, ""),
    ],
)
def test_what_is_left_is_told_in_round_numbers(expected, words):
    streams = [StreamProgress(state="reading", seen=1000, expected=expected)]
    assert run_words.outlook(run_of(), streams, NOW) == words


def test_who_waits_for_long_is_told_why():
    queued = run_of(state=RunState.QUEUED, queued_at=NOW - timedelta(seconds=50))
    assert run_words.outlook(queued, [], NOW) == ""
    queued.queued_at = NOW - timedelta(minutes=5)
    assert "as soon as it is its turn" in run_words.outlook(queued, [], NOW)


def test_staff_are_told_of_a_run_that_does_not_go_on():
    assert run_words.stuck_words(run_of(accounted_at=NOW), NOW) == ""
    assert "No worker" in run_words.stuck_words(run_of(accounted_at=NOW - timedelta(hours=1)), NOW)
    waiting = run_of(state=RunState.WAITING, waiting_until=NOW + timedelta(days=3))
    assert "more than 1 day" in run_words.stuck_words(waiting, NOW)
