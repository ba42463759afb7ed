"""The job that waits for a connection's next slot: each slot starts one run at most, or its row says why it did not."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from connections.jobs import services as jobs
from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.sync.models import Schedule, ScheduleSlot, SlotOutcome, Trigger
from connections.sync.schedule import slots_after, start_time
from connections.sync.schedule_models import SLOTS_KEPT
from connections.sync.services import start_run
from connections.tenancy.scope import SYSTEM
from connections.tenancy.settings import time_zone_of
from connections.vault.models import Connection
from connections.vault.services import ActionRefused


def start_due(lease: TenantLease) -> None:
    """Job: settle the slots that have come and wait for the next one, in one commit (SECURITY JOB-8). Woken too early, it
    only waits on.

    A connection that does not stand, or is synced by hand only, ends the job; the next run by hand makes it anew.
    """
    with lease.scope():
        connection = Connection.objects.select_related("tenant").filter(id=lease.subject).first()
        schedule = Schedule.objects.select_for_update().filter(connection_id=lease.subject).first()
        if connection is None or schedule is None or not connection.is_standing:
            return
        now = timezone.now()
        due: list[datetime] = []
        # What the row says is the web's to write: however long ago that is, no more is looked at than is kept.
        since = max(schedule.settled_at, now - SLOTS_KEPT)
        for slot in slots_after(schedule, time_zone_of(connection.tenant_id), since):
            if slot > now:
                # In this transaction instead of after it: the caller then finds the row handed back and leaves it alone.
                _settle(connection, due, now)
                jobs.hand_back(lease, Again(start_time(connection, slot)))
                return
            due.append(slot)


def _settle(connection: Connection, due: list[datetime], now: datetime) -> None:
    """One run for the latest of them; those before it passed while nobody worked, and it reads what they would have."""
    if not due:
        return
    mine = ScheduleSlot.objects.for_connection(connection)
    settled = set(mine.filter(due_at__in=due).values_list("due_at", flat=True))
    unsettled = [slot for slot in due if slot not in settled]
    rows = [_row(connection, slot, SlotOutcome.MISSED) for slot in unsettled[:-1]]
    for slot in unsettled[-1:]:
        outcome, run_id = SlotOutcome.HELD, None
        # While a tenant is suspended its slots go by, and the job stays for the day it is active again.
        with suppress(ActionRefused):
            run = start_run(connection=connection, trigger=Trigger.SCHEDULE, actor=SYSTEM)
            outcome = SlotOutcome.STARTED if run.queued_at >= now else SlotOutcome.JOINED
            run_id = run.id
        rows.append(_row(connection, slot, outcome, run_id))
    ScheduleSlot.objects.bulk_create(rows, batch_size=1000)
    Schedule.objects.for_connection(connection).update(settled_at=due[-1])


def _row(connection: Connection, slot: datetime, outcome: SlotOutcome, run_id: UUID | None = None) -> ScheduleSlot:
    return ScheduleSlot(
        tenant_id=connection.tenant_id, connection_id=connection.id, due_at=slot, outcome=outcome, run_id=run_id
    )
