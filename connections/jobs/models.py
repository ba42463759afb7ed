"""The queue: one row per piece of work, with the lease that says who may do it now."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.registry import LANES, QUEUES
from connections.tenancy.models import Tenant
from connections.tenancy.row_security import NoRowSecurity

# The rights of processes that ask for work: they put it into the queue, move its time and cancel it. The lease and the
# counts are the workers' alone.
QUEUE_RIGHTS = (
    "SELECT, INSERT (id, tenant_id, kind, subject, queue, lane, burst, state, due_at, starts, failures, owner, epoch, reason,"
    " created_at, trace_id), UPDATE (due_at, state, reason, ended_at)"
)

# Neither in hand nor at an end; among such rows those that are queued are looked for.
OPEN = Q(lease_until__isnull=True, ended_at__isnull=True)


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    PARKED = "parked", _("parked")  # gave up; a person may queue it again
    CANCELLED = "cancelled", _("cancelled")


class Job(models.Model):
    """Do `kind` to `subject`. The row is the truth; a Celery message only says that it may be due."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, db_index=False, related_name="+")
    kind = models.CharField(_("kind"), max_length=60)
    subject = models.UUIDField(_("subject"))
    queue = models.CharField(_("queue"), max_length=20)
    lane = models.PositiveSmallIntegerField(_("lane"), db_default=0)
    # How many its tenant had asked for right before it in this queue; one is forgotten every second.
    burst = models.PositiveIntegerField(_("burst"), db_default=0)
    state = models.CharField(_("state"), max_length=12, choices=JobState.choices, default=JobState.QUEUED)
    due_at = models.DateTimeField(_("due at"), default=timezone.now)
    # Counted before the work starts and forgotten when it hands back: what is left are crashes.
    starts = models.PositiveSmallIntegerField(_("starts without an end"), default=0)
    failures = models.PositiveSmallIntegerField(_("failures"), default=0)
    owner = models.CharField(_("owner"), max_length=120, blank=True)
    epoch = models.BigIntegerField(_("epoch"), default=0)
    lease_until = models.DateTimeField(_("leased until"), null=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    trace_id = models.CharField(
        _("trace id"), max_length=32, blank=True, default="", db_default=""
    )  # connections/tenancy/trace.py

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [
            # In the order of a claim, which begins where the last one ended: a transaction that is held open keeps every
            # entry of what is done, and walking those again and again would cost more and more.
            # Neither this nor the next ones are for rows by their `state`: to find a row by its id and state, or the next
            # due one, the planner would take whichever index looks smallest, and walk all of it.
            models.Index(fields=["queue", "lane", "due_at"], name="jobs_due", condition=OPEN),
            # Jobs that have a process for themselves (claims.py), few and long: how many of them a tenant has.
            models.Index(
                fields=["lease_until"], name="jobs_alone", condition=Q(lease_until__isnull=False, starts__gt=0)
            ),
            models.Index(fields=["tenant", "queue", "-created_at"], name="jobs_of_tenant"),
            models.Index(
                fields=["lease_until"],
                name="jobs_leased",
                condition=Q(lease_until__isnull=False, ended_at__isnull=True),
            ),
            models.Index(fields=["kind", "subject", "-created_at"], name="jobs_of_subject"),
            models.Index(fields=["-created_at"], name="jobs_newest_parked", condition=Q(state="parked")),
            models.Index(fields=["ended_at"], name="jobs_ended", condition=Q(ended_at__isnull=False)),
            # Few of many; what is asked of the queue every few seconds counts them.
            models.Index(fields=["queue"], name="jobs_parked", condition=Q(state="parked")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="jobs_one_queued", condition=Q(state="queued")),
            # A running job without a lease would never be taken over, and the next one of its subject would wait for ever.
            models.CheckConstraint(
                name="jobs_running_has_lease", condition=~Q(state="running") | Q(lease_until__isnull=False)
            ),
            # What the indexes leave out is never found: it would be stuck, and its kind and subject with it.
            models.CheckConstraint(
                name="jobs_found_by_workers",
                condition=OPEN | Q(state="running", ended_at__isnull=True) | ~Q(state__in=("queued", "running")),
            ),
            # What no claim looks for would keep its kind and subject for itself for ever.
            models.CheckConstraint(name="jobs_known_line", condition=Q(queue__in=QUEUES, lane__in=LANES)),
            NoRowSecurity(
                name="jobs_job_rights",
                reason="the header a sweeper must see across tenants: ids, kind, times and lease; what to do with "
                "them stands in fenced rows",
                web=QUEUE_RIGHTS,
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff=QUEUE_RIGHTS,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Heartbeat(models.Model):
    """When something was last done that is done again and again, and how often: by a worker, beat, sweep, maintenance."""

    name = models.CharField(_("name"), primary_key=True, max_length=200)
    kind = models.CharField(_("kind"), max_length=20, choices=HeartbeatKind.choices)
    queues = models.CharField(_("queues"), max_length=200, blank=True, db_default="")  # of a worker, commas between
    at = models.DateTimeField(_("last time"), db_default=Now())
    count = models.BigIntegerField(_("times"), db_default=1)

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        constraints = [
            NoRowSecurity(
                name="jobs_heartbeat_rights",
                reason="about processes and no tenant: names of machines, queues and times",
                web="SELECT",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT",
            )
        ]

    def __str__(self) -> str:
        return self.name


class DispatchSwitch(models.Model):
    """Whether jobs are done at all: by its one row. A backup leaves the row out, so a restored copy does none until released.

    Whatever calls a provider or sends a mail is a job, so without the row nobody is called.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    on_since = models.DateTimeField(_("on since"), db_default=Now())

    class Meta:
        verbose_name = _("switch")
        verbose_name_plural = _("switches")
        constraints = [
            models.CheckConstraint(name="jobs_one_switch", condition=Q(id=1)),
            NoRowSecurity(
                name="jobs_dispatchswitch_rights",
                reason="about the whole installation and no tenant: the owner alone puts the row there, or takes it away",
                web="SELECT",
                worker="SELECT",
                staff="SELECT",
            ),
        ]

    def __str__(self) -> str:
        return str(self.on_since)
