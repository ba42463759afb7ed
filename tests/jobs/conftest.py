"""Kinds of jobs that only tests have, real workers on a real broker, and a way to let leases run out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.jobs import doorbell, registry, services
from connections.jobs.models import Job
from connections.jobs.tasks import sweep
from portal.devserver.state import Folders
from portal.devserver.valkey import Valkey
from tests.kinds import starts_processes
from tests.processes import ROOT, worker_environment

LEASE = 2


@pytest.fixture
def kind(monkeypatch):
    """`kind(handler)` registers a kind for this test and returns its name."""
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))

    def add(handler=lambda lease: None, *, queue="interactive", on_parked=None, name="", tenant_required=False):
        name = name or f"test.{uuid.uuid4().hex[:8]}"
        registry.register(name, queue=queue, handler=handler, on_parked=on_parked, tenant_required=tenant_required)
        return name

    return add


@pytest.fixture
def enqueue():
    def put(name, *, subject=None, tenant=None, **more):
        job_id = services.enqueue(
            kind=name, subject=subject or uuid.uuid4(), tenant_id=tenant.id if tenant else None, **more
        )
        return Job.objects.get(id=job_id)

    return put


def expire(job):
    """As if its holder had not renewed for a lease's length."""
    Job.objects.filter(id=job.id).update(lease_until=timezone.now() - timedelta(seconds=1))


def make_due(job):
    Job.objects.filter(id=job.id).update(due_at=timezone.now() - timedelta(seconds=1))


@pytest.fixture
@starts_processes
def broker(tmp_path_factory, monkeypatch):
    """A broker of this test's own, that it may stop; this process rings there, too."""
    from portal.celery import app

    # A short path: where it were too long for a socket, each start would take another.
    folders = Folders(tmp_path_factory.mktemp("b"))
    folders.make()
    valkey = Valkey(folders)
    valkey.start()
    monkeypatch.setattr(app.conf, "broker_url", valkey.address)
    monkeypatch.setattr(app.conf, "broker_write_url", valkey.address)
    monkeypatch.setattr(doorbell, "_doorbell", doorbell._Doorbell())
    yield valkey
    valkey.stop()


@pytest.fixture
@starts_processes
def start_worker(broker, tmp_path):
    """`start_worker()` starts one that serves both queues with one pool child; all are gone after the test."""
    started = []

    def start(concurrency=1, lease_seconds=LEASE):
        log = tmp_path / f"worker-{len(started)}.log"
        command = [
            sys.executable,
            "-m",
            "celery",
            "--app",
            "tests.jobs.worker",
            "--quiet",
            "worker",
            "--pool",
            "prefork",
        ]
        command += ["--queues", "interactive,sync", "--concurrency", str(concurrency)]
        command += ["--hostname", f"t{len(started)}@%h", "--without-mingle", "--without-gossip", "--without-heartbeat"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=worker_environment(BROKER_URL=broker.address, PORTAL_LEASE_SECONDS=str(lease_seconds)),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        process.log = log
        until(lambda: " ready." in log.read_text(), lambda: log.read_text()[-3000:])
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(reached, what="it", seconds=40):
    deadline = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < deadline, f"waited {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.05)
    return found


def swept_until(reached, what="it", seconds=40):
    """Sweeps stand in for beat."""

    def once():
        sweep()
        time.sleep(0.2)
        return reached()

    return until(once, what, seconds)
