"""Workers that are killed or asked to stop, with leases of a minute: what they held goes on long before those end."""

from __future__ import annotations

import os
import signal
import uuid
from typing import Any

import pytest

from connections.jobs import registry, services
from connections.jobs.models import Job, JobState
from tests.jobs import worker as test_kinds
from tests.jobs.conftest import swept_until, until

pytestmark = [pytest.mark.usefixtures("committed_db", "doorbell"), pytest.mark.timeout(180)]

LONG_LEASE = 60


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    test_kinds.register()


def put(kind: str) -> Job:
    return Job.objects.get(id=services.enqueue(kind=kind, subject=uuid.uuid4(), tenant_id=None))


def running(job: Job) -> Job | None:
    return Job.objects.filter(id=job.id, state=JobState.RUNNING).first()


def state_and_epoch(job: Job) -> tuple[str, int]:
    job.refresh_from_db()
    return job.state, job.epoch


def test_what_a_killed_child_held_is_taken_over_by_the_one_that_replaces_it(start_worker: Any) -> None:
    worker = start_worker(lease_seconds=LONG_LEASE)
    job = put(test_kinds.PAGES)
    held = swept_until(lambda: running(job))
    os.kill(int(held.owner.rpartition(":")[2]), signal.SIGKILL)
    until(lambda: state_and_epoch(job) == (JobState.SUCCEEDED, 2), worker.log.read_text)


def test_what_a_killed_worker_held_is_taken_over_by_the_next_one_on_its_machine(start_worker: Any) -> None:
    worker = start_worker(lease_seconds=LONG_LEASE)
    job = put(test_kinds.PAGES)
    swept_until(lambda: running(job))
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    heir = start_worker(lease_seconds=LONG_LEASE)
    until(lambda: state_and_epoch(job) == (JobState.SUCCEEDED, 2), heir.log.read_text)


def test_a_worker_that_is_asked_to_stop_hands_back_what_it_has_in_hand(start_worker: Any) -> None:
    worker = start_worker(lease_seconds=LONG_LEASE)
    job, next_one = put(test_kinds.PAGES), put(test_kinds.PAGES)
    swept_until(lambda: running(job))
    worker.send_signal(signal.SIGTERM)
    until(lambda: state_and_epoch(job) == (JobState.QUEUED, 1), worker.log.read_text)
    assert worker.wait(30) == 0
    assert Job.objects.get(id=next_one.id).state == JobState.QUEUED
    assert Job.objects.get(id=job.id).starts == 0
    services.cancel(kind=next_one.kind, subject=next_one.subject)  # it would never end at its first start
    heir = start_worker(lease_seconds=LONG_LEASE)
    swept_until(lambda: state_and_epoch(job) == (JobState.SUCCEEDED, 2), heir.log.read_text)


def test_a_job_that_kills_its_worker_costs_those_taken_with_it_nothing(start_worker: Any) -> None:
    poison, others = put(test_kinds.KILLS), [put(test_kinds.QUICK) for _ in range(5)]
    worker = start_worker()
    swept_until(lambda: state_and_epoch(poison)[0] == JobState.PARKED, worker.log.read_text)
    swept_until(lambda: {state_and_epoch(job)[0] for job in others} == {JobState.SUCCEEDED}, worker.log.read_text)
    assert poison.reason == "its worker died 3 times"
    assert (
        poison.epoch <= 5
    )  # one start more where it was taken together with others, of which it could not be told apart
    assert {job.starts for job in others} <= {0, 1}
