"""Places in a quota: one line for all workers, in database time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.db import connection as database

from connections.providers import registry
from connections.spec.errors import QuotaExhausted
from connections.spec.provider import CountedBy, Quota
from connections.transport.limits import rate_limiter
from connections.transport.models import QuotaWindow
from connections.vault.models import Connection
from tests.processes import ROOT, worker_environment
from tests.roles import acting_as

SECOND = timedelta(seconds=1)


def connection(**fields):
    return Connection(provider="procountor", environment="test", **fields)


@pytest.mark.parametrize(
    ("counted_by", "wanted"),
    [
        (CountedBy.CLIENT, "procountor:test:client:c1"),
        (CountedBy.COMPANY, "procountor:test:client:c1:company:77"),
        (CountedBy.CONNECTION, "procountor:test:connection:{id}"),
    ],
)
def test_what_is_counted_is_what_the_provider_counts(counted_by, wanted):
    one = connection(company_id="77")
    assert rate_limiter.quota_key(Quota(1, SECOND, counted_by), one, "c1") == wanted.format(id=one.id)


def test_connections_share_a_line_only_where_the_provider_does():
    quota = {counted_by: Quota(1, SECOND, counted_by) for counted_by in CountedBy}
    one, twin, other = connection(company_id="1"), connection(company_id="1"), connection(company_id="2")
    unknown, unknown_too = connection(), connection()

    def keys(counted_by, *connections):
        return len({rate_limiter.quota_key(quota[counted_by], each, "c1") for each in connections})

    assert keys(CountedBy.CLIENT, one, twin, other) == 1
    assert keys(CountedBy.COMPANY, one, twin, other) == 2
    assert keys(CountedBy.CONNECTION, one, twin, other) == 3
    assert keys(CountedBy.COMPANY, unknown, unknown_too) == 2
    assert rate_limiter.quota_key(quota[CountedBy.CLIENT], one, "") != rate_limiter.quota_key(
        quota[CountedBy.CLIENT], twin, ""
    )


def test_a_key_always_fits_its_column():
    quota = Quota(1, SECOND, CountedBy.COMPANY)
    keys = {rate_limiter.quota_key(quota, connection(company_id=f"{'7' * 79}{n}"), "c" * 200) for n in range(3)}
    assert len(keys) == 3
    assert max(len(key) for key in keys) <= 200


def test_a_key_is_spelt_out_as_long_as_it_fits():
    quota, before = Quota(1, SECOND, CountedBy.CLIENT), "procountor:test:client:"
    fits = "c" * (200 - len(before))
    assert rate_limiter.quota_key(quota, connection(), fits) == before + fits
    too_long = rate_limiter.quota_key(quota, connection(), fits + "c")
    assert too_long.startswith("procountor:")
    assert "ccc" not in too_long


def test_slots_are_evenly_spaced(db):
    with acting_as("worker"):
        waits = [rate_limiter.next_slot("line", 0.4).wait for _ in range(5)]
        other = rate_limiter.next_slot("another line", 0.4).wait
    assert waits[0] == other == 0
    for number, wait in enumerate(waits):
        assert number * 0.4 - 0.35 < wait <= number * 0.4


def test_an_unused_slot_is_not_saved_up(db):
    rate_limiter.next_slot("line", 0.3)
    time.sleep(0.9)
    assert rate_limiter.next_slot("line", 0.3).wait == 0
    assert rate_limiter.next_slot("line", 0.3).wait > 0.05


def test_a_slot_too_far_away_is_not_taken(db):
    assert rate_limiter.next_slot("line", 30).wait == 0
    before = QuotaWindow.objects.get().next_at
    with pytest.raises(QuotaExhausted) as caught:
        rate_limiter.next_slot("line", 30)
    assert QuotaWindow.objects.get().next_at == before
    assert caught.value.fault.code == "quota"
    assert abs((caught.value.retry_at - before).total_seconds()) < 0.5


def test_slots_use_nearly_the_whole_quota(db):
    provider = replace(registry.find("procountor"), quotas=(Quota(1, SECOND, CountedBy.CLIENT),))
    before = database_now()
    rate_limiter.wait_for_quota(provider, connection(), "c1")
    after = database_now()
    next_at = QuotaWindow.objects.get().next_at.timestamp()
    assert next_at - before > 1
    assert next_at - after < 1.1


def test_every_quota_is_waited_for(db):
    provider = replace(
        registry.find("procountor"),
        quotas=(Quota(1000, SECOND, CountedBy.CLIENT), Quota(5, SECOND, CountedBy.COMPANY)),
    )
    started = time.monotonic()
    for _ in range(3):
        rate_limiter.wait_for_quota(provider, connection(company_id="1"), "c1")
    assert time.monotonic() - started >= 0.4
    assert QuotaWindow.objects.count() == 2


def takers(*arguments, number=4):
    """What each of several worker processes of their own printed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.transport.quota_worker", *arguments],
            cwd=ROOT,
            env=worker_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    found = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors[-2000:]
        found.append(json.loads(output))
    return found


