"""The queue is rows: what is accepted is done once, by one holder at a time, and comes to a visible end."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from connections.jobs import registry, services
from connections.jobs.lease import LeaseLost
from connections.jobs.models import Job, JobState
from connections.jobs.tasks import work
from tests.due_jobs import due
from tests.jobs.conftest import expire, make_due
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture(autouse=True)
def as_worker(committed_db):
    with acting_as("worker"):
        yield


def fresh(job):
    job.refresh_from_db()
    return job


# -- putting in --------------------------------------------------------------------------------------------------------


def test_one_row_waits_per_kind_and_subject_at_the_earlier_time(kind, enqueue):
    name, subject = kind(), uuid.uuid4()
    late = timezone.now() + timedelta(hours=2)
    first = enqueue(name, subject=subject, due_at=late)
    assert first.due_at == late
    assert enqueue(name, subject=subject, due_at=late + timedelta(hours=1)).due_at == late
    second = enqueue(name, subject=subject)
    assert second.id == first.id
    assert second.due_at <= timezone.now()
    assert enqueue(name).id != first.id


def test_work_that_nobody_can_do_is_refused_when_it_is_put_in(enqueue):
    with pytest.raises(LookupError):
        enqueue("test.unknown")


def test_what_is_rolled_back_was_never_asked_for(kind):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.enqueue(kind=kind(), subject=uuid.uuid4(), tenant_id=None)
        raise ZeroDivisionError
    assert not Job.objects.exists()


def test_the_web_may_put_in_cancel_and_queue_again_but_not_take(kind, enqueue):
    name = kind()
    with acting_as("web"):
        job = enqueue(name)
        assert services.cancel(kind=name, subject=job.subject) == 1
        again = services.queue_again(fresh(job))
        assert Job.objects.get(id=again).state == JobState.QUEUED
        with pytest.raises(Exception, match="permission denied"):
            services.claim(again)


# -- taking ------------------------------------------------------------------------------------------------------------


def test_only_what_is_due_and_free_is_taken(kind, enqueue):
    job = enqueue(kind(), due_at=timezone.now() + timedelta(minutes=1))
    assert services.claim(job.id) is None
    assert services.claim(uuid.uuid4()) is None
    make_due(job)
    lease = services.claim(job.id)
    assert (lease.job_id, lease.epoch, lease.starts) == (job.id, 1, 1)
    assert services.claim(job.id) is None


def test_of_many_takers_one_gets_it(kind, enqueue):
    job = enqueue(kind())
    gate, taken = threading.Barrier(12), []

    def take():
        gate.wait(10)
        taken.append(services.claim(job.id))
        connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken) == 12
    assert len([lease for lease in taken if lease]) == 1
    assert fresh(job).epoch == 1


def test_a_twin_waits_for_its_turn(kind, enqueue, monkeypatch):
    name, subject, rung = kind(), uuid.uuid4(), []
    first = services.claim(enqueue(name, subject=subject).id)
    twin = enqueue(name, subject=subject)
    assert twin.id != first.job_id
    assert services.claim(twin.id) is None
    # Even when the first one's holder is dead: the first is taken over, not overtaken.
    expire(Job.objects.get(id=first.job_id))
    assert services.claim(twin.id) is None
    second = services.claim(first.job_id)
    monkeypatch.setattr(services, "_ring", lambda queue, since: rung.append((queue, since)))
    services.succeed(second)
    assert rung == [("interactive", twin.due_at.timestamp())]
    assert services.claim(twin.id) is not None


def test_handing_back_leaves_the_rest_to_a_queued_twin(kind, enqueue):
    name, subject = kind(lambda lease: registry.Again()), uuid.uuid4()
    lease = services.claim(enqueue(name, subject=subject).id)
    twin = enqueue(name, subject=subject)
    services.hand_back(lease, registry.Again())
    assert Job.objects.get(id=lease.job_id).state == JobState.SUCCEEDED
    assert fresh(twin).state == JobState.QUEUED


# -- the lease ---------------------------------------------------------------------------------------------------------


def test_a_dead_holders_job_is_taken_over_and_the_dead_may_write_nothing(kind, enqueue):
    job = enqueue(kind())
    stale = services.claim(job.id)
    assert due(10) == []
    expire(job)
    assert due(10) == [(job.id, "interactive")]
    heir = services.claim(job.id)
    assert (heir.epoch, heir.starts) == (2, 2)
    with pytest.raises(LeaseLost), transaction.atomic():
        stale.check()
    assert stale.is_lost
    for ending in (
        lambda: services.succeed(stale),
        lambda: services.hand_back(stale, registry.Again()),
        lambda: services.fail(stale, ValueError()),
    ):
        ending()
        assert (fresh(job).state, job.epoch) == (JobState.RUNNING, 2)
    with pytest.raises(LeaseLost):
        services.park(stale, "no")
    with transaction.atomic():
        heir.check()


def test_a_lease_is_checked_where_it_is_needed_only(kind, enqueue):
    lease = services.claim(enqueue(kind()).id)
    with pytest.raises(RuntimeError):
        lease.check()


def test_the_check_holds_until_the_commit(kind, enqueue):
    """Between the check and the commit nobody can take the job over, however late it is."""
    job = enqueue(kind())
    lease = services.claim(job.id)
    found = []

    def take():
        found.append(services.claim(job.id))
        connections.close_all()

    with transaction.atomic():
        lease.check()
        Job.objects.filter(id=job.id).update(lease_until=timezone.now() - timedelta(hours=1))
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(10)
    assert found == [None]
    assert services.claim(job.id) is not None


def test_the_heart_beats_and_feels_when_it_is_refused(kind, enqueue, settings):
    settings.JOBS_LEASE_SECONDS = 0.6
    job = enqueue(kind())
    with services.claim(job.id) as lease:
        time.sleep(1.3)
        assert services.claim(job.id) is None
        assert not lease.is_lost
        Job.objects.filter(id=job.id).update(epoch=9)
        time.sleep(0.5)
        assert lease.is_lost
    time.sleep(0.7)
    assert due(10) == [(job.id, "interactive")]


def test_who_sleeps_in_its_transaction_does_not_keep_the_job_for_ever(kind, enqueue, settings):
    """A process that is stopped between check and commit holds the row's lock; the database throws it out."""
    settings.JOBS_LEASE_SECONDS = 1
    job = enqueue(kind())
    lease = services.claim(job.id)
    ready, wake, ended = threading.Event(), threading.Event(), []

    def sleeper():
        try:
            with transaction.atomic():
                lease.check()
                ready.set()
                wake.wait(20)
                Job.objects.filter(id=job.id).update(reason="written by the sleeper")
        except Exception as error:
            ended.append(type(error).__name__)
        finally:
            connections.close_all()

    thread = threading.Thread(target=sleeper)
    thread.start()
    assert ready.wait(10)
    expire_at = time.monotonic() + 10
    heir = None
    while heir is None and time.monotonic() < expire_at:
        time.sleep(0.2)
        heir = services.claim(job.id)
    assert heir is not None
    wake.set()
    thread.join(10)
    assert len(ended) == 1
    assert fresh(job).reason == ""


