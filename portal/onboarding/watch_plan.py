"""When the watch looks at a connection: once a night by the tenant's clock, spread over it, in a job that waits for it."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.jobs.services import enqueue
from connections.spec.times import zone_named
from connections.sync.due_times import TimesOfDay
from connections.tenancy.settings import time_zone_of
from connections.vault.models import Connection

WATCH = "onboarding.watch"
MIDNIGHT = time(0)
SPREAD = timedelta(hours=5)  # from midnight on, so that a provider never gets everybody's at once
RETRIED_UNTIL = time(7)  # who cannot be asked by then is asked in the next night
TOO_SOON = timedelta(hours=12)  # after a look that came to its end


def next_look(connection: Connection, time_zone: str, moment: datetime) -> datetime:
    """The next time after `moment` at which this connection's turn comes: each night at the same time of its own."""
    turn = timedelta(seconds=connection.id.int % int(SPREAD.total_seconds()))
    midnights = TimesOfDay([MIDNIGHT], (), zone_named(time_zone))
    return next(midnights.after(moment - turn)) + turn


def is_night(time_zone: str, moment: datetime) -> bool:
    """Whether something that failed may be tried again in this night."""
    return moment.astimezone(zone_named(time_zone)).time() < RETRIED_UNTIL


def ensure_watched(connection: Connection) -> None:
    """See that one job waits for this connection's next night. In a worker or the maintenance, in the tenant's scope."""
    waiting = Job.objects.filter(kind=WATCH, subject=connection.id, state__in=(JobState.QUEUED, JobState.RUNNING))
    if connection.is_standing and not waiting.exists():
        due_at = next_look(connection, time_zone_of(connection.tenant_id), timezone.now())
        enqueue(kind=WATCH, subject=connection.id, tenant_id=connection.tenant_id, due_at=due_at)
