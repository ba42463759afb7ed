"""Where a run's time goes: each second once, and all of them together are the run's; what is left is said where it is known."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from django.db.models import F

from connections.sync import time_shares
from connections.sync.models import RunState, StreamProgress, SyncRun
from connections.transport.models import Breaker
from connections.transport.stopwatch import Stopwatch, measure, running

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)


def test_each_second_is_counted_once():
    ticks = count()
    stopwatch = Stopwatch(lambda: float(next(ticks)))
    with running(stopwatch), measure("provider"):  # 0
        with measure("database"), measure("limiter"):  # 1, 2
            pass  # 3, 4
        with pytest.raises(KeyError), measure("database"):  # 5
            raise KeyError  # 6
    # 7
    assert stopwatch.seconds == {"provider": 3.0, "database": 3.0, "limiter": 1.0}
    with measure("provider"):
        assert sum(stopwatch.seconds.values()) == 7.0  # nobody measures any more


def whole(run):
    return sum(run.time_shares.values())


def lasted(run):
    return (run.ended_at - run.queued_at) / timedelta(milliseconds=1)


def test_the_shares_of_a_run_are_all_of_its_time(reading):
    reader = reading("smartbusiness")
    reader.server.fill(300)
    reader.server.holds = 50
    run = reader.run()
    assert run.state == RunState.SUCCEEDED
    assert run.time_shares.keys() >= {"queue", "provider", "database", "own"}
    assert all(value >= 0 for value in run.time_shares.values())
    assert whole(run) == pytest.approx(lasted(run), abs=1)
    assert sum(share.percent for share in time_shares.shares_of(run)) == 100


def test_so_are_those_of_one_that_goes_from_hand_to_hand(reading, page_by_page):
    reader = reading("procountor")
    reader.server.fill(300)
    reader.server.holds = 50
    run = reader.run()
    assert run.state == RunState.SUCCEEDED
    assert whole(run) == pytest.approx(lasted(run), abs=1)


def test_a_wait_counts_as_what_was_waited_for(reading, let_time_pass, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    reader = reading("procountor")
    reader.server.fill(30)
    reader.server.instead = lambda number, query, path: (503, b"")
    run = reader.run()
    assert run.state == RunState.WAITING
    before = run.time_shares["provider"]
    # An hour ago it was told to wait for forty minutes; nobody took it up for the twenty that followed.
    hour = timedelta(hours=1)
    SyncRun.objects.update(
        accounted_at=F("accounted_at") - hour,
        queued_at=F("queued_at") - hour,
        waiting_until=F("accounted_at") - hour / 3,
    )
    Breaker.objects.all().delete()
    let_time_pass()
    reader.server.instead = lambda number, query, path: None
    run.refresh_from_db()
    run = reader.go_on(run)
    assert run.state == RunState.SUCCEEDED
    assert run.time_shares["provider"] - before >= 40 * 60_000 - 1
    assert run.time_shares["queue"] >= 20 * 60_000 - 1
    assert whole(run) == pytest.approx(lasted(run), abs=1)


@pytest.mark.parametrize("forged", [{"queue": "x"}, {"elsewhere": 1}, {"own": -5}, {"own": 1e300}, [1], "x"])
def test_shares_that_somebody_made_up_stop_nobody(reading, forged):
    reader = reading("simutek")
    reader.server.fill(3)
    run = reader.run()
    run.time_shares, run.state = forged, RunState.QUEUED
    assert time_shares.shares_of(run) == []
    time_shares.take_up(run)
    assert run.time_shares.keys() <= set(time_shares.SHARES)


def test_percents_add_up_whatever_is_left_of_rounding():
    for parts in ({"queue": 1, "own": 1, "provider": 1}, {"own": 5}, {"own": 999, "queue": 1}, {}):
        shares = time_shares.shares_of(SyncRun(time_shares=parts))
        assert sum(share.percent for share in shares) == (100 if parts else 0)
    thirds = time_shares.shares_of(SyncRun(time_shares={"queue": 1, "own": 1, "provider": 1}))
    assert sorted(share.percent for share in thirds) == [33, 33, 34]


def run_of(**more):
    values = {"state": RunState.RUNNING, "queued_at": NOW - timedelta(seconds=110), "started_at": NOW} | more
    return SyncRun(**values)


def test_what_is_left_is_said_where_it_is_known():
    streams = [
        StreamProgress(state="done", seen=500, expected=500),
        StreamProgress(state="reading", seen=500, expected=1500),
    ]
    run = run_of(time_shares={"queue": 10_000})
    assert time_shares.time_left(run, streams, NOW) == timedelta(seconds=100)
    assert time_shares.time_left(run_of(state=RunState.WAITING), streams, NOW) is None
    unknown = [*streams, StreamProgress(state="pending")]
    assert time_shares.time_left(run, unknown, NOW) is None
    assert time_shares.time_left(run, [StreamProgress(state="reading", seen=9, expected=90)], NOW) is None
    assert time_shares.time_left(run, [StreamProgress(state="reading", seen=99, expected=90)], NOW) is None


@pytest.mark.parametrize(
    ("more", "is_stuck"),
    [
        ({"accounted_at": NOW - timedelta(minutes=14)}, False),
        ({"accounted_at": NOW - timedelta(minutes=16)}, True),
        ({"state": RunState.QUEUED, "queued_at": NOW - timedelta(minutes=16)}, True),
        ({"state": RunState.WAITING, "waiting_until": NOW + timedelta(hours=2)}, False),
        ({"state": RunState.WAITING, "waiting_until": NOW + timedelta(hours=25)}, True),
        ({"state": RunState.WAITING, "waiting_until": NOW - timedelta(minutes=16)}, True),
        ({"state": RunState.PAUSED, "queued_at": NOW - timedelta(days=9)}, False),
        ({"state": RunState.SUCCEEDED, "queued_at": NOW - timedelta(days=9)}, False),
    ],
)
def test_a_run_that_does_not_go_on_is_stuck(place, more, is_stuck):
    run = run_of(**more)
    assert time_shares.is_stuck(run, NOW) == is_stuck
    run.tenant_id, run.connection = place.tenant_id, place
    run.save(force_insert=True)
    assert SyncRun.objects.filter(time_shares.stuck_runs(NOW)).exists() == is_stuck
