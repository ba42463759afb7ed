"""Real workers on a real broker: poison, forged messages, a broker that is gone, a worker that slept too long."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
import uuid
from datetime import timedelta

import pytest
from celery import Celery
from django.conf import settings as django_settings
from django.db import connection as database
from django.utils import timezone

from connections.jobs import heartbeats, registry, services
from connections.jobs.doorbell import ring_for_each
from connections.jobs.models import Heartbeat, Job, JobState
from connections.jobs.tasks import sweep
from connections.providers.registry import all_providers
from connections.sync import engine
from connections.sync.models import Record, RunState, StreamProgress
from connections.sync.services import RUN
from connections.transport.limits import retry
from tests.jobs import worker as test_kinds
from tests.jobs.conftest import swept_until, until
from tests.sync.conftest import Syncing, versions

pytestmark = [pytest.mark.usefixtures("committed_db", "doorbell"), pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    test_kinds.register()


def put(kind, **more):
    return Job.objects.get(id=services.enqueue(kind=kind, subject=uuid.uuid4(), tenant_id=None, **more))


def state_of(job):
    job.refresh_from_db()
    return job.state


def test_poison_is_parked_after_three_starts_and_others_go_on(start_worker):
    worker = start_worker()
    until(lambda: Heartbeat.objects.filter(kind="worker", queues="interactive,sync").exists())
    poison, other = put(test_kinds.KILLS), put(test_kinds.QUICK)
    swept_until(lambda: state_of(poison) == JobState.PARKED, lambda: f"{poison.state} {poison.starts}")
    assert poison.reason == "its worker died 3 times"
    # Three starts, the one that only parked it, and one that does not count where it was taken together with the other.
    assert poison.epoch in (4, 5)
    swept_until(lambda: state_of(other) == JobState.SUCCEEDED)
    late = put(test_kinds.QUICK)
    swept_until(lambda: state_of(late) == JobState.SUCCEEDED)
    assert Heartbeat.objects.get(name=heartbeats.TAKEOVERS).count >= 3
    _warning_of_root, brace, log = worker.log.read_text().partition("{")
    lines = [json.loads(line) for line in (brace + log).splitlines()]
    assert {line["of"] for line in lines} == {"worker"}, "every line is JSON and says of what"


def test_work_is_accepted_while_the_broker_is_gone_and_found_when_it_is_back(start_worker, broker):
    worker = start_worker()
    first = put(test_kinds.QUICK)
    swept_until(lambda: state_of(first) == JobState.SUCCEEDED)
    broker.stop()
    begun = time.monotonic()
    jobs = [put(test_kinds.QUICK) for _ in range(3)]
    assert time.monotonic() - begun < 30  # three doorbells that nobody hears
    assert {state_of(job) for job in jobs} == {JobState.QUEUED}
    sweep()  # neither does a sweep fail
    time.sleep(1)
    assert worker.poll() is None
    broker.start()
    swept_until(lambda: {state_of(job) for job in jobs} == {JobState.SUCCEEDED}, seconds=60)
    assert [job.epoch for job in jobs] == [1, 1, 1]


def test_a_doubled_doorbell_does_the_work_once(start_worker):
    start_worker(concurrency=2)
    job = put(test_kinds.SLOW)
    for _ in range(10):
        ring_for_each([(job.id, "sync")])
    swept_until(lambda: state_of(job) == JobState.SUCCEEDED)
    time.sleep(0.5)
    job.refresh_from_db()
    assert job.epoch == 1


def everything():
    """Every row of every table, to compare before and after."""
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM \"{table}\" t"
            )
            found[table] = cursor.fetchone()[0]
        return found


def test_forged_messages_have_no_effect(start_worker, broker, aamu, kaste, connected):
    """Whoever can write to the broker can ring doorbells; there is nothing else to be had."""
    worker = start_worker()
    later = timezone.now() + timedelta(hours=1)
    theirs = services.enqueue(kind=RUN, subject=uuid.uuid4(), tenant_id=kaste.id, due_at=later)
    done = put(test_kinds.QUICK)
    swept_until(lambda: state_of(done) == JobState.SUCCEEDED)
    parked = put(test_kinds.QUICK, due_at=later)
    Job.objects.filter(id=parked.id).update(state=JobState.PARKED)
    before = everything()
    asked = Celery(broker=broker.address, set_as_current=False)
    with asked.connection_for_write() as link:
        send = lambda name, args=(), kwargs=None, **more: asked.send_task(  # noqa: E731
            name, list(args), kwargs or {}, queue="sync", connection=link, **more
        )
        for argument in [str(theirs), str(done.id), str(parked.id), str(uuid.uuid4()), str(connected.id)]:
            send("jobs.work", [argument])
        for argument in ["", "x" * 100_000, None, 7, -1.5, True, [], {}, ["a"], {"job_id": str(theirs)}]:
            send("jobs.work", [argument])
        send("jobs.work")
        send("jobs.work", [str(theirs), str(kaste.id)])
        send("jobs.work", [str(theirs)], {"tenant_id": str(aamu.id)})
        send("jobs.sweep", ["now"])
        send("os.system", ["touch /tmp/never"])
        send("connections.vault.keys.make_tenant_key", [str(aamu.id)])
        send("celery.backend_cleanup")
        send("celery.map", [{"task": "jobs.work", "args": []}, [[str(theirs)]]])
        queue = link.SimpleQueue("sync")
        evil = base64.b64encode(b"cos\nsystem\n(S'touch /tmp/never'\ntR.").decode()
        for content_type in ("application/x-python-serialize", "application/x-yaml", "text/plain", "application/json"):
            link.default_channel.basic_publish(
                {
                    "body": evil,
                    "content-type": content_type,
                    "content-encoding": "binary",
                    "headers": {"task": "jobs.work", "id": str(uuid.uuid4())},
                    "properties": {
                        "body_encoding": "base64",
                        "delivery_info": {"exchange": "", "routing_key": "sync"},
                        "delivery_tag": str(uuid.uuid4()),
                        "delivery_mode": 2,
                    },
                },
                exchange="",
                routing_key="sync",
            )
        queue.close()
        asked.control.broadcast("shutdown", connection=link)
        until(lambda: link.default_channel.queue_declare(queue="sync").message_count == 0, worker.log.read_text)
    time.sleep(1)
    assert worker.poll() is None, worker.log.read_text()[-3000:]
    assert everything() == before
    # And it still works.
    last = put(test_kinds.QUICK)
    swept_until(lambda: state_of(last) == JobState.SUCCEEDED, worker.log.read_text)
    assert not os.path.exists("/tmp/never")  # noqa: PTH110


def test_a_worker_that_slept_too_long_writes_no_row(start_worker, connected, sandbox):
    """Stopped while the provider answers; somebody else finishes the run; then it wakes."""
    syncing = Syncing(connected, sandbox, None)
    sandbox.faults([{"path": "/invoices", "delay_ms": 3000, "skip": 1}])
    sleeper, heir = start_worker(), start_worker()
    run = syncing.start()
    # Swept from the start: on a busy machine a doorbell may not be heard within its 200 ms.
    swept_until(lambda: StreamProgress.objects.filter(run=run, stream="invoices", pages=1).exists())
    time.sleep(0.1)
    holder = int(Job.objects.get(kind=RUN).owner.rpartition(":")[2])
    os.kill(holder, signal.SIGSTOP)
    try:
        swept_until(lambda: Job.objects.get(kind=RUN).state == JobState.SUCCEEDED)
        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        assert syncing.is_complete()
        before = versions(), list(StreamProgress.objects.order_by("stream").values()), syncing.codes(run)
        assert "taken-over" in before[2]
    finally:
        os.kill(holder, signal.SIGCONT)
    logs = lambda: sleeper.log.read_text() + heir.log.read_text()  # noqa: E731
    until(lambda: "was taken over or cancelled" in logs(), logs)
    assert (versions(), list(StreamProgress.objects.order_by("stream").values()), syncing.codes(run)) == before
    for stream in ("partners", "invoices"):
        assert Record.objects.filter(stream=stream).count() == len(syncing.served(stream))


def test_settings_of_the_doorbell():
    """SECURITY JOB-6: what Celery may do, and for how long."""
    conf = json.loads(
        json.dumps(
            {name: getattr(django_settings, name) for name in dir(django_settings) if name.startswith("CELERY_")}
        )
    )
    assert conf["CELERY_TASK_SERIALIZER"] == "json"
    assert conf["CELERY_ACCEPT_CONTENT"] == ["json"]
    assert conf["CELERY_TASK_IGNORE_RESULT"] is conf["CELERY_TASK_ACKS_LATE"] is True
    assert conf["CELERY_TASK_REJECT_ON_WORKER_LOST"] is False
    assert conf["CELERY_WORKER_PREFETCH_MULTIPLIER"] == 1
    transport = conf["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert (transport["unacked_restore_interval"], transport["unacked_restore_throttle"]) == (5, 1)
    limits = conf["CELERY_TASK_SOFT_TIME_LIMIT"], conf["CELERY_TASK_TIME_LIMIT"], transport["visibility_timeout"]
    assert limits == tuple(sorted(set(limits)))
    # A turn's last page may be asked for at its end, after some retries, with a token that has to be fetched first.
    longest = max(each.deadlines.total + each.deadlines.token_total for each in all_providers().values())
    assert engine.TURN_SECONDS + retry.LONGEST_CALL_SECONDS + longest < limits[0]
    assert conf["CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT"] == 15
    assert conf["CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE"] is True
    assert conf["CELERY_WORKER_ENABLE_REMOTE_CONTROL"] is False
