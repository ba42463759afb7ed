"""The queue: one row per piece of work, with the lease that says who may do it now."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import Tenant
from connections.tenancy.row_security import NoRowSecurity

# The rights of processes that ask for work: they put it into the queue, move its time and cancel it. The lease and the
# counts are the workers' alone.
QUEUE_RIGHTS = (
    "SELECT, INSERT (id, tenant_id, kind, subject, queue, state, due_at, starts, failures, owner, epoch, reason, created_at),"
    " UPDATE (due_at, state, reason, ended_at)"
)


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    PARKED = "parked", _("parked")  # gave up; a person may queue it again
    CANCELLED = "cancelled", _("cancelled")


class Job(models.Model):
    """Do `kind` to `subject`. The row is the truth; a Celery message only says that it may be due."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(_("kind"), max_length=60)
    subject = models.UUIDField(_("subject"))
    queue = models.CharField(_("queue"), max_length=20)
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

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [
            models.Index(fields=["due_at"], name="jobs_due", condition=Q(state="queued")),
            models.Index(fields=["lease_until"], name="jobs_leased", condition=Q(state="running")),
            models.Index(fields=["kind", "subject", "-created_at"], name="jobs_of_subject"),
            models.Index(fields=["ended_at"], name="jobs_ended", condition=Q(ended_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="jobs_one_queued", condition=Q(state="queued")),
            # A running job without a lease would never be taken over, and the next one of its subject would wait for ever.
            models.CheckConstraint(
                name="jobs_running_has_lease", condition=~Q(state="running") | Q(lease_until__isnull=False)
            ),
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
