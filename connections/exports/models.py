"""Exports that somebody asked for, their files, and the sealed pieces of these. Staff have no right here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.sync.models import Record
from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant
from connections.vault.models import Connection

KEPT_FOR = timedelta(hours=24)  # after it was asked for


class ExportFormat(models.TextChoices):
    CSV = "csv", _("CSV")
    JSON_LINES = "jsonl", _("JSON Lines")
    PARQUET = "parquet", _("Parquet")


class ExportState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("being written")
    DONE = "done", _("ready")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    DELETED = "deleted", _("deleted")


ACTIVE = (ExportState.QUEUED, ExportState.RUNNING)


class FailureReason(models.TextChoices):
    """Why nothing came of it. The value is stored; the label is the sentence of the page."""

    TOO_LARGE = "too-large", _("There is more than one export may hold. Export stream by stream, or choose Parquet.")
    TOO_MANY_FILES = (
        "too-many-files",
        _("There are more streams than one export may hold. Export connection by connection."),
    )
    TOO_OFTEN = "too-often", _("More was exported lately than may be. Try again tomorrow.")
    NO_ROOM = "no-room", _("Earlier exports take up the room there is. Delete one of them, then export again.")
    BROKEN = "broken", _("Something went wrong on our side, and our staff can see it. Try again later.")
    NOT_ALLOWED = "not-allowed", _("This cannot be exported.")


class ExportQuerySet(models.QuerySet["Export"]):
    def active(self) -> Self:
        """Those that a worker writes, or will."""
        return self.filter(state__in=ACTIVE)

    def young(self) -> Self:
        """Those whose day is not over."""
        return self.filter(asked_at__gt=timezone.now() - KEPT_FOR)

    def without_keys(self) -> Self:
        return self.defer("public_keyset", "wrapped_keyset")


class Export(TenantOwned):
    """The records of one stream, of all streams of a connection (`stream` is ''), or of everything (no connection either).

    It has a key pair of its own: workers seal with the public half, and only the web process opens the private one.
    `looked` and `written` count records while it is written; `expected`: how many there are about, as the cursors say.
    """

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, db_constraint=False, null=True, related_name="exports"
    )
    stream = models.CharField(_("stream"), max_length=40, blank=True)
    format = models.CharField(_("format"), max_length=10, choices=ExportFormat.choices)
    state = models.CharField(_("state"), max_length=10, choices=ExportState.choices, default=ExportState.QUEUED)
    reason = models.CharField(_("reason"), max_length=20, choices=FailureReason.choices, blank=True)
    asked_by = models.CharField(_("asked by"), max_length=254)
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    expected = models.PositiveBigIntegerField(_("expected"), default=0)
    looked = models.PositiveBigIntegerField(_("looked at"), default=0)
    written = models.PositiveBigIntegerField(_("written"), default=0)
    public_keyset = models.TextField()
    wrapped_keyset = models.TextField()

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["tenant", "-asked_at", "-id"], name="exports_of_tenant")]
        constraints = [
            models.CheckConstraint(name="exports_stream_of_one", condition=Q(stream="") | Q(connection__isnull=False)),
            RowSecurity(
                name="exports_export_fence",
                web="SELECT, INSERT, UPDATE (state, ended_at, wrapped_keyset)",
                worker="SELECT (id, tenant_id, connection_id, stream, format, state, reason, asked_by, asked_at, ended_at,"
                " expected, looked, written, public_keyset), UPDATE (state, reason, ended_at, looked, written), DELETE",
            ),
            SameTenant(name="exports_export_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.format} {self.state}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_ready(self) -> bool:
        return self.state == ExportState.DONE

    @property
    def gone_at(self) -> datetime:
        """When it is deleted by itself."""
        return self.asked_at + KEPT_FOR


class ExportFile(TenantOwned):
    """One file of an export: one stream of one connection, or a part of it. Written by workers alone.

    `after` and `last`: the keys of records between which it is. `size`: in bytes; `stored`: as it lies here, compressed and
    sealed. `columns`: of the table, the same in all parts; null until they are known. `begun_at`: how often one may ask within
    a day is counted by it.
    """

    export = models.ForeignKey(Export, on_delete=models.CASCADE, db_constraint=False, related_name="files")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    stream = models.CharField(_("stream"), max_length=40)
    part = models.PositiveIntegerField(default=1)
    after = models.CharField(max_length=Record._meta.get_field("external_id").max_length, blank=True)
    last = models.CharField(max_length=Record._meta.get_field("external_id").max_length, blank=True)
    columns = models.JSONField(null=True)
    records = models.PositiveBigIntegerField(_("records"), default=0)
    chunks = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    stored = models.PositiveBigIntegerField(default=0)
    is_written = models.BooleanField(default=False)
    begun_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("exported file")
        verbose_name_plural = _("exported files")
        ordering = ["connection", "stream", "part"]
        indexes = [models.Index(fields=["tenant", "-begun_at"], name="exports_begun")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "export", "connection", "stream", "part"], name="exports_file_once"
            ),
            RowSecurity(name="exports_file_fence", web="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
            SameTenant(name="exports_file_export_tenant", field="export"),
            SameTenant(name="exports_file_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.part}"


class ExportChunk(TenantOwned):
    """A piece of a file: compressed, then sealed for the web process. `place`: counted from 0."""

    file = models.ForeignKey(ExportFile, on_delete=models.CASCADE, db_constraint=False, related_name="pieces")
    place = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    ciphertext = models.BinaryField()

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "file", "place"], name="exports_chunk_once"),
            RowSecurity(
                name="exports_chunk_fence",
                web="SELECT",
                worker="SELECT (id, tenant_id, file_id, place, size), INSERT, DELETE",
                is_target=False,
            ),
            SameTenant(name="exports_chunk_file_tenant", field="file"),
        ]

    def __str__(self) -> str:
        return str(self.place)
