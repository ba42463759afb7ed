"""Jobs are taken together and ended together, and none waits for another's: not for a long one, nor for a long line."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.jobs import claims, owners, services, stopping, tasks
from connections.jobs.batch import Batch, BatchSize
from connections.jobs.lease import Lease, LeaseLost
from connections.jobs.models import Job, JobState
from connections.jobs.registry import LANES
from connections.tenancy.models import Tenant
from tests import warm_server
from tests.jobs.conftest import expire, make_due, until
from tests.roles import acting_as

QUEUE = "interactive"

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture(autouse=True)
def as_worker(committed_db: None, aamu: Tenant, kaste: Tenant) -> Any:
    with acting_as("worker"):
        yield


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if nothing had been taken here yet."""
    monkeypatch.setattr(claims, "positions", claims.Positions())
    monkeypatch.setattr(tasks, "_size", BatchSize())
    monkeypatch.setattr(tasks, "_sweeper", tasks._Sweeper())
    monkeypatch.setattr(owners, "_concurrency", 1)
    yield
    stopping.forget()


def take(limit: int = 64) -> list[uuid.UUID]:
    return [lease.job_id for lease in claims.claim_due([QUEUE], limit).leases]


def states() -> dict[uuid.UUID, str]:
    return dict(Job.objects.values_list("id", "state"))


# -- taking and ending -------------------------------------------------------------------------------------------------


def test_many_jobs_cost_two_statements_for_all(kind: Any, enqueue: Any) -> None:
    name, seen = kind(lambda lease: seen.append(lease.subject)), []
    jobs = [enqueue(name) for _ in range(8)]
    tasks._size.jobs = 10
    with CaptureQueriesContext(connection) as asked:
        tasks.work_off(QUEUE)
    assert len(asked) == 2
    assert seen == [job.subject for job in jobs]
    assert set(
        Job.objects.filter(id__in=[job.id for job in jobs]).values_list("state", "epoch", "starts", "owner")
    ) == {(JobState.SUCCEEDED, 1, 0, "")}


def test_a_line_is_worked_off_to_its_end(kind: Any, enqueue: Any) -> None:
    jobs = [enqueue(kind()) for _ in range(30)]
    tasks.work_off(QUEUE)
    assert not Job.objects.filter(id__in=[job.id for job in jobs]).exclude(state=JobState.SUCCEEDED).exists()
    assert tasks._size.jobs >= 2


def test_only_a_start_that_is_alone_is_counted_when_it_is_taken(kind: Any, enqueue: Any) -> None:
    name = kind()
    alone = enqueue(name)
    assert take() == [alone.id]
    together = [enqueue(name), enqueue(name)]
    claimed = claims.claim_due([QUEUE], 5)
    assert [lease.starts for lease in claimed.leases] == [1, 1]
    assert Job.objects.get(id=alone.id).starts == 1
    assert {Job.objects.get(id=job.id).starts for job in together} == {0}


def test_neither_a_twin_nor_what_is_not_due_is_taken(kind: Any, enqueue: Any) -> None:
    name, subject = kind(), uuid.uuid4()
    enqueue(name, due_at=timezone.now() + timedelta(minutes=1))
    [first] = [enqueue(name, subject=subject).id]
    assert take() == [first]
    twin = enqueue(name, subject=subject)
    assert take() == []
    services.succeed(*[lease for lease in [_lease_of(first)] if lease])
    claims.positions.look_back(QUEUE, twin.due_at.timestamp())  # as the doorbell does that is rung for it
    assert take() == [twin.id]


def _lease_of(job_id: uuid.UUID) -> Lease:
    job = Job.objects.get(id=job_id)
    return Lease(job_id=job.id, kind=job.kind, subject=job.subject, epoch=job.epoch, starts=1, failures=0)


