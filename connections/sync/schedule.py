"""The job that starts a run every N hours: one row per connection, due at the next slot."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from django.utils import timezone

from connections.jobs import services as jobs
from connections.jobs.lease import TenantLease
from connections.jobs.models import Job
from connections.jobs.registry import Again
from connections.sync.models import Trigger
from connections.sync.services import start_run
from connections.tenancy.scope import SYSTEM
from connections.vault.models import Connection
from connections.vault.services import ActionRefused


def start_due(lease: TenantLease) -> None:
    """Job: start the run of this slot and wait for the next one, in one commit: a slot never starts two runs.

    A connection that does not stand, or is synced by hand only, ends the row; the next run by hand makes it anew.
    """
    with lease.scope():
        connection = Connection.objects.select_related("tenant").filter(id=lease.subject).first()
        if connection is None or not connection.sync_every_hours or not connection.is_standing:
            return
        slot = Job.objects.values_list("due_at", flat=True).get(id=lease.job_id)
        # While a tenant is suspended its slots go by, and the row stays for the day it is active again.
        with suppress(ActionRefused):
            start_run(connection=connection, trigger=Trigger.SCHEDULE, actor=SYSTEM)
        again = Again(following(slot, timedelta(hours=connection.sync_every_hours), timezone.now()))
        # In this transaction instead of after it: the caller then finds the row handed back and leaves it alone.
        jobs.hand_back(lease, again)


def following(slot: datetime, every: timedelta, now: datetime) -> datetime:
    """The first slot after `now`; those that passed while nobody worked are covered by the run that starts now."""
    return slot + every * max(1, (now - slot) // every + 1)
