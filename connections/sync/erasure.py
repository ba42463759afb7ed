"""Deletes what was read through a connection that was left, where its owner wants that: a day later, so that it can be undone."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection as database
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.sync.models import Record, RecordVersion, StreamCursor
from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM, Actor
from connections.transport.models import Departure
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused

DELETE_RECORDS = "sync.delete_records"
TAKEN_BACK_WITHIN = timedelta(days=1)  # so long what is to be deleted stays, and the owner may change their mind
BATCH_ROWS = 5000  # of one transaction

TOO_LATE = _("What was read through this connection is being deleted already: that cannot be taken back.")

_DELETE = (
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
    " WHERE tenant_id = %s AND connection_id = %s LIMIT %s))"
)


def choose(*, connection: Connection, keeps: bool, actor: Actor) -> None:
    """Keep or delete what was read through a connection that is disconnected. Needs the tenant's scope.

    Raises ActionRefused once the deletion has begun.
    """
    departure = Departure.objects.for_connection(connection).select_for_update().first()
    if departure is None or departure.is_deleting:
        raise ActionRefused(TOO_LATE)
    if departure.keeps_records == keeps:
        return
    Departure.objects.filter(id=departure.id).update(keeps_records=keeps)
    ask_for_deletion(connection)
    audit.record(
        tenant_id=connection.tenant_id,
        actor=actor,
        action="connection.records_kept" if keeps else "connection.records_to_delete",
        subject=str(connection.id),
    )


def ask_for_deletion(connection: Connection) -> None:
    """Have a worker look whether its records are to be deleted."""
    enqueue(kind=DELETE_RECORDS, subject=connection.id, tenant_id=connection.tenant_id)


def delete_records(lease: TenantLease) -> Again | None:
    """Job: delete the records of a connection that was left, batch by batch, once the day is over in which that can be
    taken back. Does nothing for one that keeps them, or is not disconnected.
    """
    while True:
        if lease.is_lost:
            raise LeaseLost(str(lease.job_id))
        with lease.scope():
            departure = _wanted(lease)
            if departure is None:
                return None
            now = timezone.now()
            if departure.deletes_at is None:
                # The day begins when a worker sees the wish: no web process can set it back.
                Departure.objects.filter(id=departure.id).update(deletes_at=now + TAKEN_BACK_WITHIN)
                return Again(now + TAKEN_BACK_WITHIN)
            if departure.deletes_at > now:
                return Again(departure.deletes_at)
            lease.forget_crashes()
            records = _delete_batch(Record, departure)
            if records:
                rows = Departure.objects.filter(id=departure.id)
                rows.update(deleted_records=F("deleted_records") + records)
            elif not _delete_batch(RecordVersion, departure):
                _end(departure)
                return None


def _wanted(lease: TenantLease) -> Departure | None:
    """The departure whose records are to be deleted and are not yet; the day begins anew for who kept them meanwhile."""
    rows = Departure.objects.filter(
        connection_id=lease.subject, connection__state=ConnectionState.DISCONNECTED, deleted_at=None
    )
    departure = rows.select_for_update(of=("self",)).first()
    if departure is None or not departure.keeps_records:
        return departure
    Departure.objects.filter(id=departure.id).update(deletes_at=None)
    return None


def _delete_batch(model: type[Record | RecordVersion], departure: Departure) -> int:
    with database.cursor() as cursor:
        cursor.execute(
            _DELETE.format(table=model._meta.db_table), [departure.tenant_id, departure.connection_id, BATCH_ROWS]
        )
        return int(cursor.rowcount)


def _end(departure: Departure) -> None:
    """Nothing is left but that there was something: when lists were read stays, what their records looked like does not."""
    StreamCursor.objects.filter(connection_id=departure.connection_id).update(
        records=0, gone=0, newest="", shape={}, shape_changes=[]
    )
    Departure.objects.filter(id=departure.id).update(deleted_at=timezone.now())
    audit.record(
        tenant_id=departure.tenant_id,
        actor=SYSTEM,
        action="connection.records_deleted",
        subject=str(departure.connection_id),
        records=departure.deleted_records,
    )
