"""Writes exports and forgets them: the worker's side. Each turn writes one file, so that others get theirs in between."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db.models import Max, Sum
from django.utils import timezone

from connections.exports.child import FileProcess, FileProcessFailed, database_parameters
from connections.exports.frames import FileRequest, Word, compressed_piece, plain_size
from connections.exports.models import (
    ACTIVE,
    KEPT_FOR,
    Export,
    ExportChunk,
    ExportFile,
    ExportFormat,
    ExportState,
    FailureReason,
)
from connections.exports.services import FORGET, MOST_A_DAY, MOST_RECORDS, WRITE, place_of_chunk
from connections.jobs.lease import LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import cancel, enqueue
from connections.tenancy.models import TenantState
from connections.vault.sealing import seal_bytes_to

logger = logging.getLogger(__name__)

RECORDS_OF_A_FILE = 1_000_000  # a spreadsheet has 1,048,576 rows
MOST_FILES = 200  # of one export
MOST_STORED_BYTES = 2 * 1024**3  # of all exports of a tenant, as they lie here
# Of one file: Celery ends a task after six minutes. Whatever is not done by then becomes the file's next part.
FIELDS_SECONDS, RECORDS_SECONDS, MOST_SECONDS = 100.0, 170.0, 330.0
CLOCKS_APART = timedelta(minutes=5)

# (connection, stream) of everything that a tenant has records of, by one look into the index for each.
_STREAMS = """
WITH RECURSIVE listed AS (
    (SELECT connection_id, stream FROM sync_record WHERE tenant_id = %(tenant)s AND {within}
     ORDER BY connection_id, stream LIMIT 1)
    UNION ALL
    SELECT next.connection_id, next.stream FROM listed, LATERAL (
        SELECT connection_id, stream FROM sync_record
        WHERE tenant_id = %(tenant)s AND {within} AND (connection_id, stream) > (listed.connection_id, listed.stream)
        ORDER BY connection_id, stream LIMIT 1
    ) AS next
)
SELECT connection_id, stream FROM listed LIMIT %(limit)s
"""


class ExportRefused(Exception):
    """The export ends here, for a reason that its page says."""

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(reason)
        self.reason = reason


def write(lease: TenantLease) -> Again | None:
    """Job: write the next file of an export. Done again after a crash, it begins that file anew."""
    try:
        with lease.scope():
            begun = _begin(lease)
        if begun is None:
            return None
        _FileWriting(lease, *begun).run()
    except ExportRefused as refused:
        with lease.scope():
            _fail(lease, refused.reason)
        return None
    return Again()


def _begin(lease: TenantLease) -> tuple[Export, ExportFile] | None:
    """The export and its next file, empty; None where nothing is left to do. Raises ExportRefused."""
    export = Export.objects.defer("wrapped_keyset").select_related("tenant").filter(id=lease.subject).first()
    if export is None or not export.is_active:
        return None
    if export.state == ExportState.QUEUED:
        _refuse_unsound(export)
        _plan(export)
        Export.objects.filter(id=export.id).update(state=ExportState.RUNNING)
    if export.tenant.state == TenantState.SUSPENDED:
        raise ExportRefused(FailureReason.NOT_ALLOWED)
    file = ExportFile.objects.filter(export_id=export.id, is_written=False).first()
    if file is None:
        Export.objects.filter(id=export.id).update(state=ExportState.DONE, ended_at=timezone.now())
        return None
    ExportChunk.objects.filter(file_id=file.id)._raw_delete("default")
    file.records = file.chunks = file.size = file.stored = 0
    file.begun_at = timezone.now()
    file.save(update_fields=["records", "chunks", "size", "stored", "begun_at"])
    return export, file


def _refuse_unsound(export: Export) -> None:
    """What the form refuses as well: a row may have been written past it."""
    now = timezone.now()
    if export.asked_at > now + CLOCKS_APART or export.format not in ExportFormat.values:
        raise ExportRefused(FailureReason.NOT_ALLOWED)
    lately = ExportFile.objects.filter(tenant_id=export.tenant_id, begun_at__gt=now - timedelta(days=1))
    if lately.exclude(export_id=export.id).values("export_id").distinct().count() >= MOST_A_DAY:
        raise ExportRefused(FailureReason.TOO_OFTEN)


def _plan(export: Export) -> None:
    """A file for each stream; one of a stream that was asked for also where it has no records."""
    if export.stream and export.connection_id:
        pairs = [(export.connection_id, export.stream)]
    else:
        pairs = _streams(export.tenant_id, export.connection_id)
    if len(pairs) > MOST_FILES:
        raise ExportRefused(FailureReason.TOO_MANY_FILES)
    ExportFile.objects.bulk_create(
        ExportFile(tenant_id=export.tenant_id, export_id=export.id, connection_id=connection_id, stream=stream)
        for connection_id, stream in pairs
    )


def _streams(tenant_id: UUID, connection_id: UUID | None) -> list[tuple[UUID, str]]:
    within = "true" if connection_id is None else "connection_id = %(connection)s"
    with database.cursor() as cursor:
        cursor.execute(
            _STREAMS.format(within=within), {"tenant": tenant_id, "connection": connection_id, "limit": MOST_FILES + 1}
        )
        return list(cursor.fetchall())


class _FileWriting:
    """One file on its way from the process that writes it into the table, piece by piece."""

    def __init__(self, lease: TenantLease, export: Export, file: ExportFile) -> None:
        self._lease, self._export, self._file = lease, export, file
        self._before = 0  # records of the files that are written
        self._room = 0  # bytes that may still be stored

    def run(self) -> None:
        """Raises ExportRefused, LeaseLost, FileProcessFailed."""
        with self._lease.scope():
            written = ExportFile.objects.filter(export_id=self._export.id, is_written=True)
            self._before = int(written.aggregate(total=Sum("records"))["total"] or 0)
            stored = ExportFile.objects.filter(tenant_id=self._export.tenant_id)
            self._room = MOST_STORED_BYTES - int(stored.aggregate(total=Sum("stored"))["total"] or 0)
        with FileProcess(self._request()) as process:
            for said in process.frames(seconds=MOST_SECONDS):
                if self._lease.is_lost:
                    raise LeaseLost(str(self._lease.job_id))
                if said is not None:
                    self._hear(*said)

    def _request(self) -> FileRequest:
        export, file = self._export, self._file
        return FileRequest(
            database=database_parameters(),
            tenant=str(export.tenant_id),
            connection=str(file.connection_id),
            stream=file.stream,
            format=export.format,
            after=file.after,
            columns=file.columns,
            most_records=RECORDS_OF_A_FILE,
            fields_seconds=FIELDS_SECONDS,
            records_seconds=RECORDS_SECONDS,
        )

    def _hear(self, word: Word, payload: bytes) -> None:
        if word == Word.CHUNK:
            self._keep(payload)
            return
        values = json.loads(payload)
        if word == Word.TROUBLE:
            logger.error("an export's process failed: %s at %s", values["error"], values["place"])
            raise FileProcessFailed(values["error"])
        if word == Word.PROGRESS:
            self._note_progress(values["looked"], values["written"])
        elif word == Word.COLUMNS:
            self._file.columns = values
        elif word == Word.END:
            self._end(values)

    def _keep(self, payload: bytes) -> None:
        file = self._file
        sealed = seal_bytes_to(
            self._export.public_keyset,
            file.tenant_id,
            place_of_chunk(file.id, file.chunks),
            compressed_piece(payload),
        )
        if file.stored + len(sealed) > self._room:
            raise ExportRefused(FailureReason.NO_ROOM)
        chunk = ExportChunk(tenant_id=file.tenant_id, file_id=file.id, place=file.chunks, ciphertext=sealed)
        chunk.size = plain_size(payload)
        file.chunks, file.size, file.stored = file.chunks + 1, file.size + chunk.size, file.stored + len(sealed)
        with self._lease.scope():
            chunk.save(force_insert=True)
            file.save(update_fields=["chunks", "size", "stored"])

    def _note_progress(self, looked: int, written: int) -> None:
        if self._before + written > MOST_RECORDS:
            raise ExportRefused(FailureReason.TOO_LARGE)
        with self._lease.scope():
            Export.objects.filter(id=self._export.id).update(
                looked=self._before + max(looked, written), written=self._before + written
            )

    def _end(self, values: dict[str, Any]) -> None:
        file = self._file
        file.records, file.last, file.is_written = values["written"], values["last"], True
        self._note_progress(file.records, file.records)
        with self._lease.scope():
            file.save(update_fields=["records", "last", "columns", "is_written"])
            if not values["is_whole"]:
                self._continue()
            self._lease.forget_crashes()

    def _continue(self) -> None:
        """The rest of the stream becomes the next part."""
        file = self._file
        if ExportFile.objects.filter(export_id=self._export.id).count() >= MOST_FILES or file.last == file.after:
            raise ExportRefused(FailureReason.TOO_LARGE)
        ExportFile(
            tenant_id=file.tenant_id,
            export_id=file.export_id,
            connection_id=file.connection_id,
            stream=file.stream,
            part=file.part + 1,
            after=file.last,
            columns=file.columns,
        ).save(force_insert=True)


def _fail(lease: TenantLease, reason: FailureReason) -> None:
    """In the job's scope."""
    values = {"state": ExportState.FAILED, "reason": reason, "ended_at": timezone.now()}
    Export.objects.filter(id=lease.subject, state__in=ACTIVE).update(**values)
    enqueue(kind=FORGET, subject=lease.subject, tenant_id=lease.tenant_id)


