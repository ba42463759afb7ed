"""What sync tests share: a run taken to its end, and what is kept next to what is served."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection as database
from django.db.models import F

from connections.jobs.models import Job
from connections.providers import registry
from connections.providers.registry import all_providers as every_provider  # past what a fixture puts in its place
from connections.sync import engine, pages, services, upsert
from connections.sync.models import Record, RunLogLine, StreamProgress, Trigger
from connections.tenancy.scope import SYSTEM, Actor, tenant_scope
from connections.transport.http import session as http_session
from connections.transport.models import Breaker
from connections.vault.secret import Secret
from connections.vault.services import mark_healthy, open_connection, register_client, store_credential, store_settings
from portal.env import SandboxHosts
from tests.roles import acting_as
from tests.sync.list_server import DIALECTS, ListServer
from tests.sync.logs import lines
from tests.transport.conftest import connect
from tests.transport.hostile import HostileServer

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


@pytest.fixture(autouse=True)
def one_page_ahead(monkeypatch):
    """What a server does at its nth call comes at the same page each time: two pages in flight may change places."""
    monkeypatch.setattr(pages, "MOST_PAGES_AHEAD", 1)


@pytest.fixture
def page_by_page(monkeypatch):
    """Every turn is over after one page."""
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


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    server = HostileServer(tmp_path_factory.mktemp("lists"))
    yield server
    server.close()


class Reader:
    """One connection of one provider and its server; `streams` replaces what is read."""

    def __init__(self, server, connection, work_off):
        self.server, self.connection, self.work_off = server, connection, work_off

    def run(self):
        with acting_as("web"), tenant_scope(self.connection.tenant_id):
            run = services.start_run(connection=self.connection, trigger=Trigger.HAND, actor=ALICE)
        return self.go_on(run)

    def go_on(self, run):
        self.work_off()
        run.refresh_from_db()
        return run

    @property
    def kept(self):
        return set(Record.objects.filter(stream=self.server.dialect.stream).values_list("external_id", flat=True))

    @property
    def served(self):
        return {str(row[self.server.dialect.key]) for row in self.server.rows}

    def progress(self, run, stream=""):
        return StreamProgress.objects.get(run=run, stream=stream or self.server.dialect.stream)

    def said(self, run):
        with tenant_scope(run.tenant_id):
            return [found.sentence for found in lines(run)]


@pytest.fixture
def reading(committed_db, line, system_key, aamu, settings, work_off, monkeypatch):
    """`reading("hesabit")` is a connection that reads one list of it, or `streams` by name."""

    def begin(slug, *streams):
        http_session._local.__dict__.clear()
        line.reset()
        Breaker.objects.all().delete()
        server = ListServer(DIALECTS[slug])
        line.behave = server.behave
        settings.SANDBOX_HOSTS = {
            slug: SandboxHosts(api=line.address, token=f"{line.address}/token", authorize=line.address, ca=line.ca)
        }
        provider = every_provider()[slug]
        wanted = [provider.stream(name) for name in streams] or [
            replace(provider.stream(server.dialect.stream), variants=(), since=None)
        ]
        quotas = tuple(replace(quota, calls=10**6) for quota in provider.quotas)
        known = {slug: replace(provider, streams=tuple(wanted), quotas=quotas)}
        monkeypatch.setattr(registry, "all_providers", lambda: known)
        monkeypatch.setattr(registry, "find", known.get)
        register_client(
            provider=slug, environment="sandbox", client_id="client-1", client_secret=Secret("client-secret"),
            redirect_uri="https://portal.example/callback",
        )  # fmt: skip
        auth_method = "own-client" if slug == "smartbusiness" else ""
        with tenant_scope(aamu.id):
            opened = open_connection(
                tenant=aamu, provider=slug, environment="sandbox", auth_method=auth_method, actor=SYSTEM
            )
            fields = {field.name: field for field in provider.credentials}
            typed = {"api_url": line.address, "auth_url": line.address, "client_id": "theirs", "scope": "all"}
            typed["format"] = "json"
            typed = {name: value for name, value in typed.items() if name in fields}
            if typed:
                store_settings(connection=opened, values=typed, actor=SYSTEM)
            for name in fields.keys() & {"api_key", "client_secret"}:
                store_credential(connection=opened, name=name, secret=Secret("k" * 40), actor=SYSTEM)
        if slug == "hesabit":
            connect(line, opened)
        with tenant_scope(aamu.id):
            mark_healthy(connection=opened)
        opened.refresh_from_db()
        return Reader(server, opened, work_off)

    return begin


@pytest.fixture
def place(committed_db, aamu, settings):
    """A connection that stands, at a provider that is not there."""
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)
        mark_healthy(connection=opened)
    return opened


@pytest.fixture
def keep(place):
    def write(records, *, at=place, **more):
        document = (records if isinstance(records, str) else json.dumps(records)).encode()
        with acting_as("worker"), tenant_scope(at.tenant_id):
            written = upsert.write(connection=at, stream="things", key="id", document=document, **more)
        return written.added, written.changed

    return write
