"""Places in a quota: one line for all workers, in database time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection as database

from connections.providers import registry
from connections.spec.errors import QuotaExhausted
from connections.spec.provider import CountedBy, Quota
from connections.transport import limiter
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
    assert limiter.key(Quota(1, SECOND, counted_by), one, "c1") == wanted.format(id=one.id)


def test_connections_share_a_line_only_where_the_provider_does():
    quota = {counted_by: Quota(1, SECOND, counted_by) for counted_by in CountedBy}
    one, twin, other = connection(company_id="1"), connection(company_id="1"), connection(company_id="2")
    unknown, unknown_too = connection(), connection()

    def keys(counted_by, *connections):
        return len({limiter.key(quota[counted_by], each, "c1") for each in connections})

    assert keys(CountedBy.CLIENT, one, twin, other) == 1
    assert keys(CountedBy.COMPANY, one, twin, other) == 2
    assert keys(CountedBy.CONNECTION, one, twin, other) == 3
    assert keys(CountedBy.COMPANY, unknown, unknown_too) == 2
    assert limiter.key(quota[CountedBy.CLIENT], one, "") != limiter.key(quota[CountedBy.CLIENT], twin, "")


def test_a_key_always_fits_its_column():
    quota = Quota(1, SECOND, CountedBy.COMPANY)
    keys = {limiter.key(quota, connection(company_id=f"{'7' * 79}{n}"), "c" * 200) for n in range(3)}
    assert len(keys) == 3
    assert max(len(key) for key in keys) <= 200


def test_places_are_a_step_apart(db):
    with acting_as("worker"):
        waits = [limiter.slot("line", 0.4) for _ in range(5)]
        other = limiter.slot("another line", 0.4)
    assert waits[0] == other == 0
    for number, wait in enumerate(waits):
        assert number * 0.4 - 0.35 < wait <= number * 0.4


def test_a_place_nobody_used_is_not_saved_up(db):
    limiter.slot("line", 0.3)
    time.sleep(0.9)
    assert limiter.slot("line", 0.3) == 0
    assert limiter.slot("line", 0.3) > 0.05


def test_a_place_too_far_away_is_not_taken(db):
    assert limiter.slot("line", 30) == 0
    before = QuotaWindow.objects.get().next_at
    with pytest.raises(QuotaExhausted) as caught:
        limiter.slot("line", 30)
    assert QuotaWindow.objects.get().next_at == before
    assert caught.value.fault.code == "quota"
    assert abs((caught.value.retry_at - before).total_seconds()) < 0.5


def test_a_place_waits_for_no_disk(committed_db):
    def is_flushed():
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()")
            return cursor.fetchone()[0]

    with database.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    limiter.slot("line", 0.001)
    flushed = []
    for _ in range(20):
        limiter.slot("line", 0.001)
        flushed.append(is_flushed())
    assert not all(flushed)


def test_every_quota_is_waited_for(db):
    provider = replace(
        registry.find("procountor"),
        quotas=(Quota(1000, SECOND, CountedBy.CLIENT), Quota(5, SECOND, CountedBy.COMPANY)),
    )
    started = time.monotonic()
    for _ in range(3):
        limiter.take(provider, connection(company_id="1"), "c1")
    assert time.monotonic() - started >= 0.4
    assert QuotaWindow.objects.count() == 2


def test_four_processes_with_a_backlog_stay_within_the_limit(committed_db):
    """At most 60 in any sliding second of database time, and hardly one unused."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.transport.takers", "line", "60", "4"],
            cwd=ROOT,
            env=worker_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    granted = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors[-2000:]
        granted += json.loads(output)
    places, starts = zip(*sorted(granted), strict=True)
    assert most_in_a_second(places) <= 60
    assert most_in_a_second(starts) <= 60 + len(processes)  # a call may start late, one for each process
    assert len(places) / (places[-1] - places[0]) >= 60 * 0.95


def most_in_a_second(instants):
    return max(sum(1 for other in instants if start <= other < start + 1) for start in instants)
