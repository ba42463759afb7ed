"""Warnings: whoever can put off what is going to end is mailed 30, 7 and 1 days before, once each."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from connections.jobs.lease import TenantLease
from connections.jobs.models import Job, JobState
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.vault.models import Connection
from portal.incidents import notices
from portal.incidents.forecast import forecasts_of, with_forecast_facts
from portal.incidents.kinds import MailKind
from portal.incidents.models import Notice

WARN = "incidents.warn"
LOOKED_EVERY = timedelta(days=1)


def ensure_warned(connection: Connection) -> None:
    """See that one job looks ahead for this connection, once a day. In the tenant's scope."""
    waiting = Job.objects.filter(kind=WARN, subject=connection.id, state__in=(JobState.QUEUED, JobState.RUNNING))
    if not waiting.exists():
        due_at = timezone.now() + LOOKED_EVERY
        enqueue(kind=WARN, subject=connection.id, tenant_id=connection.tenant_id, due_at=due_at)


def warn(lease: TenantLease) -> Again | None:
    """Job: have people told of what ends soon with one connection. Woken more often, it says nothing twice.

    What came nearer while nobody looked is said once, by the nearest of its days.
    """
    now = timezone.now()
    with lease.scope():
        rows = with_forecast_facts(Connection.objects.not_disconnected().filter(id=lease.subject))
        connection = rows.first()
        if connection is None:
            return None
        for forecast in forecasts_of(connection):
            days = forecast.warned_days(now)
            about = forecast.about(connection.id, days) if days is not None else None
            if about is not None and not Notice.objects.filter(kind=MailKind.EXPIRES, about=about).exists():
                notices.tell(connection=connection, kind=MailKind.EXPIRES, about=about)
    return Again(now + LOOKED_EVERY, "looked ahead")