def test_an_end_comes_too_late_for_a_job_that_somebody_else_holds(kind: Any, enqueue: Any) -> None:
    name = kind()
    mine, other = enqueue(name), enqueue(name)
    leases = claims.claim_due([QUEUE], 5).leases
    expire(other)
    assert services.claim(other.id) is not None
    services.succeed(*leases)
    assert {id_: state for id_, state in states().items() if id_ in (mine.id, other.id)} == {
        mine.id: JobState.SUCCEEDED,
        other.id: JobState.RUNNING,
    }


# -- one that is long, and one that dies -------------------------------------------------------------------------------


def test_a_long_job_keeps_nobody_waiting_and_what_was_done_before_it_is_written_down(kind: Any, enqueue: Any) -> None:
    def long(lease: Lease) -> None:
        until(lambda: states()[before.id] == JobState.SUCCEEDED and states()[after.id] == JobState.QUEUED)
        assert Job.objects.get(id=lease.job_id).starts == 1

    before = enqueue(kind())
    middle = enqueue(kind(long))
    after = enqueue(kind())
    place = after.due_at
    tasks._size.jobs = 10
    tasks.work_off(QUEUE)
    assert set(states().values()) == {JobState.SUCCEEDED}
    after.refresh_from_db()
    assert (after.due_at, after.epoch) == (place, 2)
    assert Job.objects.get(id=middle.id).epoch == 1
    assert tasks._size.jobs <= 2  # one at a time after it


def test_jobs_of_a_dead_batch_are_taken_over_one_by_one_and_none_counts_as_crashed(kind: Any, enqueue: Any) -> None:
    name = kind()
    jobs = [enqueue(name) for _ in range(3)]
    assert len(take()) == 3  # and its process is gone
    for job in jobs:
        expire(job)
    assert take() == []
    assert {job_id for job_id, _ in services.expired(10)} == {job.id for job in jobs}
    heirs = [services.claim(job.id) for job in jobs]
    assert [(heir.epoch, heir.starts) for heir in heirs if heir] == [(2, 1)] * 3


def test_leases_of_many_threads_are_renewed_by_one_thread(kind: Any, enqueue: Any, settings: Any) -> None:
    settings.JOBS_LEASE_SECONDS = 0.6
    name = kind()
    jobs = [enqueue(name) for _ in range(3)]
    leases = claims.claim_due([QUEUE], 5).leases
    with leases[0], leases[1], leases[2]:
        assert [thread.name for thread in threading.enumerate()].count("lease-keeper") == 1
        Job.objects.filter(id=jobs[1].id).update(epoch=9)
        time.sleep(1.5)
        assert [lease.is_taken for lease in leases] == [False, True, False]
        assert services.claim(jobs[0].id) is None


# -- being asked to stop -----------------------------------------------------------------------------------------------


def test_a_worker_that_stops_hands_back_what_it_has_not_begun_and_what_it_has_in_hand(kind: Any, enqueue: Any) -> None:
    def page_after_page(lease: Lease) -> None:
        assert not lease.is_lost
        stopping.ask_to_stop()
        assert lease.is_lost
        raise LeaseLost(str(lease.job_id))

    jobs = [enqueue(kind(page_after_page)), enqueue(kind())]
    tasks._size.jobs = 10
    tasks.work_off(QUEUE)
    found = Job.objects.filter(id__in=[job.id for job in jobs]).values_list("state", "starts", "failures")
    assert list(found) == [(JobState.QUEUED, 0, 0)] * 2


def test_what_is_taken_away_while_it_stops_is_not_handed_back(kind: Any, enqueue: Any) -> None:
    def cancelled(lease: Lease) -> None:
        stopping.ask_to_stop()
        services.cancel(kind=lease.kind, subject=lease.subject)
        with lease.scope():
            pytest.fail("a cancelled job wrote")

    job = enqueue(kind(cancelled))
    tasks.work_off(QUEUE)
    assert states()[job.id] == JobState.CANCELLED


# -- whose turn it is --------------------------------------------------------------------------------------------------