@pytest.mark.process
def test_four_processes_with_a_backlog_stay_within_the_limit(committed_db):
    """At most 60 in any sliding second of database time, and hardly one unused."""
    granted = sorted(tuple(each) for found in takers("slot", "line", "60", "4") for each in found)
    places, starts = zip(*granted, strict=True)
    assert most_in_a_second(places) <= 60
    assert most_in_a_second(starts) <= 60 + 4  # a call may start late, one for each process
    assert len(places) / (places[-1] - places[0]) >= 60 * 0.95


def most_in_a_second(instants):
    return max(sum(1 for other in instants if start <= other < start + 1) for start in instants)


# -- who oversleeps, and who leaves room -------------------------------------------------------------------------------


def overslept(monkeypatch, *, naps=(), delays=()):
    """How many places are taken when sleeps, or the ways of the database's answers, are longer by these seconds."""
    extra, slow, taken = iter(naps), iter(delays), []

    def slot(*args, **more):
        taken.append(1)
        now = database_now()
        time.sleep(next(slow, 0.0))
        return rate_limiter.Slot(now, now)

    monkeypatch.setattr(rate_limiter, "next_slot", slot)
    monkeypatch.setattr(rate_limiter, "_clock", rate_limiter.DatabaseClock())
    rate_limiter._clock.synchronize(database_now())
    monkeypatch.setattr(rate_limiter, "time", FakeTime(lambda: next(extra, 0.0)))
    rate_limiter._wait_for_slot("line", Quota(60, SECOND, CountedBy.CLIENT), 2.0)
    return len(taken)


class FakeTime:
    """Sleeps that are longer than asked for."""

    def __init__(self, extra):
        self._extra = extra

    def sleep(self, seconds):
        time.sleep(seconds + self._extra())

    def monotonic(self):
        return time.monotonic()


def test_a_slot_is_not_used_by_a_caller_that_woke_up_too_late(db, monkeypatch):
    assert overslept(monkeypatch, naps=[0.2, 0.2]) == 3


def test_a_slot_is_not_used_when_the_databases_answer_came_too_late(db, monkeypatch):
    assert overslept(monkeypatch, delays=[0.2]) == 2
    assert overslept(monkeypatch, delays=[0.7]) == 2  # so long that the clock may have been set, or not


def test_a_machine_that_always_wakes_up_late_goes_on_in_the_end(db, monkeypatch):
    assert overslept(monkeypatch, naps=[0.1] * 50) == rate_limiter.MOST_LATE_SLOTS


def test_the_databases_clock_may_drift_and_may_be_set():
    clock, now = rate_limiter.DatabaseClock(), time.monotonic()
    assert clock.synchronize(now + 1000)
    assert clock.seconds_since(now + 1000) < 0.1
    clock.synchronize(now + 1000 - 0.3)  # an answer that was slow does not move it
    assert clock.seconds_since(now + 1000) < 0.1
    assert not clock.synchronize(now + 5)
    assert clock.seconds_since(now + 5) < 0.1
    assert clock.synchronize(now + 5)