# -- coming to an end --------------------------------------------------------------------------------------------------


def test_a_handler_that_returns_has_done_its_job(kind, enqueue):
    seen = []
    job = enqueue(kind(lambda lease: seen.append(lease.subject)))
    work(str(job.id))
    work(str(job.id))
    assert seen == [job.subject]
    assert fresh(job).state == JobState.SUCCEEDED
    assert job.ended_at
    assert (job.lease_until, job.owner) == (None, "")


def test_again_means_later_and_forgets_what_went_wrong_before(kind, enqueue):
    due = timezone.now() + timedelta(minutes=5)
    job = enqueue(kind(lambda lease: registry.Again(due, "quota")))
    Job.objects.update(failures=7, starts=2)
    work(str(job.id))
    assert (fresh(job).state, job.due_at, job.reason) == (JobState.QUEUED, due, "quota")
    assert (job.failures, job.starts, job.lease_until) == (0, 0, None)


def test_failures_wait_longer_each_time_and_are_parked_after_eight(kind, enqueue):
    parked = []

    def fail(lease):
        msg = "a text that quotes a provider"
        raise ValueError(msg)

    job = enqueue(kind(fail, on_parked=lambda lease: parked.append(lease.subject)))
    waits = []
    for number in range(1, 8):
        work(str(job.id))
        assert (fresh(job).state, job.failures) == (JobState.QUEUED, number)
        assert job.reason == "ValueError"
        waits.append(round((job.due_at - timezone.now()).total_seconds()))
        make_due(job)
    assert waits == [1, 2, 4, 8, 16, 60, 300]
    assert parked == []
    work(str(job.id))
    assert (fresh(job).state, job.reason) == (JobState.PARKED, "failed 8 times, last: ValueError")
    assert parked == [job.subject]
    assert due(10) == []


