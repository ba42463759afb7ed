"""What sync tests share: a run taken to its end, and what is kept next to what is served."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection as database
from django.db.models import F

from connections.jobs.models import Job
from connections.providers import registry
from connections.sync import engine, services
from connections.sync.models import Record, RunLogLine, StreamProgress, Trigger
from connections.tenancy.scope import Actor, tenant_scope
from tests.roles import acting_as

ALICE = Actor(1, "Alice Aalto")
STREAMS = ("partners", "invoices")


@pytest.fixture(autouse=True)
def two_streams(monkeypatch):
    """Two streams of one list each are enough to see the engine by; tests/contract reads everything of everybody."""
    every = registry.all_providers()
    few = [replace(each, variants=()) for each in every["procountor"].streams if each.name in STREAMS]
    known = {**every, "procountor": replace(every["procountor"], streams=tuple(few))}
    monkeypatch.setattr(registry, "all_providers", lambda: known)
    monkeypatch.setattr(registry, "find", known.get)


class Syncing:
    """One connection's syncs, asked for as the web does and done as a worker does."""

    def __init__(self, connection, sandbox, work_off):
        self.connection, self.sandbox, self.work_off = connection, sandbox, work_off

    def start(self, trigger=Trigger.HAND):
        with acting_as("web"), tenant_scope(self.connection.tenant_id):
            return services.start_run(connection=self.connection, trigger=trigger, actor=ALICE)

    def run(self, trigger=Trigger.HAND):
        """A run to its end, or to where it waits."""
        started = self.start(trigger)
        self.work_off()
        started.refresh_from_db()
        return started

    def kept(self, stream):
        rows = Record.objects.filter(connection=self.connection, stream=stream)
        return {int(key): body for key, body in rows.values_list("external_id", "body")}

    def served(self, stream):
        # What a list hides unless it is asked for is read by whoever knows of its variants.
        is_varied = bool(registry.all_providers()["procountor"].stream(stream).variants)
        records = self.sandbox.records(stream, active="all" if is_varied else "true")
        return {record["id"]: record for record in records}

    def is_complete(self):
        return all(self.kept(stream) == self.served(stream) for stream in STREAMS)

    def progress(self, run, stream):
        return StreamProgress.objects.get(run=run, stream=stream)

    def codes(self, run):
        return list(RunLogLine.objects.filter(run=run).values_list("code", flat=True))

    def asked(self, operation=""):
        """How many calls the provider saw, of one operation (`GET /invoices`) or of all."""
        state = self.sandbox.state()
        return state["calls_by_operation"].get(operation, 0) if operation else state["calls"]


@pytest.fixture
def syncing(committed_db, connected, sandbox, work_off):
    return Syncing(connected, sandbox, work_off)


@pytest.fixture
def page_by_page(monkeypatch):
    """Every slice is over after one page."""
    clock = iter(range(0, 10**9, 15))
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))


@pytest.fixture
def let_time_pass():
    """`let_time_pass(job_kind)` makes its queued jobs due now."""

    def pass_by(kind=services.RUN):
        Job.objects.filter(kind=kind, state="queued").update(due_at=F("due_at") - timedelta(days=2))

    return pass_by


def versions():
    """(ctid, xmin) of every record row: any write, even of the same values, and any lock moves one of them."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT tenant_id || stream || external_id, ctid::text, xmin::text, xmax::text FROM sync_record"
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}