def test_who_asks_for_little_does_not_wait_for_who_asked_for_much(
    kind: Any, enqueue: Any, aamu: Tenant, kaste: Tenant
) -> None:
    name = kind(tenant_required=True)
    many = [enqueue(name, tenant=aamu) for _ in range(services.BURST_OF_LANE[1] + 20)]
    few = [enqueue(name, tenant=kaste) for _ in range(3)]
    lanes = [job.lane for job in many]
    assert lanes == sorted(lanes)
    assert set(lanes) == set(LANES)
    assert {job.lane for job in few} == {0}
    first = take(30)
    assert {job.id for job in few} < set(first)
    assert first[: lanes.count(0)] == [job.id for job in many if job.lane == 0]


def test_a_burst_is_forgotten_and_what_is_nobodys_is_never_one(kind: Any, enqueue: Any, aamu: Tenant) -> None:
    name = kind()
    for _ in range(services.BURST_OF_LANE[0] + 1):
        last = enqueue(name, tenant=aamu)
    assert last.lane == 1
    Job.objects.filter(tenant=aamu).update(created_at=timezone.now() - timedelta(seconds=40))
    assert enqueue(name, tenant=aamu).lane == 0
    assert {enqueue(name).lane for _ in range(services.BURST_OF_LANE[0] + 5)} == {0}


def test_of_a_workers_places_a_tenant_with_a_long_line_leaves_one(
    kind: Any, enqueue: Any, aamu: Tenant, kaste: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "_concurrency", 2)
    name = kind()
    held = enqueue(name, tenant=aamu)
    assert take(1) == [held.id]
    line = [enqueue(name, tenant=aamu) for _ in range(3)]
    Job.objects.filter(id__in=[job.id for job in line]).update(lane=1)
    other = enqueue(name, tenant=kaste)
    Job.objects.filter(id=other.id).update(lane=2)
    assert take() == [other.id]
    services.succeed(_lease_of(held.id))
    assert take() == [job.id for job in line]  # passed over, and not forgotten


def test_the_first_queue_comes_first(kind: Any, enqueue: Any) -> None:
    slow = [enqueue(kind(queue="sync")) for _ in range(3)]
    quick = enqueue(kind())
    found = claims.claim_due([QUEUE, "sync"], 2).leases
    assert [lease.job_id for lease in found] == [quick.id, slow[0].id]


# -- never walking what is done ----------------------------------------------------------------------------------------