def test_who_kills_its_worker_three_times_is_parked_and_the_others_go_on(kind, enqueue):
    starts, parked, others = [], [], []

    class Killed(BaseException):
        pass

    def kill(lease):
        starts.append(lease.starts)
        raise Killed

    poison = enqueue(kind(kill, on_parked=lambda lease: parked.append(lease.subject)))
    other = enqueue(kind(lambda lease: others.append(1)))
    for _ in range(3):
        with pytest.raises(Killed):
            work(str(poison.id))
        expire(poison)
    work(str(other.id))
    work(str(poison.id))
    work(str(poison.id))
    assert starts == [1, 2, 3]
    assert (fresh(poison).state, poison.reason) == (JobState.PARKED, "its worker died 3 times")
    assert parked == [poison.subject]
    assert fresh(other).state == JobState.SUCCEEDED
    # A person may try once more; it is counted anew.
    again = services.queue_again(poison)
    assert Job.objects.get(id=again).starts == 0


def test_a_kind_that_gives_up_says_why(kind, enqueue):
    def give_up(lease):
        msg = "the connection is gone"
        raise registry.Parked(msg)

    job = enqueue(kind(give_up))
    work(str(job.id))
    assert (fresh(job).state, job.reason) == (JobState.PARKED, "the connection is gone")


def test_parking_and_its_room_are_one_commit(kind, enqueue):
    def cannot(lease):
        raise ZeroDivisionError

    job = enqueue(kind(on_parked=cannot))
    lease = services.claim(job.id)
    with pytest.raises(ZeroDivisionError):
        services.park(lease, "why")
    assert fresh(job).state == JobState.RUNNING


def test_a_cancelled_job_is_fenced_off(kind, enqueue):
    name = kind()
    job = enqueue(name)
    lease = services.claim(job.id)
    assert services.cancel(kind=name, subject=job.subject) == 1
    with pytest.raises(LeaseLost), transaction.atomic():
        lease.check()
    services.succeed(lease)
    assert fresh(job).state == JobState.CANCELLED


def test_a_kind_nobody_knows_any_more_is_parked(kind, enqueue):
    job = enqueue(kind())
    Job.objects.filter(id=job.id).update(kind="test.forgotten")
    work(str(job.id))
    assert (fresh(job).state, job.reason) == (JobState.PARKED, "no handler for this kind")


# -- who is rung for ---------------------------------------------------------------------------------------------------


def test_a_long_line_in_one_queue_does_not_hide_the_other(kind, enqueue):
    slow, quick = kind(queue="sync"), kind(queue="interactive")
    for _ in range(5):
        enqueue(slow)
    waiting = enqueue(quick)
    found = due(3)
    assert (waiting.id, "interactive") in found
    assert [queue for _, queue in found].count("sync") == 3


@pytest.mark.parametrize("name", [each.name for each in registry.kinds() if each.tenant_required])
def test_a_job_of_a_tenant_without_one_is_not_queued_and_never_ends_as_done(name, monkeypatch, caplog):
    """Nothing of ours queues one; a row may be written by whoever has the web's login."""
    with pytest.raises(ValueError, match="is some tenant's"):
        services.enqueue(kind=name, subject=uuid.uuid4(), tenant_id=None)
    for called in ("handler", "on_parked"):
        replaced = replace(registry.kind_of(name), **{called: lambda lease: pytest.fail("handed to its room")})
        monkeypatch.setitem(registry._KINDS, name, replaced)
    job = Job.objects.create(kind=name, subject=uuid.uuid4(), queue=registry.kind_of(name).queue)
    work(str(job.id))
    job = fresh(job)
    assert (job.state, job.reason) == (JobState.PARKED, "it names no tenant")
    assert f"({name}) names no tenant" in caplog.text


def test_a_handler_that_asks_for_a_tenant_where_there_may_be_none_fails(kind, enqueue):
    job = enqueue(kind(lambda lease: lease.tenant_id))
    work(str(job.id))
    assert (fresh(job).state, fresh(job).reason) == (JobState.QUEUED, "AttributeError")


def test_registering_is_checked():
    with pytest.raises(ValueError, match="no such queue"):
        registry.register("test.elsewhere", queue="elsewhere", handler=lambda lease: None)
    with pytest.raises(ValueError, match="already has a handler"):
        registry.register("sync.run", queue="sync", handler=lambda lease: None)


@pytest.mark.parametrize(
    "forged",
    ["", "nonsense", None, 7, [], {}, ["x"], {"job_id": 1}, "00000000-0000-4000-8000-000000000000", 1.5, True],
)
def test_a_doorbell_that_names_no_job_does_nothing(forged, kind, enqueue):
    job = enqueue(kind(), due_at=timezone.now() + timedelta(hours=1))
    before = fresh(job).__dict__ | {"_state": None}
    work(forged)
    assert fresh(job).__dict__ | {"_state": None} == before