def test_the_two_clocks_may_run_apart_slowly_and_no_step_is_taken_for_that(monkeypatch):
    now = 5000.0
    monkeypatch.setattr(rate_limiter, "time", SimpleNamespace(monotonic=lambda: now))
    clock = rate_limiter.DatabaseClock()
    clock.synchronize(now)
    now = 5100.0
    clock.synchronize(now - 0.05)  # within what a hundred seconds allow: the answer is believed
    assert clock.seconds_since(now) == pytest.approx(-0.05)
    now = 5101.0
    clock.synchronize(now - 0.45)  # a slow answer; its delay is no news of the clock
    assert clock.seconds_since(now) == pytest.approx(-0.051)
    clock.synchronize(now - 0.6)  # the database's clock was set back
    assert clock.seconds_since(now) == pytest.approx(-0.6)


def test_a_line_of_runs_leaves_a_place_for_a_person(db):
    provider = replace(registry.find("procountor"), quotas=(Quota(2, SECOND, CountedBy.COMPANY),))
    one = connection(company_id="1")
    rate_limiter.next_slot("procountor:test:client:c1:company:1", 1.2)
    with pytest.raises(QuotaExhausted):
        rate_limiter.wait_for_quota(provider, one, "c1", for_run=True)
    rate_limiter.wait_for_quota(provider, one, "c1")


# -- after a crash of the server ---------------------------------------------------------------------------------------


def crashed(seconds):
    """As the server would have it after a crash so long ago: its statistics begin anew."""
    past = f"SELECT to_timestamp(extract(epoch FROM clock_timestamp()) - {seconds}) AS stats_reset"
    return f"CREATE OR REPLACE TEMP VIEW pg_stat_bgwriter AS {past}"


@pytest.mark.parametrize("is_known", [True, False], ids=["known line", "new line"])
def test_after_a_crash_nobody_is_let_in_until_the_slots_before_it_have_gone_by(db, is_known):
    if is_known:
        rate_limiter.next_slot("line", 0.1)
    with database.cursor() as cursor:
        cursor.execute(crashed(0.5))
    with pytest.raises(QuotaExhausted) as caught:
        rate_limiter.next_slot("line", 0.1)
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        left = (caught.value.retry_at - cursor.fetchone()[0]).total_seconds()
        assert 2.0 < left < 2.5  # what a caller may hold, and the quota's second, since the crash
        cursor.execute(crashed(2.5))
    assert 0.2 < rate_limiter.next_slot("line", 0.1).wait < 0.5
    assert 0.3 < rate_limiter.next_slot("line", 0.1).wait < 0.6


def test_a_limiter_that_cannot_be_reached_sends_nothing(db, monkeypatch):
    def gone(*args):
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(rate_limiter, "prepared_cursor", gone)
        with pytest.raises(OperationalError):
            rate_limiter.wait_for_quota(registry.find("procountor"), connection(company_id="1"), "c1")


# -- budgets -----------------------------------------------------------------------------------------------------------

DAY = timedelta(days=1)
BUDGET = Quota(5, DAY, CountedBy.CLIENT)
SLICE = DAY.total_seconds() / rate_limiter.SLICES


