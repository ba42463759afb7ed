"""Connections are kept from job to job and from ring to ring, and one that is gone costs no job."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection

from connections.jobs import doorbell, registry, services
from connections.jobs.models import Job, JobState
from tests import warm_server
from tests.jobs import worker as test_kinds
from tests.jobs.broker_troubles import client, frozen
from tests.jobs.conftest import swept_until

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    test_kinds.register()


def backends() -> set[int]:
    """Of the workers' connections to the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'portal-worker'"
            " AND datname = current_database()"
        )
        return {pid for (pid,) in cursor.fetchall()}


def terminate(pids: set[int]) -> None:
    with psycopg.connect(warm_server.WarmServer().admin_address(), autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [list(pids)])


def do_one() -> None:
    job_id = services.enqueue(kind=test_kinds.QUICK, subject=uuid.uuid4(), tenant_id=None)
    swept_until(lambda: Job.objects.get(id=job_id).state == JobState.SUCCEEDED)
    assert Job.objects.get(id=job_id).epoch == 1


@pytest.mark.usefixtures("doorbell")
def test_a_worker_keeps_its_connection_and_opens_another_when_it_was_cut(start_worker: Any) -> None:
    start_worker()
    do_one()
    first = backends()
    do_one()
    assert backends() == first != set()
    terminate(first)
    do_one()
    assert backends().isdisjoint(first)


def test_a_claim_outlives_a_connection_that_was_cut_while_it_lay_idle(kind: Any, enqueue: Any) -> None:
    job = enqueue(kind())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = cursor.fetchone()[0]
    terminate({own})
    lease = services.claim(job.id)
    assert lease is not None
    assert lease.epoch == 1


def test_rings_share_a_connection_and_another_is_opened_when_it_is_gone(broker: Any) -> None:
    link = client(broker)
    known = ids(link)
    doorbell.ring("sync", None)
    opened = ids(link) - known
    doorbell.ring("sync", None)
    assert ids(link) - known == opened != set()
    broker.stop()
    doorbell.ring("sync", None)  # nobody hears it, and nothing is raised
    broker.start()
    link = client(broker)
    known = ids(link)
    doorbell.ring("sync", None)
    before = link.llen("sync")
    for each in ids(link) - known:
        link.client_kill_filter(_id=each)
    doorbell.ring("sync", None)  # what it knew as open was cut: the same ring is heard over a new one
    assert link.llen("sync") == before + 1


def test_threads_ring_one_after_the_other_and_a_broker_that_stands_still_holds_nobody(broker: Any) -> None:
    def ring_together() -> None:
        threads = [threading.Thread(target=doorbell.ring, args=("sync", None)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in threads)

    link = client(broker)
    doorbell.ring("sync", None)
    known = ids(link)
    ring_together()
    assert ids(link) == known
    with frozen(broker):
        ring_together()


def ids(link: Any) -> set[str]:
    """Of everybody's connections to the broker."""
    return {each["id"] for each in link.client_list()}
