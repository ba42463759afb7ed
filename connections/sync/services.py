"""Starting and cancelling sync runs, and writing what one has to tell."""

from __future__ import annotations

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs import services as jobs
from connections.providers import registry
from connections.sync import faults, sentences
from connections.sync.models import Level, RunLogLine, RunState, StreamProgress, SyncRun, Trigger
from connections.sync.schedule import cancel_planned, chosen_streams, ensure_planned, schedule_of
from connections.tenancy import audit
from connections.tenancy.models import TenantState
from connections.tenancy.scope import Actor
from connections.vault.models import STANDING, Connection, ConnectionState
from connections.vault.services import DISCONNECTED_SENTENCE, ActionRefused

RUN = "sync.run"
RUN_ENDED = "sync.run_ended"  # its handler belongs to whoever draws conclusions from a run


def start_run(*, connection: Connection, trigger: Trigger, actor: Actor) -> SyncRun:
    """Queue a run in the caller's transaction and scope; the active one is returned where there is one.

    Raises ActionRefused while the connection does not stand (a first run may start in set-up) or is paused, in a way that
    is no longer offered, or while the tenant is suspended.
    """
    allowed = (*STANDING, ConnectionState.SETUP) if trigger is Trigger.FIRST else STANDING
    state, fault = Connection.objects.values_list("state", "fault").get(id=connection.id)
    if state == ConnectionState.DISCONNECTED:
        raise ActionRefused(DISCONNECTED_SENTENCE)
    if state == ConnectionState.PAUSED:
        raise ActionRefused(_("This connection is paused: resume it first."))
    if state not in allowed:
        raise ActionRefused(_("This connection does not stand yet, so there is nothing to sync."))
    if fault in faults.COMPANY_FAULTS and (holding := faults.resolve_fault(provider=connection.provider, code=fault)):
        raise ActionRefused(holding.customer_message)
    if not registry.all_providers()[connection.provider].offers(connection.auth_method):
        raise ActionRefused(faults.AUTH_METHOD_WITHDRAWN.customer_message)
    if connection.tenant.state == TenantState.SUSPENDED:
        raise ActionRefused(_("Syncs are off while this customer is suspended."))
    while True:
        run = SyncRun(
            tenant_id=connection.tenant_id, connection_id=connection.id, trigger=trigger, asked_by=actor.name
        )
        # The partial unique index lets one active run in; of two callers at once, one waits here and inserts nothing.
        SyncRun.objects.bulk_create([run], ignore_conflicts=True)
        active = SyncRun.objects.for_connection(connection).unended().first()
        if active is None:
            continue  # the one that stood in the way has ended since
        if active.id != run.id:
            return active
        break
    active.connection = connection
    _queue(active, actor)
    ensure_planned(connection=connection)
    return active


def _queue(run: SyncRun, actor: Actor) -> None:
    """Lay out the streams that were chosen, and ask a worker to read them."""
    streams = chosen_streams(run.connection, schedule_of(run.connection))
    StreamProgress.objects.bulk_create(
        StreamProgress(tenant_id=run.tenant_id, run=run, stream=stream.name, order=order)
        for order, stream in enumerate(streams)
    )
    note(run=run, code=sentences.QUEUED, trigger=run.trigger, who=actor.name)
    jobs.enqueue(kind=RUN, subject=run.id, tenant_id=run.tenant_id)
    audit.record(
        tenant_id=run.tenant_id,
        actor=actor,
        action="sync.started",
        subject=str(run.connection_id),
        run=str(run.id),
        trigger=run.trigger,
    )


def cancel_run(*, run: SyncRun, actor: Actor) -> bool:
    """End a run in the caller's transaction and scope. False when it has ended already.

    A worker in the middle of a page gets LeaseLost: that page is not written.
    """
    # The job's row is locked before the run's, in the order in which a sync that writes a page locks them: the other order
    # could deadlock with it.
    jobs.cancel(kind=RUN, subject=run.id)
    now = timezone.now()
    ended = (
        SyncRun.objects.unended()
        .filter(id=run.id)
        .update(state=RunState.CANCELLED, ended_at=now, cancelled_by=actor.name)
    )
    if not ended:
        return False
    run.state, run.ended_at, run.cancelled_by = RunState.CANCELLED, now, actor.name
    note(run=run, level=Level.WARNING, code=sentences.CANCELLED, who=actor.name)
    jobs.enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=run.tenant_id)
    audit.record(
        tenant_id=run.tenant_id, actor=actor, action="sync.cancelled", subject=str(run.connection_id), run=str(run.id)
    )
    return True


def cancel_active(*, connection: Connection, actor: Actor) -> None:
    """End the run that has not ended, if there is one. What was read stays."""
    for run in SyncRun.objects.for_connection(connection).unended().select_related("connection"):
        cancel_run(run=run, actor=actor)


def stop(*, connection: Connection, actor: Actor) -> None:
    """End the active run, if there is one, and let no slot start another."""
    cancel_active(connection=connection, actor=actor)
    cancel_planned(connection=connection)


def note(*, run: SyncRun, code: str, level: Level = Level.INFO, **values: object) -> None:
    """Write one log line in the caller's transaction and scope; `values` are JSON and fill the sentence of `code`."""
    # The statement's own time by the database's clock: the lines of one transaction stay in order.
    RunLogLine(tenant_id=run.tenant_id, run_id=run.id, at=Now(), level=level, code=code, values=values).save(
        force_insert=True
    )