def database_now():
    with database.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def kept(*ages):
    """One call each so many slices ago."""
    now = int(database_now() // SLICE)
    return {str(now - age): 1 for age in ages}


def test_a_budget_is_spent_call_by_call_and_never_beyond(db):
    with acting_as("worker"):
        for _ in range(5):
            rate_limiter.count_call("budget", BUDGET)
        with pytest.raises(QuotaExhausted) as caught:
            rate_limiter.count_call("budget", BUDGET)
        rate_limiter.count_call("another budget", BUDGET)
    assert sum(QuotaWindow.objects.get(key="budget").counts.values()) == 5
    waits = caught.value.retry_at.timestamp() - database_now()
    assert DAY.total_seconds() < waits <= DAY.total_seconds() + 2 * SLICE


def test_runs_leave_a_part_of_the_budget_to_people(db):
    for _ in range(4):
        rate_limiter.count_call("budget", BUDGET, for_run=True)
    with pytest.raises(QuotaExhausted):
        rate_limiter.count_call("budget", BUDGET, for_run=True)
    rate_limiter.count_call("budget", BUDGET)
    with pytest.raises(QuotaExhausted):
        rate_limiter.count_call("budget", BUDGET)


def test_a_call_takes_from_the_budget_first_and_no_place_where_that_is_spent(db):
    line, hour = Quota(50, SECOND, CountedBy.CLIENT), Quota(4, timedelta(hours=1), CountedBy.COMPANY)
    provider = replace(registry.find("procountor"), quotas=(line, hour))
    one, budget = connection(company_id="1"), "procountor:test:client:c1:company:1"
    for _ in range(3):
        rate_limiter.wait_for_quota(provider, one, "c1", for_run=True)
    with pytest.raises(QuotaExhausted):
        rate_limiter.wait_for_quota(provider, one, "c1", for_run=True)
    rate_limiter.wait_for_quota(provider, one, "c1")
    before = QuotaWindow.objects.get(key="procountor:test:client:c1").next_at
    with pytest.raises(QuotaExhausted):
        rate_limiter.wait_for_quota(provider, one, "c1")
    assert sum(QuotaWindow.objects.get(key=budget).counts.values()) == 4
    assert QuotaWindow.objects.get(key="procountor:test:client:c1").next_at == before


def test_the_day_slides_and_old_slices_are_dropped(db):
    oldest = rate_limiter.SLICES + 1
    QuotaWindow.objects.create(key="budget", counts=kept(oldest + 1, oldest + 400, oldest, 50, 1))
    rate_limiter.count_call("budget", BUDGET)
    counts = QuotaWindow.objects.get(key="budget").counts
    assert set(counts) == set(kept(oldest, 50, 1, 0))
    rate_limiter.count_call("budget", BUDGET)
    with pytest.raises(QuotaExhausted):
        rate_limiter.count_call("budget", BUDGET)


def test_a_budget_whose_calls_have_all_gone_by_is_whole_again(db):
    QuotaWindow.objects.create(key="budget", counts=kept(rate_limiter.SLICES + 2, 400))
    one = replace(BUDGET, calls=1)
    rate_limiter.count_call("budget", one)
    with pytest.raises(QuotaExhausted):
        rate_limiter.count_call("budget", one)


def test_when_a_call_fits_again_is_when_its_slice_has_gone_by(db):
    now = database_now()
    QuotaWindow.objects.create(key="budget", counts=kept(90, 60, 59, 30, 2))
    with pytest.raises(QuotaExhausted) as caught:
        rate_limiter.count_call("budget", BUDGET)
    free_at = (now // SLICE - 90 + rate_limiter.SLICES + 2) * SLICE
    assert caught.value.retry_at.timestamp() == pytest.approx(free_at)
    with pytest.raises(QuotaExhausted) as caught:
        rate_limiter.count_call("budget", replace(BUDGET, calls=4))
    assert caught.value.retry_at.timestamp() == pytest.approx((now // SLICE - 60 + rate_limiter.SLICES + 2) * SLICE)


def test_a_call_that_is_counted_late_counts_for_a_whole_day_all_the_same(db):
    """It may arrive up to a slice after it was counted, and still no day holds one too many."""
    QuotaWindow.objects.create(key="budget", counts=kept(rate_limiter.SLICES + 1, 3, 2, 1, 0))
    with pytest.raises(QuotaExhausted):
        rate_limiter.count_call("budget", BUDGET)


@pytest.mark.process
def test_eight_processes_spend_a_budget_to_the_last_call_and_no_further(committed_db):
    assert sum(takers("spend", "budget", "500", "80", number=8)) == 500
    assert sum(QuotaWindow.objects.get().counts.values()) == 500
