"""Which rows belong to a set that staff act on at once: all that failed by one cause, all jobs of a kind that were given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.sync.models import UNENDED, RunState, SyncRun
from connections.vault.states import STANDING
from portal.support.planned_actions import MOST_ITEMS

LATELY = timedelta(days=30)  # runs that ended longer ago are nobody's news


def failed_by(fault: str) -> Sequence[tuple[UUID | None, UUID]]:
    """Connections that stand, of which a run ended by this fault lately, and that neither succeeded nor were begun since.

    One statement, by the index of faults. Needs the staff's scope.
    """
    later = SyncRun.objects.filter(
        tenant_id=OuterRef("tenant_id"), connection_id=OuterRef("connection_id"), queued_at__gt=OuterRef("queued_at")
    )
    since = timezone.now() - LATELY
    runs = SyncRun.objects.exclude(fault="").filter(fault=fault, queued_at__gte=since)
    stuck = runs.filter(
        ~Exists(later.filter(state__in=(RunState.SUCCEEDED, *UNENDED))), connection__state__in=STANDING
    ).exclude(state__in=UNENDED)
    newest = stuck.order_by("-queued_at").values_list("tenant_id", "connection_id")[: 2 * MOST_ITEMS]
    return list(dict.fromkeys(newest))[:MOST_ITEMS]


def parked(kind: str, reason: str) -> Sequence[tuple[UUID | None, UUID]]:
    """Jobs of a kind that were given up for a reason, the oldest first. One statement, by the index of what is parked."""
    jobs = Job.objects.filter(state=JobState.PARKED, kind=kind, reason=reason)
    return list(jobs.order_by("created_at").values_list("tenant_id", "id")[:MOST_ITEMS])
