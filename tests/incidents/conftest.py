"""Incidents on connections whose runs and checks are written by hand, so that thirty days take seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from connections.jobs.models import Job
from connections.jobs.services import enqueue
from connections.sync.models import ProgressState, RunState, StreamProgress, SyncRun, Trigger
from connections.sync.services import RUN_ENDED
from connections.tenancy.scope import person_scope, tenant_scope
from connections.vault.models import Connection
from connections.vault.services import bind_company, mark_healthy
from portal.incidents.models import Incident
from portal.onboarding.services import begin
from tests.roles import acting_as

MENDABLE = "access-ended"  # a fault of the customer's, of a checkpoint


class Office:
    """One tenant with connections that stand; runs end as a test says, and workers do what follows."""

    def __init__(self, tenant: Any, work_off: Callable[..., int]) -> None:
        self.tenant, self.work_off = tenant, work_off

    @contextmanager
    def scope(self, role: str = "worker") -> Iterator[None]:
        with acting_as(role), tenant_scope(self.tenant.id):
            yield

    def connect(self, who: Any, number: int = 1) -> Connection:
        """Begun by this person, and read once."""
        with acting_as("web"), person_scope(who.pk, who.email), tenant_scope(self.tenant.id):
            onboarding = begin(tenant=self.tenant, provider="procountor", environment="test", actor=who.actor)
        connection = Connection.objects.get(id=onboarding.connection_id)
        with self.scope():
            bind_company(connection=connection, company_id=str(number), company_name=f"Books {number}")
            mark_healthy(connection=connection)
        connection.refresh_from_db()
        self.run(connection)
        mail.outbox.clear()  # that it is live
        return connection

    def run(self, connection: Connection, fault: str = "", streams: tuple[str, ...] = ()) -> SyncRun:
        """A run that has ended just now: with this fault, or green."""
        now = timezone.now()
        run = SyncRun(tenant=self.tenant, connection=connection, trigger=Trigger.HAND, queued_at=now)
        run.started_at = run.ended_at = now
        run.state, run.fault = (RunState.FAILED, fault) if fault else (RunState.SUCCEEDED, "")
        with self.scope():
            run.save(force_insert=True)
            for order, stream in enumerate(streams):
                part = StreamProgress(tenant=self.tenant, run=run, stream=stream, order=order, fault=fault)
                part.state = ProgressState.REFUSED
                part.save(force_insert=True)
            enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=self.tenant.id)
        self.work_off()
        return run

    def incidents(self, **filters: Any) -> list[Incident]:
        return list(Incident.objects.filter(tenant=self.tenant, **filters).order_by("opened_at"))


@pytest.fixture
def office(aamu: Any, work_off: Callable[..., int]) -> Office:
    return Office(aamu, work_off)


@pytest.fixture
def no_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a green run has checked again is not asked for: there is no provider here."""
    monkeypatch.setattr("portal.onboarding.diagnosis.ask_check", lambda mark: None)


def mailed() -> dict[str, int]:
    """How many mails each address got since the last time, by their recipients."""
    counts: dict[str, int] = {}
    for message in mail.outbox:
        for address in message.recipients():
            counts[address] = counts.get(address, 0) + 1
    mail.outbox.clear()
    return counts


def let_pass(span: timedelta, *tables: tuple[Any, tuple[str, ...]]) -> None:
    """Time passes: what is written with a time is older by so much. Jobs that wait are nearer by it."""
    Job.objects.filter(state="queued").update(due_at=F("due_at") - span)
    for model, columns in tables:
        model.objects.update(**{column: F(column) - span for column in columns})
