"""A run's state changes, each with its log line, in the caller's transaction and scope."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now

from connections.jobs import services as jobs
from connections.jobs.lease import TenantLease
from connections.sync import faults, sentences
from connections.sync.models import Level, RunState, SyncRun
from connections.sync.services import RUN_ENDED, note


def take_up(run: SyncRun, *, after_a_crash: bool) -> None:
    """A worker takes the run up, or goes on with it."""
    rows = SyncRun.objects.filter(id=run.id)
    if run.state == RunState.QUEUED and run.started_at is not None:  # it was paused
        rows.update(state=RunState.RUNNING)
        note(run=run, code=sentences.WENT_ON)
    elif run.state == RunState.QUEUED:
        rows.update(state=RunState.RUNNING, started_at=Now())
        note(run=run, code=sentences.STARTED)
    elif run.state == RunState.WAITING:
        rows.update(state=RunState.RUNNING, waiting_until=None, fault="", entry_id=None)
        note(run=run, code=sentences.WENT_ON)
    elif after_a_crash:
        note(run=run, code=sentences.TAKEN_OVER, level=Level.WARNING)


def wait(run: SyncRun, *, until: datetime, fault: str, entry_id: UUID | None) -> None:
    """Let the run wait until the provider may be asked again."""
    SyncRun.objects.filter(id=run.id).update(
        state=RunState.WAITING, waiting_until=until, fault=fault, entry_id=entry_id
    )
    values = {"until": until.isoformat(), "fault": fault, **pointing(entry_id)}
    note(run=run, code=sentences.WAITING, level=Level.WARNING, **values)


def end(run: SyncRun, state: RunState, *, fault: str = "", entry_id: UUID | None = None) -> None:
    """End the run. The caller has checked its lease, or locked the run."""
    SyncRun.objects.filter(id=run.id).update(
        state=state, ended_at=Now(), waiting_until=None, fault=fault, entry_id=entry_id
    )
    if state == RunState.SUCCEEDED:
        note(run=run, code=sentences.SUCCEEDED)
    elif state == RunState.INCOMPLETE:
        note(run=run, code=sentences.INCOMPLETE, level=Level.WARNING)
    else:
        note(run=run, code=sentences.FAILED, level=Level.ERROR, fault=fault, **pointing(entry_id))
    jobs.enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=run.tenant_id)


def fail_parked_run(lease: TenantLease) -> None:
    """The job was parked: the run ends with it. In the transaction that parks it, in the tenant's scope."""
    run = SyncRun.objects.active().filter(id=lease.subject).first()
    if run is not None:
        end(run, RunState.FAILED, fault=faults.GAVE_UP.code)


def pointing(entry_id: UUID | None) -> dict[str, str]:
    """The value of a log line that points to the request log."""
    return {"entry": str(entry_id)} if entry_id else {}
