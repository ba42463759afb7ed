"""What the staff pages' tests look at: one tenant with a connection, its checklist, a run, requests, a parked job."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connections.calls.models import Call
from connections.jobs.models import Job, JobState
from connections.sync.models import ProgressState, RunLogLine, RunState, StreamProgress, SyncRun, Trigger
from connections.tenancy import audit
from connections.tenancy.models import AuditEvent, SystemAuditEvent
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.models import RequestLogEntry
from connections.vault.models import ClientRegistration, Connection, Grant
from connections.vault.secret import Secret
from connections.vault.services import bind_company, mark_healthy, register_client, store_credential
from portal.certification.models import CertificationReport
from portal.members.models import Invitation, Membership
from portal.members.permissions import Role
from portal.members.services import invite
from portal.notices.models import OutgoingMail
from portal.onboarding.services import begin

# Planted, and looked for in every page.
API_KEY = "canary-of-the-api-key-7f3a"
CLIENT_SECRET = "canary-of-the-client-secret-91bc"
WRITTEN = "canary-of-what-was-written-55d0"


@dataclass
class House:
    """One row of everything that has a staff page."""

    tenant: Any
    connection: Connection
    run: SyncRun
    call: Call
    entry: RequestLogEntry
    job: Job
    registration: ClientRegistration
    mail: OutgoingMail
    invitation: Invitation
    membership: Membership
    event: AuditEvent
    system_event: SystemAuditEvent
    report: CertificationReport


def log_entry(tenant: Any, connection: Connection, **values: Any) -> RequestLogEntry:
    """One entry of the request log."""
    entry = RequestLogEntry(
        **{
            "at": timezone.now(),
            "tenant": tenant,
            "connection": connection,
            "provider": connection.provider,
            "environment": connection.environment,
            "operation": "invoices.list",
            "method": "GET",
            "path_template": "/invoices",
            "status": 200,
            "outcome": "answered",
            "duration_ms": 12,
            "provider_request_id": f"req-{uuid.uuid4().hex[:8]}",
            **values,
        }
    )
    entry.save(force_insert=True)
    return entry


def certification_report() -> CertificationReport:
    """One with a line that is kept and one that falls short."""
    line = {"checkpoint": "7", "title": "A line", "limit": "60", "todo": "Look there.", "counted": 12, "figure": 3}
    rows = [{"kind": "request", "id": str(uuid.uuid4())}, {"kind": "declaration", "id": "customers"}]
    lines = [
        {**line, "slug": "kept", "state": "kept", "breaches": 0, "rows": []},
        {**line, "slug": "short", "state": "short", "breaches": 22, "rows": rows},
    ]
    figures = {"requests": 12, "connections": 1, "customers": 1, "programme": "A programme", "source": "its page"}
    day = timezone.now().date()
    report = CertificationReport(
        provider="procountor", environment="test", first_day=day, last_day=day, asked_by="ada", asked_at=timezone.now(),
        state="computed", content=json.dumps({**figures, "lines": lines}), digest="0" * 64, computed_at=timezone.now(),
    )  # fmt: skip
    report.save(force_insert=True)
    return report


@pytest.fixture
def house(aamu: Any, alice: Any, settings: Any) -> House:
    from portal.env import SandboxHosts

    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    registration = register_client(
        provider="procountor", environment="test", client_id="pilotage-test", client_secret=Secret(CLIENT_SECRET)
    )
    with tenant_scope(aamu.id):
        onboarding = begin(tenant=aamu, provider="procountor", environment="sandbox", actor=alice.actor)
        connection = onboarding.connection
        store_credential(connection=connection, name="api_key", secret=Secret(API_KEY), actor=alice.actor)
        bind_company(connection=connection, company_id="4711", company_name="Aamun Kirjat Oy")
        mark_healthy(connection=connection)
        invite(tenant=aamu, email="new@aamu.example", role=Role.VIEWER, actor=SYSTEM, up_to=Role.OWNER)
    Grant(
        tenant=aamu,
        connection=connection,
        key_version=1,
        access_ciphertext=b"canary-of-the-token",
        issued_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
        generation=3,
    ).save(force_insert=True)
    run = SyncRun(
        tenant=aamu, connection=connection, trigger=Trigger.HAND, asked_by=alice.email, state=RunState.FAILED,
        started_at=timezone.now(), ended_at=timezone.now(), fault="api-key-refused",
    )  # fmt: skip
    run.save(force_insert=True)
    StreamProgress(
        tenant=aamu, run=run, stream="invoices", order=1, state=ProgressState.READING, seen=50, expected=200
    ).save(force_insert=True)
    RunLogLine(tenant=aamu, run=run, code="started").save(force_insert=True)
    entry = log_entry(aamu, connection, run_id=run.id, status=401, outcome="refused", fault="api-key-refused")
    RunLogLine(
        tenant=aamu,
        run=run,
        level="error",
        code="failed",
        values={"fault": "api-key-refused", "entry": str(entry.id)},
    ).save(force_insert=True)
    SyncRun.objects.filter(id=run.id).update(entry_id=entry.id)
    call = Call(
        tenant=aamu, connection=connection, operation="invoices.send", is_write=True, asked_by=alice.email,
        body=f'"{WRITTEN}"', answer=WRITTEN, arguments=f'{{"path": {{"id": "{WRITTEN}"}}}}',
        troubles=[["a", WRITTEN]], state="unknown", why="not-found", fault="unknown-outcome", entry_id=entry.id,
    )  # fmt: skip
    call.save(force_insert=True)
    job = Job(
        tenant=aamu, kind="sync.run", subject=run.id, queue="sync", state=JobState.PARKED, reason="failed 8 times"
    )
    job.save(force_insert=True)
    audit.record_system(actor=alice.actor, action="session.signed_in", subject=alice.email)
    return House(
        tenant=aamu,
        connection=Connection.objects.get(id=connection.id),
        run=SyncRun.objects.get(id=run.id),
        call=call,
        entry=entry,
        job=job,
        registration=ClientRegistration.objects.get(id=registration),
        mail=OutgoingMail.objects.earliest("created_at"),
        invitation=Invitation.objects.get(),
        membership=Membership.objects.get(user=alice),
        event=AuditEvent.objects.latest("happened_at"),
        system_event=SystemAuditEvent.objects.latest("happened_at"),
        report=certification_report(),
    )