def give_up(lease: TenantLease) -> None:
    """The job was given up: its page says so."""
    _fail(lease, FailureReason.BROKEN)


def forget(lease: TenantLease) -> Again | None:
    """Job: delete an export whose day is over, and at once the pieces of one that was cancelled, deleted, or failed.

    The row and its files, without their pieces, stay for a day: the row says what became of it, and what may be asked for
    within a day is counted by the files.
    """
    now = timezone.now()
    with lease.scope():
        export = Export.objects.defer("public_keyset", "wrapped_keyset").filter(id=lease.subject).first()
        if export is None:
            return None
        is_young = now - KEPT_FOR < export.asked_at <= now + CLOCKS_APART
        if is_young and (export.is_active or export.is_ready):
            return Again(due_at=export.asked_at + KEPT_FOR)
        if export.is_active:  # nobody wrote it in time
            cancel(kind=WRITE, subject=export.id)
            Export.objects.filter(id=export.id).update(state=ExportState.DELETED, ended_at=now)
        files = ExportFile.objects.filter(export_id=export.id)
        ExportChunk.objects.filter(file_id__in=files.values("id"))._raw_delete("default")
        files.update(stored=0)
        begun_at: datetime | None = files.aggregate(newest=Max("begun_at"))["newest"]
        stays_until = (
            max(filter(None, (begun_at, export.asked_at if is_young else None)), default=now - KEPT_FOR) + KEPT_FOR
        )
        if stays_until > now:
            return Again(due_at=stays_until)
        files._raw_delete("default")
        Export.objects.filter(id=export.id)._raw_delete("default")
    return None


def delete_old() -> int:
    """Delete exports whose day is over although no worker did; returns how many. Across tenants, as the owner."""
    old = Export.objects.filter(asked_at__lt=timezone.now() - KEPT_FOR - timedelta(hours=1))
    ids = list(old.values_list("id", flat=True))
    files = ExportFile.objects.filter(export_id__in=ids)
    ExportChunk.objects.filter(file_id__in=files.values("id"))._raw_delete("default")
    files._raw_delete("default")
    Export.objects.filter(id__in=ids)._raw_delete("default")
    return len(ids)
