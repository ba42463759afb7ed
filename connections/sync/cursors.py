"""How far a stream has been read: moved with every page inside a run, carried over to the next one at its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from connections.spec.streams import BadPage, Page, Position, Since, Step, Stream
from connections.sync import deletions
from connections.sync.models import ProgressState, StreamCursor, StreamProgress
from connections.sync.searching import searched_by
from connections.sync.slices import is_divided
from connections.sync.upsert import Written
from connections.tenancy.prepared import prepared_cursor
from connections.vault.models import Connection

Insertion = tuple[str, Sequence[str | None]]

_MOVE = (
    "UPDATE sync_streamprogress SET position = %s::jsonb, newest = %s, expected = %s::int, pages = %s::int,"
    " seen = %s::int, skipped = %s::int, added = %s::int, changed = %s::int WHERE id = %s::uuid"
)
_COUNT = (
    "UPDATE sync_streamcursor SET records = records + %s::int, gone = gone - %s::int, changed_at = statement_timestamp()"
    " WHERE tenant_id = %s::uuid AND connection_id = %s::uuid AND stream = %s"
)


def begin(*, connection: Connection, stream: Stream, progress: StreamProgress) -> None:
    """Decide where this pass starts, the first time the run comes to the stream. In the caller's transaction and scope."""
    StreamCursor.objects.bulk_create(
        [
            StreamCursor(
                tenant_id=connection.tenant_id,
                connection=connection,
                stream=stream.name,
                searched_by=searched_by(stream),
            )
        ],
        ignore_conflicts=True,
    )
    cursor = _rows(connection, stream).get()
    since = "" if deletions.is_full_pass_due(cursor) else _since(stream.since, cursor.newest)
    # Whoever laid out the run may have written more than its streams: nothing of a pass is there before it begins.
    nothing = {"pages": 0, "seen": 0, "skipped": 0, "added": 0, "changed": 0, "gone": 0, "expected": None}
    _set(progress, state=ProgressState.READING, since=since, started_at=Now(), position={}, newest="", **nothing)
    if not since:
        deletions.begin(connection=connection, stream=stream, progress=progress)


def _since(since: Since | None, newest: str) -> str:
    if since is None or not newest:
        return ""
    try:
        return since.back(newest, since.overlap)
    except BadPage:
        return ""  # stored in a form that this version does not read: everything is read once more


def move(
    *,
    connection: Connection,
    stream: Stream,
    progress: StreamProgress,
    page: Page,
    step: Step,
    written: Written,
    skipped: int,
    following: Position | None,
    beside: Sequence[Insertion] = (),
) -> None:
    """Count a page that was just written, and move the position to where the next one follows. In the page's transaction.

    One statement, and what else is inserted with the page goes along: `beside`, statements with their values.
    """
    newest = stream.since.newest(page.records, progress.newest) if stream.since else ""
    # The provider tells the size of the whole pass on its first page only; later it may count what is left.
    total = None if is_divided(stream) else page.total  # true for one of its lists only
    expected = progress.expected if progress.pages else total
    moved = {
        "position": progress.position if following is None else following,
        "newest": newest,
        "expected": expected,
        "pages": progress.pages + 1,
        "seen": progress.seen + step.seen,
        "skipped": progress.skipped + skipped,
        "added": progress.added + written.added,
        "changed": progress.changed + written.changed,
    }
    statements: list[tuple[str, Sequence[Any]]] = [
        (_MOVE, [*({**moved, "position": json.dumps(moved["position"])}.values()), progress.id]),
        *beside,
    ]
    if written.added or written.changed:
        # Counted with the page that brings them, so that the sum is right however the run ends.
        counts = [written.added + written.returned, written.returned]
        statements.append((_COUNT, [*counts, connection.tenant_id, connection.id, stream.name]))
    named = ", ".join(f"part{number} AS ({statement})" for number, (statement, _) in enumerate(statements))
    # As text, whatever they are: so one prepared statement serves all pages.
    values = [None if each is None else str(each) for _, own in statements for each in own]
    with prepared_cursor() as cursor:
        cursor.execute(f"WITH {named} SELECT 1", values)  # nosec B608  (statements of ours)
    for name, value in moved.items():
        setattr(progress, name, value)


def end(*, connection: Connection, stream: Stream, progress: StreamProgress) -> None:
    """The stream was read to its end: the next run may start from here. In the transaction of the last page.

    Where a record could not be stored, the next run starts from where this one did: else it would not meet the record again,
    and be green without it.
    """
    _set(progress, state=ProgressState.DONE)
    cursor = _rows(connection, stream).get()
    cursor.read_at = Now()
    if stream.since is not None and progress.newest and not progress.skipped:
        reached = stream.since.back(progress.newest, _duration(progress))
        is_readable = _since(stream.since, cursor.newest) != ""
        cursor.newest = max(cursor.newest, reached) if is_readable else reached
    if cursor.full_run_id == progress.run_id:
        cursor.full_at = Now()
    cursor.save(update_fields=["read_at", "newest", "full_at"])


def _duration(progress: StreamProgress) -> timedelta:
    """How long the pass took, waits included.

    A record that changes behind the reader's back, at a place already passed, is only seen by the next run. That run
    must ask from the moment this pass began. The provider's clock and time zone are not known, but when the newest
    change was seen its clock stood there or later; so that value less the whole length of the pass lies before its
    beginning.
    """
    rows = StreamProgress.objects.filter(id=progress.id)
    age: timedelta = rows.annotate(age=Now() - F("started_at")).values_list("age", flat=True).get()
    return age


def _rows(connection: Connection, stream: Stream) -> QuerySet[StreamCursor]:
    return StreamCursor.objects.for_connection(connection).filter(stream=stream.name)


def _set(progress: StreamProgress, **values: object) -> None:
    StreamProgress.objects.filter(id=progress.id).update(**values)
    for name, value in values.items():
        setattr(progress, name, value)
