"""Whether jobs are done: switched off in a restored copy, so that it calls no provider and mails nobody, and on by a person."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now

from connections.jobs.models import DispatchSwitch, Job, JobState
from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM


@dataclass(frozen=True)
class WaitingWork:
    """What would begin at once: how many jobs, by kind."""

    kind: str
    jobs: int


def is_on() -> bool:
    return DispatchSwitch.objects.exists()


def waiting() -> list[WaitingWork]:
    """Due jobs, and those that were in somebody's hands when the copy was made; most of them first."""
    is_open = Job.objects.filter(state__in=(JobState.QUEUED, JobState.RUNNING), due_at__lte=Now())
    counted = is_open.values_list("kind").annotate(jobs=Count("id")).order_by("-jobs", "kind")
    return [WaitingWork(kind, jobs) for kind, jobs in counted]


@transaction.atomic
def release() -> bool:
    """Let jobs be done from now on; False where they are already. Only the owner may."""
    _switch, is_new = DispatchSwitch.objects.get_or_create(id=1)
    if is_new:
        audit.record_system(actor=SYSTEM, action="dispatch.released", by=account())
    return is_new


@transaction.atomic
def hold() -> bool:
    """No job begins from now on; what is in hand goes on to its end. False where none does already. Only the owner may."""
    count, _by_model = DispatchSwitch.objects.all().delete()
    if count:
        audit.record_system(actor=SYSTEM, action="dispatch.held", by=account())
    return bool(count)


def account() -> str:
    """Who sits at the terminal, as the machine knows them; behind sudo, who they were before."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