def walked() -> int:
    """Entries of the queue's indexes and rows of its table that were read so far, by this connection and closed ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT sum(idx_tup_read) + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'jobs_job')"
            " FROM pg_stat_user_indexes WHERE relname = 'jobs_job'"
        )
        return int(cursor.fetchone()[0])


def test_statistics_that_know_of_nothing_queued_do_not_make_a_worker_walk_the_line(kind: Any) -> None:
    """The planner then takes every index of queued rows for empty: so each statement leaves it one that it may use."""
    name = kind()
    _insert(3000, name, "ended_at", "'succeeded', clock_timestamp()")
    address = warm_server.WarmServer().admin_address(connection.settings_dict["NAME"])
    with psycopg.connect(address, autocommit=True) as server:
        server.execute("VACUUM ANALYZE jobs_job")  # what other tests left in the index is none of it
    _insert(3000, name, "lease_until", "'queued', NULL")
    before = walked()
    leases = claims.claim_due([QUEUE], 10).leases
    services.succeed(*leases)
    assert len(leases) == 10
    assert walked() - before < 100


def _insert(jobs: int, kind: str, column: str, values: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO jobs_job (id, kind, subject, queue, due_at, starts, failures, owner, epoch, reason, created_at, state,"
            f" {column}) SELECT gen_random_uuid(), %s, gen_random_uuid(), '{QUEUE}', clock_timestamp(), 0, 0, '', 0, '',"
            f" clock_timestamp(), {values} FROM generate_series(1, %s)",
            [kind, jobs],
        )


def test_a_transaction_that_is_held_open_does_not_make_a_claim_walk_what_is_done(kind: Any, enqueue: Any) -> None:
    name = kind()
    address = warm_server.WarmServer().admin_address(connection.settings_dict["NAME"])
    with psycopg.connect(address) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM jobs_job")
        for _ in range(300):
            enqueue(name)
        while leases := claims.claim_due([QUEUE], 50).leases:
            services.succeed(*leases)
        time.sleep(claims.LOOK_BACK_SECONDS + 0.1)
        take()  # moves the positions behind all of it
        job = enqueue(name)
        before = walked()
        assert take() == [job.id]
        assert walked() - before < 40
        claims.positions.look_back(QUEUE, 0.0)
        before = walked()
        take()
        assert walked() - before >= 300  # what it would cost from the beginning


def test_what_comes_to_stand_before_a_position_is_found_by_its_ring_and_by_the_sweep(kind: Any, enqueue: Any) -> None:
    job = enqueue(kind())
    make_due(job)
    late = Job.objects.get(id=job.id).due_at.timestamp()
    claims.positions.move([(QUEUE, 0)], [late + 0.5], [float("-inf")])
    assert take() == []
    [(queue, jobs, since)] = tasks._sweeper.due()
    assert (queue, jobs, since) == (QUEUE, 1, late)
    tasks.work_off(queue, since)
    assert states()[job.id] == JobState.SUCCEEDED


@pytest.mark.parametrize("due_at", ["-infinity", "infinity"])
def test_an_infinite_time_stops_nobody(kind: Any, enqueue: Any, due_at: str) -> None:
    """As somebody with the web's login may write it."""
    name = kind()
    forged, job = enqueue(name), enqueue(name)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET due_at = %s WHERE id = %s", [due_at, forged.id])
    for queue, _, since in tasks._sweeper.due():
        tasks.work_off(queue, max(since, 0.0))
    found = dict(Job.objects.filter(id__in=[forged.id, job.id]).values_list("id", "state"))
    assert found[job.id] == JobState.SUCCEEDED
    assert found[forged.id] == (JobState.SUCCEEDED if due_at == "-infinity" else JobState.QUEUED)


@pytest.mark.parametrize("queue", ["", "elsewhere", "mail", None, 7, [], {}])
def test_a_doorbell_for_a_queue_that_is_not_served_does_nothing(kind: Any, enqueue: Any, queue: Any) -> None:
    job = enqueue(kind())
    tasks.work_off(queue, 0.0)
    assert states()[job.id] == JobState.QUEUED


@pytest.mark.parametrize("since", ["", "soon", None, float("nan"), float("inf"), -1, [], {}, True])
def test_a_doorbell_with_a_forged_time_does_what_is_due(kind: Any, enqueue: Any, since: Any) -> None:
    job, later = enqueue(kind()), enqueue(kind(), due_at=timezone.now() + timedelta(hours=1))
    tasks.work_off(QUEUE, since)
    assert (states()[job.id], states()[later.id]) == (JobState.SUCCEEDED, JobState.QUEUED)


def test_two_processes_take_each_job_once(kind: Any, enqueue: Any) -> None:
    name = kind()
    jobs = {enqueue(name).id for _ in range(60)}
    taken: list[uuid.UUID] = []
    gate = threading.Barrier(4)

    def take_all() -> None:
        gate.wait(10)
        while found := take(7):
            taken.extend(found)
        connections.close_all()

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken) == len(set(taken))
    claims.positions.look_back(QUEUE, 0.0)
    assert {*taken, *take()} == jobs


def test_a_batch_writes_down_what_is_done_even_when_it_is_broken_off(kind: Any, enqueue: Any) -> None:
    class BrokenOff(BaseException):
        pass

    name = kind()
    first, second, third = (enqueue(name).id for _ in range(3))
    leases = claims.claim_due([QUEUE], 5).leases

    def do(lease: Lease) -> bool:
        if lease.job_id == second:
            raise BrokenOff
        return True

    with pytest.raises(BrokenOff):
        Batch(leases, is_counted=False).work(do)
    found = states()
    assert (found[first], found[second], found[third]) == (JobState.SUCCEEDED, JobState.RUNNING, JobState.QUEUED)
