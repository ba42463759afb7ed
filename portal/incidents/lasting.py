"""Trouble that passes by itself, once it has lasted for a day; and set-ups that nobody has finished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid5

from django.db.models import Min
from django.utils import timezone

from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.spec.faults import Fault, Responsible
from connections.sync import faults
from connections.sync.models import RunState, SyncRun
from connections.vault.models import Connection, ConnectionState
from portal.incidents import notices, outages
from portal.incidents.kinds import MailKind
from portal.incidents.lifecycle import Cause, Sighting, note_trouble
from portal.incidents.models import Evident
from portal.incidents.recipients import opener_of

LOOK_WHETHER_LASTING = "incidents.look_whether_lasting"
REMIND = "incidents.remind"
LASTS_AFTER = timedelta(days=1)
LOOK_DURING_OUTAGE = timedelta(hours=6)
REMINDED_AFTER = (timedelta(days=1), timedelta(days=3), timedelta(days=5))


_is_elsewhere: Callable[[Connection], bool] | None = None


def connect_turns(is_elsewhere: Callable[[Connection], bool]) -> None:
    """Called while the apps load, by portal/onboarding, which knows whether somebody else was asked to do a step."""
    global _is_elsewhere
    _is_elsewhere = is_elsewhere


def passes_by_itself(fault: Fault) -> bool:
    """Nobody here can mend it: it is an incident only once it has lasted."""
    return fault.responsible in (Responsible.NOBODY, Responsible.PROVIDER) and fault.code not in faults.COMPANY_FAULTS


def watch(connection: Connection) -> None:
    """Trouble that may pass by itself has begun: look in a day. In a worker."""
    due_at = timezone.now() + LASTS_AFTER
    enqueue(kind=LOOK_WHETHER_LASTING, subject=connection.id, tenant_id=connection.tenant_id, due_at=due_at)


def look_whether_lasting(lease: TenantLease) -> Again | None:
    """Job: open an incident for a connection that has not been read for a day, unless its provider has an outage."""
    now = timezone.now()
    with lease.scope():
        connection = Connection.objects.standing().filter(id=lease.subject).first()
        run = SyncRun.objects.filter(connection_id=lease.subject).order_by("-queued_at", "-id").first()
        if connection is None or run is None or not run.fault:
            return None
        fault = faults.resolve_fault(provider=connection.provider, code=run.fault)
        since = _unread_since(connection)
        if fault is None or since is None or not passes_by_itself(fault):
            return None
        if outages.is_under_way(connection):
            return Again(now + LOOK_DURING_OUTAGE, "an outage")
        if now < since + LASTS_AFTER:
            return Again(since + LASTS_AFTER, "it has not lasted for a day")
        note_trouble(
            connection=connection,
            cause=Cause(fault.code, fault.responsible, fault.checkpoint),
            sighting=Sighting(Evident.DURATION, entry_id=run.entry_id, run_id=run.id),
        )
    return None


def _unread_since(connection: Connection) -> datetime | None:
    """When the first run since the last green one began; None where the newest one is green."""
    runs = SyncRun.objects.filter(connection=connection).exclude(state=RunState.CANCELLED)
    green = runs.filter(state=RunState.SUCCEEDED).order_by("-queued_at").values_list("queued_at", flat=True).first()
    later = runs.exclude(state=RunState.SUCCEEDED)
    if green is not None:
        later = later.filter(queued_at__gt=green)
    since: datetime | None = later.aggregate(since=Min("started_at"))["since"]
    return since


def remind(lease: TenantLease) -> Again | None:
    """Job: a set-up that was begun and not finished; whoever began it is reminded after 1, 3 and 5 days, and then no more.

    Nobody is while somebody else was asked to do a step, who is reminded instead.
    """
    now = timezone.now()
    with lease.scope():
        connection = Connection.objects.filter(id=lease.subject, state=ConnectionState.SETUP).first()
        if connection is None:
            return None
        age = now - connection.created_at
        passed = [number for number, after in enumerate(REMINDED_AFTER) if age >= after]
        if passed and not (_is_elsewhere and _is_elsewhere(connection)):
            notices.tell(
                connection=connection,
                kind=MailKind.WAITS,
                about=uuid5(connection.id, str(passed[-1])),
                members=opener_of(connection, MailKind.WAITS),
            )
        following = REMINDED_AFTER[len(passed) :]
    return Again(connection.created_at + following[0], "not finished yet") if following else None
