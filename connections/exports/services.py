"""Asking for an export, ending one, and opening its files: the web process's side."""

from __future__ import annotations

import zlib
from uuid import UUID

from django.db import connection as database
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.exports.frames import CHUNK_BYTES
from connections.exports.models import (
    ACTIVE,
    KEPT_FOR,
    Export,
    ExportChunk,
    ExportFile,
    ExportFormat,
    ExportState,
)
from connections.jobs import services as jobs
from connections.spec.text import duration
from connections.sync.models import StreamCursor
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from connections.vault.models import Connection
from connections.vault.sealing import Place, Unopenable, bytes_opener, make_web_pair
from connections.vault.services import ActionRefused

WRITE, FORGET = "exports.write", "exports.forget"

MOST_RECORDS = 5_000_000  # of one export
MOST_ACTIVE = 2  # of one tenant at a time
MOST_A_DAY = 20  # of one tenant


def ask(
    *, tenant: Tenant, connection: Connection | None, stream: str, export_format: ExportFormat, actor: Actor
) -> Export:
    """Have the records of a stream written, of all streams of a connection (`stream` is ''), or of everything.

    In the tenant's scope, in the web process; the caller has checked who asks. Whoever presses twice gets the same export.
    Raises ActionRefused (too much, too often), KeyUnavailable.
    """
    _one_at_a_time(tenant.id)
    contents = {"connection": connection, "stream": stream, "format": export_format}
    if (same := Export.objects.without_keys().active().filter(tenant_id=tenant.id, **contents).first()) is not None:
        return same
    expected = expected_records(tenant, connection, stream)
    _refuse_too_much(tenant, expected)
    export = Export(tenant_id=tenant.id, asked_by=actor.name, expected=expected, **contents)
    export.public_keyset, export.wrapped_keyset = make_web_pair(tenant.id, _place_of_pair(export.id))
    export.save(force_insert=True)
    jobs.enqueue(kind=WRITE, subject=export.id, tenant_id=tenant.id)
    jobs.enqueue(kind=FORGET, subject=export.id, tenant_id=tenant.id, due_at=export.asked_at + KEPT_FOR)
    _record(export, actor, "export.asked", format=str(export.format), stream=stream)
    return export


def expected_records(tenant: Tenant, connection: Connection | None, stream: str) -> int:
    """About how many records there are, as the cursors have counted them. One query, in the tenant's scope."""
    cursors = StreamCursor.objects.filter(tenant_id=tenant.id)
    if connection is not None:
        cursors = cursors.filter(connection_id=connection.id)
    if stream:
        cursors = cursors.filter(stream=stream)
    return int(cursors.aggregate(total=Sum("records"))["total"] or 0)


def _one_at_a_time(tenant_id: UUID) -> None:
    """Of two that ask at once, the later one waits here until the first one's export stands."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"exports of {tenant_id}"])


def _refuse_too_much(tenant: Tenant, expected: int) -> None:
    if expected > MOST_RECORDS:
        raise ActionRefused(
            _(
                "These are more than %(most)s records, which is the most that one export holds. Export stream by stream."
            )
            % {"most": f"{MOST_RECORDS:,}"}
        )
    exports = Export.objects.filter(tenant_id=tenant.id)
    if exports.active().count() >= MOST_ACTIVE:
        raise ActionRefused(
            _("%(most)s exports are being written already. Wait until one is ready, or cancel one.")
            % {"most": MOST_ACTIVE}
        )
    if exports.young().count() >= MOST_A_DAY:
        raise ActionRefused(
            _("Your company has asked for %(most)s exports within %(time)s, which is the most. Try again later.")
            % {"most": MOST_A_DAY, "time": duration(KEPT_FOR)}
        )


def end(*, export: Export, actor: Actor) -> ExportState | None:
    """Cancel what is being written, delete what is ready; from here on nobody opens a file of it, as its key is gone.

    A worker deletes the rest. Returns what it is now, None where it had ended already. In the tenant's scope.
    """
    jobs.cancel(kind=WRITE, subject=export.id)  # the job's row first, as the worker takes them
    for before, after in ((ACTIVE, ExportState.CANCELLED), ((ExportState.DONE,), ExportState.DELETED)):
        values = {"state": after, "ended_at": timezone.now(), "wrapped_keyset": ""}
        if Export.objects.filter(id=export.id, tenant_id=export.tenant_id, state__in=before).update(**values):
            jobs.enqueue(kind=FORGET, subject=export.id, tenant_id=export.tenant_id)
            _record(export, actor, f"export.{after.value}")
            return after
    return None


def young_exports() -> QuerySet[Export]:
    """Those whose day is not over, each with its connection. In the tenant's scope."""
    return Export.objects.without_keys().young().select_related("connection")


def exports_of(tenant: Tenant) -> list[Export]:
    """The tenant's exports of the last day, newest first. One query, in its scope."""
    return list(young_exports().filter(tenant_id=tenant.id)[: MOST_A_DAY + MOST_ACTIVE])


def files_of(export: Export) -> list[ExportFile]:
    """The files that are written to their ends. In the tenant's scope."""
    files = ExportFile.objects.select_related("connection").defer("columns")
    return list(files.filter(tenant_id=export.tenant_id, export_id=export.id, is_written=True))


def openable_files(tenant: Tenant) -> QuerySet[ExportFile]:
    """Files of exports that are ready and whose day is not over. In the tenant's scope."""
    return ExportFile.objects.select_related("export", "connection").filter(
        tenant_id=tenant.id,
        is_written=True,
        export__state=ExportState.DONE,
        export__asked_at__gt=timezone.now() - KEPT_FOR,
    )


def note_download(*, file: ExportFile, actor: Actor) -> None:
    """In the tenant's scope, before the first byte leaves."""
    _record(
        file.export,
        actor,
        "export.downloaded",
        connection=str(file.connection_id),
        stream=file.stream,
        part=file.part,
        records=file.records,
    )


class OpenFile:
    """A file as it is downloaded: its pieces one after the other. In the web process."""

    def __init__(self, file: ExportFile) -> None:
        """Raises KeyUnavailable."""
        self._file = file
        pair = _place_of_pair(file.export_id)
        self._open = bytes_opener(file.export.wrapped_keyset, pair, file.tenant_id)

    def piece(self, place: int) -> bytes:
        """Needs the tenant's scope. Raises Unopenable, ExportChunk.DoesNotExist once the export is gone."""
        chunk = ExportChunk.objects.get(tenant_id=self._file.tenant_id, file_id=self._file.id, place=place)
        compressed = self._open(place_of_chunk(self._file.id, place), bytes(chunk.ciphertext))
        # A piece is never larger, whoever wrote it: what is small here must not become large there.
        unpacked = zlib.decompressobj()
        data = unpacked.decompress(compressed, CHUNK_BYTES)
        if unpacked.unconsumed_tail:
            message = "ciphertext"
            raise Unopenable(message)
        return data


def place_of_chunk(file_id: UUID, place: int) -> Place:
    """What a piece is sealed for: pieces of one file cannot change places with each other, nor with another file's."""
    return Place(ExportChunk._meta.db_table, file_id, f"ciphertext {place}")


def _place_of_pair(export_id: UUID) -> Place:
    return Place(Export._meta.db_table, export_id, "wrapped_keyset")


def _record(export: Export, actor: Actor, action: str, **details: str | int) -> None:
    audit.record(
        tenant_id=export.tenant_id,
        actor=actor,
        action=action,
        subject=str(export.connection_id or ""),
        export=str(export.id),
        **details,
    )
