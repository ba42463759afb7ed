"""An incident's beginning and end, each by evidence: called where a run's end or a check is written down, in workers.

A set-up that has never worked opens none: somebody is at its page. What passes by itself opens none until it has lasted
for a day (lasting.py), and a provider's trouble is one outage instead of many incidents (outages.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connections.jobs.lease import TenantLease
from connections.spec.faults import Responsible
from connections.sync import faults
from connections.vault.models import Connection
from connections.vault.states import STANDING_OR_PAUSED
from portal.incidents import notices, staff_mails
from portal.incidents.kinds import MailKind
from portal.incidents.models import Evident, Incident

CONNECTION_LEFT = "incidents.close_left"
# Whoever has just typed a key is at the page and mends it there: mails about what a check has shown wait for so long.
CHECK_GRACE = timedelta(minutes=10)


@dataclass(frozen=True)
class Sighting:
    """The evidence that something is wrong, or right again."""

    by: Evident
    entry_id: UUID | None = None
    run_id: UUID | None = None


@dataclass(frozen=True)
class Cause:
    """What is wrong: a fault's code or that of a check's sentence, where it is mended, by whom, and values for the sentence."""

    code: str
    responsible: Responsible
    checkpoint: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def note_trouble(
    *, connection: Connection, cause: Cause, sighting: Sighting, is_told_elsewhere: bool = False
) -> Incident | None:
    """Open an incident, or count one more sighting of the one that is open. None for a connection that never stood.

    In a worker, in the tenant's scope, after the connection's own row was written. A new one is mailed, unless
    `is_told_elsewhere`: then people were written to about it in another way.
    """
    if not Connection.objects.filter(id=connection.id, state__in=STANDING_OR_PAUSED).exists():
        return None
    now = timezone.now()
    seen_again = {"last_seen_at": now, "times_seen": F("times_seen") + 1}
    same = _open(connection).filter(cause=cause.code)
    if same.update(**seen_again, values=dict(cause.values)):
        return None
    # Another word for what is mended at the same checkpoint: whoever mends it need not be told twice.
    if cause.checkpoint and cause.code not in faults.COMPANY_FAULTS:
        alike = _open(connection).filter(checkpoint=cause.checkpoint, responsible=cause.responsible.value)
        if alike.exclude(cause__in=faults.COMPANY_FAULTS).update(**seen_again):
            return None
    incident = Incident(
        tenant_id=connection.tenant_id,
        connection=connection,
        cause=cause.code,
        checkpoint=cause.checkpoint,
        values=dict(cause.values),
        responsible=cause.responsible.value,
        opened_at=now,
        opened_by=sighting.by,
        entry_id=sighting.entry_id,
        run_id=sighting.run_id,
        last_seen_at=now,
        is_told_elsewhere=is_told_elsewhere,
    )
    Incident.objects.bulk_create([incident], ignore_conflicts=True)
    if not Incident.objects.filter(id=incident.id).exists():  # another worker was quicker
        same.update(**seen_again)
        return None
    if cause.responsible is Responsible.US:
        staff_mails.tell_of_incident(incident)
    elif not is_told_elsewhere:
        grace = CHECK_GRACE if sighting.by is Evident.CHECK else timedelta()
        notices.tell(connection=connection, kind=MailKind.BROKEN, about=incident.id, not_before=now + grace)
    return incident


def close_by_run(
    *, connection: Connection, run_id: UUID, started_at: datetime | None, unproved: Collection[str] = ()
) -> int:
    """A run read everything: what was last seen before it began is over. Where the company is in doubt, a run proves nothing.

    `unproved`: checkpoints that only a check can judge, and that do not pass now: what a check has shown there stays until
    one disproves it, or it would be opened, and mailed, anew after every run.
    """
    if started_at is None:
        return 0
    # What had lasted for a day was said while this very run waited.
    rows = _open(connection).filter(Q(last_seen_at__lt=started_at) | Q(opened_by=Evident.DURATION))
    rows = rows.exclude(opened_by=Evident.CHECK, checkpoint__in=unproved)
    if Connection.objects.filter(id=connection.id, fault__in=faults.COMPANY_FAULTS).exists():
        return 0
    return _close(rows, Sighting(Evident.RUN, run_id=run_id))


def close_by_check(
    *, connection: Connection, checkpoints: Collection[str], entry_id: UUID | None, proves_company: bool = False
) -> int:
    """A check showed that these checkpoints pass: what is mended there is over, and a doubt about the company if it is proved."""
    disproved = Q(checkpoint__in=checkpoints) & ~Q(cause__in=faults.COMPANY_FAULTS)
    if proves_company:
        disproved |= Q(cause__in=faults.COMPANY_FAULTS)
    return _close(_open(connection).filter(disproved), Sighting(Evident.CHECK, entry_id=entry_id))


def close_left(lease: TenantLease) -> None:
    """Job: nothing is wrong any more with a connection that was disconnected. Nobody is mailed: somebody pressed it."""
    with lease.scope():
        connection = Connection.objects.disconnected().filter(id=lease.subject).first()
        if connection is None:
            return
        incidents = list(_open(connection).values_list("id", flat=True))
        _open(connection).update(closed_at=timezone.now(), closed_by=Evident.LEFT)
        notices.overtake(tenant_id=connection.tenant_id, about=incidents)


def _open(connection: Connection) -> QuerySet[Incident]:
    return Incident.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id, closed_at=None)


def _close(rows: QuerySet[Incident], sighting: Sighting) -> int:
    """Each at once with its mail: to those who were told of it, and to nobody where that had not happened yet."""
    now = timezone.now()
    closed = 0
    for incident in rows.select_related("connection").order_by("opened_at", "id"):
        is_ours = Incident.objects.filter(id=incident.id, closed_at=None).update(
            closed_at=now,
            closed_by=sighting.by,
            closing_entry_id=sighting.entry_id,
            closing_run_id=sighting.run_id,
        )
        if not is_ours:  # another worker was quicker
            continue
        closed += 1
        incident.closed_at = now
        if incident.responsible == Responsible.US:
            staff_mails.tell_of_end(incident)
        elif incident.is_told_elsewhere:
            notices.tell(connection=incident.connection, kind=MailKind.HEALED, about=incident.id)
        else:
            notices.tell_of_end(tenant_id=incident.tenant_id, about=incident.id)
    return closed
