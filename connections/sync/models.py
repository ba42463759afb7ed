"""Runs and their log, how far each stream has been read, and the records with their history."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec.columns import LONGEST_SEARCHED
from connections.spec.times import format_time
from connections.sync.fields import ExactJSONField
from connections.sync.schedule_models import Schedule, ScheduleKind, ScheduleSlot, SlotOutcome
from connections.tenancy.models import Tenant, TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant, SameTenantByNight
from connections.vault.models import Connection
from connections.vault.querysets import ConnectionOwnedQuerySet

# Django looks for models in this module, and readers for their choices beside them.
__all__ = ["Schedule", "ScheduleKind", "ScheduleSlot", "SlotOutcome"]


class RunState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    WAITING = "waiting", _("waiting")
    PAUSED = "paused", _("paused")  # with its connection, until that is resumed
    SUCCEEDED = "succeeded", _("succeeded")
    INCOMPLETE = "incomplete", _("incomplete")  # some stream was refused, or some record could not be kept
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


ACTIVE = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)
UNENDED = (*ACTIVE, RunState.PAUSED)


CONCLUDING_TIME = timedelta(seconds=10)  # what follows from a run's end is done by a job of its own, seconds later


class Trigger(models.TextChoices):
    FIRST = "first", _("first sync")
    HAND = "hand", _("by hand")
    SCHEDULE = "schedule", _("on schedule")
    MENDED = "mended", _("after the connection was mended")


class SyncRunQuerySet(ConnectionOwnedQuerySet["SyncRun"]):
    def active(self) -> Self:
        """Runs that a worker reads, or will by itself."""
        return self.filter(state__in=ACTIVE)

    def unended(self) -> Self:
        """Those, and the ones that are paused: at most one of each connection."""
        return self.filter(state__in=UNENDED)


class SyncRun(TenantOwned):
    """One pass over a connection's streams. One that has not ended per connection, held by the database."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="runs")
    trigger = models.CharField(_("started"), max_length=10, choices=Trigger.choices)
    asked_by = models.CharField(_("asked by"), max_length=254, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=RunState.choices, default=RunState.QUEUED)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    waiting_until = models.DateTimeField(_("waiting until"), null=True)
    fault = models.CharField(_("fault"), max_length=60, blank=True)
    # The request that ended it, when one did.
    entry_id = models.UUIDField(_("entry id"), null=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=254, blank=True)
    # Milliseconds by what they were spent on, up to an instant (time_shares.py).
    time_shares = models.JSONField(default=dict, db_default={})
    accounted_at = models.DateTimeField(null=True)
    # Of a run that was fetched by `runs_with_counts` (counts.py).
    seen: int
    expected: int | None
    skipped: int

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        ordering = ["-queued_at", "-id"]
        indexes = [
            models.Index(fields=["tenant", "connection", "-queued_at"], name="sync_run_of_connection"),
            models.Index(fields=["-queued_at", "-id"], name="sync_run_newest"),
            models.Index(fields=["fault", "-queued_at"], name="sync_run_of_fault", condition=~Q(fault="")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "connection"],
                name="sync_one_active_run",
                condition=Q(state__in=("queued", "running", "waiting", "paused")),
            ),
            RowSecurity(
                name="sync_run_fence",
                web="SELECT, INSERT, UPDATE (state, ended_at, cancelled_by)",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT",
            ),
            SameTenant(name="sync_run_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}, {format_time(self.queued_at, seconds=True)}"

    @property
    def is_active(self) -> bool:
        """Whether it goes on by itself."""
        return self.state in ACTIVE

    @property
    def has_ended(self) -> bool:
        return self.state not in UNENDED

    @property
    def is_active_or_just_ended(self) -> bool:
        """Active, or ended so lately that its consequences may still be on their way to a page."""
        return self.is_active or (self.ended_at is not None and self.ended_at > timezone.now() - CONCLUDING_TIME)


class ProgressState(models.TextChoices):
    PENDING = "pending", _("to come")
    READING = "reading", _("reading")
    DONE = "done", _("done")
    REFUSED = "refused", _("refused")
    FAILED = "failed", _("failed")


class StreamProgress(TenantOwned):
    """How far one run is with one stream: the position to go on from, and the counts a page shows."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, db_constraint=False, related_name="progress")
    stream = models.CharField(_("stream"), max_length=40)
    order = models.PositiveSmallIntegerField()
    state = models.CharField(_("state"), max_length=10, choices=ProgressState.choices, default=ProgressState.PENDING)
    started_at = models.DateTimeField(_("started at"), null=True)
    position = models.JSONField(default=dict)
    since = models.CharField(_("changed since"), max_length=40, blank=True)  # '' : a full pass
    newest = models.CharField(max_length=40, blank=True)  # highest value of the change field seen so far
    pages = models.PositiveIntegerField(_("pages"), default=0)
    seen = models.PositiveIntegerField(_("read"), default=0)
    added = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    gone = models.PositiveIntegerField(_("gone"), default=0, db_default=0)
    skipped = models.PositiveIntegerField(_("not kept"), default=0)  # records that could not be kept, as the log says
    expected = models.PositiveIntegerField(_("expected"), null=True)
    fault = models.CharField(_("fault"), max_length=60, blank=True)
    entry_id = models.UUIDField(_("entry id"), null=True)  # the request that was refused, when one was

    class Meta:
        ordering = ["order"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run", "stream"], name="sync_progress_once"),
            RowSecurity(
                name="sync_progress_fence", web="SELECT, INSERT", worker="SELECT, INSERT, UPDATE", staff="SELECT"
            ),
            SameTenant(name="sync_progress_run_tenant", field="run"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.state}"


class ListedPage(TenantOwned):
    """The ids that one page listed. Kept while its run lasts: one row a page, none a record.

    `part`: which of a stream's lists; `scan`: which scan of it; `place`: which page of the pass. `is_unsettled`: the list was
    perhaps not shown whole, so that nothing is concluded about what it did not show (deletions.py).
    """

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, db_constraint=False, related_name="listed")
    stream = models.CharField(max_length=40)
    part = models.CharField(max_length=120, blank=True)
    scan = models.PositiveIntegerField(default=1)
    place = models.PositiveIntegerField()
    ids = models.JSONField(default=list)
    is_unsettled = models.BooleanField(db_default=False)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "run", "stream", "part", "scan", "place"], name="sync_listed_of_run")
        ]
        constraints = [
            RowSecurity(name="sync_listed_fence", worker="SELECT, INSERT, DELETE"),
            SameTenant(name="sync_listed_run_tenant", field="run"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.place}"


class StreamCursor(TenantOwned):
    """How far one stream of a connection has been read, over all runs. Moves only when a run finished the stream.

    `full_run_id` and `full_tried_at`: the run that began to read everything last, and when; `full_at`: when one was done with
    that. `is_compared`: there were records before it, so that some may be gone. `suspected_at`: when a complete pass first
    lacked so many of them that another one has to say the same (deletions.py).
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="cursors")
    stream = models.CharField(_("stream"), max_length=40)
    newest = models.CharField(_("newest change seen"), max_length=40, blank=True)
    records = models.PositiveIntegerField(_("records"), default=0)  # without those that are gone
    gone = models.PositiveIntegerField(_("gone"), default=0, db_default=0)
    # The columns in whose order all records can be found.
    searched_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    read_at = models.DateTimeField(_("last read"), null=True)
    changed_at = models.DateTimeField(_("last change"), null=True)
    full_run_id = models.UUIDField(null=True)
    full_tried_at = models.DateTimeField(null=True)
    full_at = models.DateTimeField(_("everything last read"), null=True)
    is_compared = models.BooleanField(default=False, db_default=False)
    suspected_at = models.DateTimeField(_("many missing since"), null=True)
    shape = models.JSONField(
        default=dict, db_default={}
    )  # the fields of its records, and what changed of them (drift.py)
    shape_changes = models.JSONField(default=list, db_default=[])

    objects = ConnectionOwnedQuerySet["StreamCursor"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "connection", "stream"], name="sync_cursor_once"),
            RowSecurity(name="sync_cursor_fence", web="SELECT", worker="SELECT, INSERT, UPDATE", staff="SELECT"),
            SameTenant(name="sync_cursor_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.newest}"


class Record(models.Model):
    """One item of a stream, with the content as the provider gave it. Rows that did not change are not written.

    Its key is what the provider and we know it by; there is no other. `external_id` is in one spelling (upsert.py).
    `checksum`: of the text of `body`, so that an unchanged page is known without reading any; null where it is not known.
    `change_number`: grows with every record of the tenant that is added or changed, in the order of the commits
    (ChangeCounter). Who gives one sets `changed_at` or `gone_at` as well: the newest changes first is the order of a page.
    `gone_at`: when a complete pass did not show it any more (deletions.py). `search_1` and `search_2`: what it is
    found by, from the columns that its stream declares (spec/columns.py). `entry_id`: the request that brought it as it is.
    Staff have no right here.

    Neither the tenant nor the connection is a foreign key to the database: checked for each row they would cost more than
    the row. A page takes the connection's row first (upsert.py), and the maintenance looks for what belongs to none.
    """

    pk = models.CompositePrimaryKey("tenant", "connection", "stream", "external_id")
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, db_constraint=False, related_name="+", editable=False, db_index=False
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="records", db_index=False
    )
    stream = models.CharField(_("stream"), max_length=40)
    # In the order of their bytes, whatever the database's language is: what begins like a text is then one range.
    external_id = models.CharField(_("id at the provider"), max_length=120, db_collation="C")
    body = ExactJSONField(_("content"))
    checksum = models.UUIDField(null=True)
    change_number = models.BigIntegerField()
    added_at = models.DateTimeField(_("added at"))
    changed_at = models.DateTimeField(_("changed at"))
    gone_at = models.DateTimeField(_("gone at"), null=True)
    search_1 = models.CharField(max_length=LONGEST_SEARCHED, null=True, db_collation="C")  # noqa: DJ001  (in no index then)
    search_2 = models.CharField(max_length=LONGEST_SEARCHED, null=True, db_collation="C")  # noqa: DJ001
    entry_id = models.UUIDField(_("entry id"), null=True)

    objects = ConnectionOwnedQuerySet["Record"].as_manager()

    class Meta:
        verbose_name = _("record")
        verbose_name_plural = _("records")
        # None begins with the tenant: a connection has one, and each entry is 16 bytes shorter.
        indexes = [
            # Each of these is for lists alone. Without a condition that only a list asks for, the planner would find a page's
            # records by connection and stream, where statistics know of few, and walk all of them for each.
            models.Index(
                fields=["connection", "stream", "change_number"],
                name="sync_record_changes",
                condition=Q(change_number__gt=0),
            ),
            models.Index(
                fields=["connection", "stream", "gone_at", "external_id"],
                name="sync_record_gone",
                condition=Q(gone_at__isnull=False),
            ),
            *(
                models.Index(
                    fields=["connection", "stream", name, "external_id"],
                    name=f"sync_record_{name}",
                    condition=Q(**{f"{name}__isnull": False}),
                )
                for name in ("search_1", "search_2")
            ),
        ]
        constraints = [
            RowSecurity(
                name="sync_record_fence", web="SELECT", worker="SELECT, INSERT, UPDATE, DELETE", is_target=False
            ),
            SameTenantByNight(name="sync_record_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.external_id}"


class RecordVersion(models.Model):
    """What a record held before it changed, kept for 90 days (maintenance). Written by the statement that changes it.

    `change_number`, `changed_at` and `entry_id` are those under which this content stood; `replaced_at` is when it ended, and
    `gone_at` since when the record was gone by then, if it was.
    """

    pk = models.CompositePrimaryKey("tenant", "connection", "stream", "external_id", "change_number")
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, db_constraint=False, related_name="+", editable=False, db_index=False
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="record_versions", db_index=False
    )
    stream = models.CharField(max_length=40)
    external_id = models.CharField(max_length=120)
    change_number = models.BigIntegerField()
    body = ExactJSONField()
    gone_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()
    replaced_at = models.DateTimeField()
    entry_id = models.UUIDField(null=True)

    objects = ConnectionOwnedQuerySet["RecordVersion"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["replaced_at"], name="sync_version_by_age")
        ]  # for the maintenance, as the owner
        constraints = [
            RowSecurity(name="sync_version_fence", web="SELECT", worker="SELECT, INSERT, DELETE", is_target=False),
            SameTenantByNight(name="sync_version_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.external_id} {self.change_number}"


class ChangeCounter(models.Model):
    """The last change number that a tenant's records were given.

    Whoever gives numbers holds this row until it commits, so numbers become visible in their order: who has seen one has
    seen all below it, and can follow the records by `change_number > seen`. Nobody waits here but writers of one tenant.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="+", editable=False)
    last = models.BigIntegerField()

    class Meta:
        constraints = [
            RowSecurity(
                name="sync_counter_fence", web="SELECT", worker="SELECT, INSERT, UPDATE (last)", is_target=False
            )
        ]

    def __str__(self) -> str:
        return str(self.last)


class Level(models.TextChoices):
    INFO = "info", _("info")
    WARNING = "warning", _("warning")
    ERROR = "error", _("error")


class RunLogLine(TenantOwned):
    """One line of a run's log: a code of sentences.py and its values, so that it reads in every language."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, db_constraint=False, related_name="lines")
    at = models.DateTimeField(_("time"), default=timezone.now)
    level = models.CharField(_("level"), max_length=8, choices=Level.choices, default=Level.INFO)
    code = models.CharField(max_length=60)
    values = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("log line")
        verbose_name_plural = _("log lines")
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["tenant", "run", "at", "id"], name="sync_line_of_run")]
        constraints = [
            RowSecurity(name="sync_line_fence", web="SELECT, INSERT", worker="SELECT, INSERT", staff="SELECT"),
            SameTenant(name="sync_line_run_tenant", field="run"),
        ]

    def __str__(self) -> str:
        return self.code
