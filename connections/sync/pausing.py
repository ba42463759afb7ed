"""Pausing a connection and resuming it: nothing is read meanwhile, and a run goes on where it was.

A customer's press does it at once. Our staff have no right on states and runs: their press is written down, and a worker
follows it.
"""

from __future__ import annotations

from typing import NoReturn

from django.db import transaction
from django.db.models import Case, Value, When
from django.utils.translation import gettext_lazy as _

from connections.jobs import services as jobs
from connections.jobs.lease import TenantLease
from connections.spec.text import Text
from connections.sync import sentences
from connections.sync.models import Level, RunState, SyncRun
from connections.sync.schedule import cancel_planned, ensure_planned
from connections.sync.services import RUN, note
from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM, Actor
from connections.vault import pauses
from connections.vault.models import Connection
from connections.vault.services import ActionRefused, refuse_disconnected

FOLLOW = "sync.follow_pause"

LONGEST_REASON = 200
NOT_STANDING = _("Only a connection that stands can be paused.")
NOT_PAUSED = _("This connection is not paused.")


def pause(*, connection: Connection, reason: str, actor: Actor) -> None:
    """Stop reading until somebody resumes it. In the tenant's scope.

    A worker in the middle of a page gets LeaseLost: that page is not written. Raises ActionRefused without a reason, and
    where the connection does not stand.
    """
    reason = _clean(reason)
    with transaction.atomic():
        if not _pause(connection, reason, actor.name):
            _refuse(connection, NOT_STANDING)
        _record(connection, actor, "connection.paused", reason=reason)


def resume(*, connection: Connection, actor: Actor) -> None:
    """Read again: a run that was paused goes on, and the next slot is the first from now. In the tenant's scope.

    Raises ActionRefused where it is not paused.
    """
    if not _resume(connection, actor.name):
        _refuse(connection, NOT_PAUSED)
    _record(connection, actor, "connection.resumed")


def ask_pause(*, connection: Connection, reason: str, actor: Actor) -> None:
    """The same for our staff, in their scope: a worker pauses it."""
    reason = _clean(reason)
    if not pauses.ask_pause(connection=connection, reason=reason, who=actor.name):
        _refuse(connection, NOT_STANDING)
    jobs.enqueue(kind=FOLLOW, subject=connection.id, tenant_id=connection.tenant_id)
    _record(connection, actor, "connection.paused", reason=reason)


def ask_resume(*, connection: Connection, actor: Actor) -> None:
    """The same for our staff, in their scope: a worker resumes it."""
    if not pauses.ask_resume(connection=connection):
        _refuse(connection, NOT_PAUSED)
    jobs.enqueue(kind=FOLLOW, subject=connection.id, tenant_id=connection.tenant_id)
    _record(connection, actor, "connection.resumed")


def follow(lease: TenantLease) -> None:
    """Job: make a connection what our staff wrote that it is to be. Nothing where it is that already."""
    with lease.scope():
        connection = Connection.objects.filter(id=lease.subject).first()
        if connection is None:
            return
        if connection.paused_at is not None and connection.is_standing:
            _pause(connection, connection.pause_reason, connection.paused_by)
        elif connection.paused_at is None and connection.is_paused:
            _resume(connection, SYSTEM.name)


def _pause(connection: Connection, reason: str, who: str) -> bool:
    # The jobs, then the run, then the connection, in the order in which a sync that writes a page locks them: no deadlock.
    cancel_planned(connection=connection)
    for run in SyncRun.objects.for_connection(connection).active():
        jobs.cancel(kind=RUN, subject=run.id)
        if SyncRun.objects.active().filter(id=run.id).update(state=RunState.PAUSED):
            note(run=run, level=Level.WARNING, code=sentences.PAUSED, who=who, why=reason)
    return pauses.pause(connection=connection, reason=reason, who=who)


def _resume(connection: Connection, who: str) -> bool:
    if not pauses.resume(connection=connection):
        return False
    # One that waits for the provider waits on.
    waits = When(waiting_until__isnull=False, then=Value(RunState.WAITING))
    for run in SyncRun.objects.for_connection(connection).unended():
        paused = SyncRun.objects.filter(id=run.id, state=RunState.PAUSED)
        if paused.update(state=Case(waits, default=Value(RunState.QUEUED))):
            note(run=run, code=sentences.RESUMED, who=who)
        # Also of a run that began in the moment of the pause, whose job a worker has put off.
        jobs.enqueue(kind=RUN, subject=run.id, tenant_id=run.tenant_id, due_at=run.waiting_until)
    ensure_planned(connection=connection)
    return True


def _clean(reason: str) -> str:
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise ActionRefused(_("Say why: the reason stands on the pages of the connection, and in the audit trail."))
    return reason


def _refuse(connection: Connection, sentence: Text) -> NoReturn:
    """Raises ActionRefused."""
    refuse_disconnected(connection)
    raise ActionRefused(sentence)


def _record(connection: Connection, actor: Actor, action: str, **details: str) -> None:
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id), **details)
