"""When a connection is read and which of its streams, and what became of each time that came."""

from __future__ import annotations

from datetime import time, timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant
from connections.vault.models import Connection
from connections.vault.querysets import ConnectionOwnedQuerySet

DEFAULT_HOURS = 6  # until somebody chooses otherwise
MOST_TIMES = 6  # of day
SLOTS_KEPT = timedelta(days=90)  # what became of a slot; one that came longer ago is settled without a row


class ScheduleKind(models.TextChoices):
    HAND = "hand", _("only by hand")
    INTERVAL = "interval", _("every so many hours")
    TIMES = "times", _("at times of day")


class Schedule(TenantOwned):
    """When one connection is read, and what. The times of day are those of the tenant's time zone."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="schedule"
    )
    kind = models.CharField(_("is read"), max_length=10, choices=ScheduleKind.choices, default=ScheduleKind.INTERVAL)
    every_hours = models.PositiveSmallIntegerField(_("every (hours)"), default=DEFAULT_HOURS)
    anchor_at = models.DateTimeField(_("hours counted from"), default=timezone.now)
    times = models.JSONField(_("times of day"), default=list)  # "06:30"
    weekdays = models.JSONField(_("days of the week"), default=list)  # 1 is Monday; empty for every day
    streams_left_out = models.JSONField(_("streams that are not read"), default=list)  # so that new ones are read
    # Each slot up to here has its row, or passed while there was nothing to start.
    settled_at = models.DateTimeField(_("settled up to"), default=timezone.now)

    objects = ConnectionOwnedQuerySet["Schedule"].as_manager()

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        constraints = [
            models.CheckConstraint(name="sync_schedule_hours", condition=models.Q(every_hours__range=(1, 168))),
            RowSecurity(
                name="sync_schedule_fence",
                web="SELECT, INSERT, UPDATE (kind, every_hours, anchor_at, times, weekdays, streams_left_out, settled_at)",
                worker="SELECT, INSERT, UPDATE (settled_at)",
                staff="SELECT",
                is_target=False,
            ),
            SameTenant(name="sync_schedule_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def times_of_day(self) -> list[time]:
        return [time.fromisoformat(each) for each in self.times]


class SlotOutcome(models.TextChoices):
    STARTED = "started", _("a sync was started")
    JOINED = "joined", _("a sync was under way already")
    MISSED = "missed", _("missed: no worker ran at that time")
    HELD = "held", _("nothing was read: syncs were held")


class ScheduleSlot(TenantOwned):
    """What became of one time at which a connection was due. Each has one row at most, held by the database."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    due_at = models.DateTimeField(_("due at"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=SlotOutcome.choices)
    run = models.ForeignKey("sync.SyncRun", on_delete=models.CASCADE, db_constraint=False, null=True, related_name="+")
    noted_at = models.DateTimeField(_("noted at"), db_default=Now())

    objects = ConnectionOwnedQuerySet["ScheduleSlot"].as_manager()

    class Meta:
        verbose_name = _("slot of a schedule")
        verbose_name_plural = _("slots of schedules")
        ordering = ["-due_at"]
        indexes = [models.Index(fields=["due_at"], name="sync_slot_age")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "connection", "due_at"], name="sync_slot_once"),
            RowSecurity(
                name="sync_slot_fence", web="SELECT", worker="SELECT, INSERT", staff="SELECT", is_target=False
            ),
            SameTenant(name="sync_slot_connection_tenant", field="connection"),
            SameTenant(name="sync_slot_run_tenant", field="run"),
        ]

    def __str__(self) -> str:
        return f"{self.due_at:%Y-%m-%d %H:%M} {self.outcome}"
