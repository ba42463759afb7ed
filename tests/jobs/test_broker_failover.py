"""A broker that fails over, loads, unblocks, dies or stands still: who works and who rings go on, and no job is lost."""

from __future__ import annotations

import logging
import time
import uuid

import pytest

from connections.jobs import registry, services
from connections.jobs.models import Job, JobState
from tests.jobs import worker as test_kinds
from tests.jobs.broker_troubles import TROUBLES
from tests.jobs.conftest import swept_until, until

pytestmark = [pytest.mark.usefixtures("committed_db", "doorbell"), pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    test_kinds.register()


def put(kind=test_kinds.QUICK):
    return services.enqueue(kind=kind, subject=uuid.uuid4(), tenant_id=None)


@pytest.mark.parametrize("name", TROUBLES)
def test_workers_and_doorbells_outlive_a_broker_in_trouble(start_worker, broker, caplog, name):
    """Two come while the only hand is busy, and last until it is done: what it did cannot be acknowledged."""
    worker = start_worker()
    caplog.set_level(logging.ERROR)
    slow = [put(test_kinds.SLOW)] if name in ("killed", "replaced") else []
    until(lambda: Job.objects.filter(state=JobState.RUNNING).count() == len(slow))
    with TROUBLES[name](broker):
        begun = time.monotonic()
        jobs = [*slow, *(put() for _ in range(3))]
        assert time.monotonic() - begun < 30, "a doorbell held up whoever rang"
        if name == "killed":
            until(lambda: "Couldn't ack" in worker.log.read_text(), worker.log.read_text)
    jobs.append(put())
    rows = Job.objects.filter(id__in=jobs)
    swept_until(lambda: not rows.exclude(state=JobState.SUCCEEDED).exists(), worker.log.read_text)
    assert worker.poll() is None, worker.log.read_text()[-3000:]
    assert set(rows.values_list("epoch", flat=True)) == {1}, "something was done twice"
    assert not caplog.records, "a broker in trouble is no error of ours"
