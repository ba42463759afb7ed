"""Which records are gone: those that a complete pass over everything did not show. They are marked, never deleted.

A pass says so only where it read every list of its stream to the end that the list itself tells, kept every record, and has
shown every id that it counts. What a pass showed are the ids of its pages (listed_ids.py), compared by the database with
the records in one statement, so that nothing here grows with the list.

Much at once is believed only when a later pass says the same: a server in trouble, a right that was narrowed without a
word and a company that was exchanged look like a customer who deletes everything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db.models import F, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from connections.spec.scans import Position
from connections.spec.streams import Stream
from connections.sync import faults
from connections.sync.models import Record, StreamCursor, StreamProgress, SyncRun
from connections.vault.models import Connection

# A list that can be asked for what changed never shows what is gone: so often it is read as a whole.
FULL_PASS_EVERY = timedelta(days=7)
# Where such a pass did not come to its end; meanwhile changes are read as usual.
FULL_PASS_RETRY = timedelta(days=1)

MASS_SHARE = 2  # more than one in so many records
FEW_RECORDS = 10  # so many may go at once, whatever their share, unless nothing is left
MASS_WAIT = timedelta(hours=1)  # until another pass is believed, and the same where nothing at all is left
EMPTY_WAIT = timedelta(hours=24)

_CHECKING = "checking"

_LISTED = """
WITH listed AS (
    SELECT DISTINCT CASE WHEN %(is_prefixed)s THEN page.part || '/' || listed_id ELSE listed_id END AS external_id
    FROM sync_listedpage AS page, jsonb_array_elements_text(page.ids) AS listed_id
    WHERE page.tenant_id = %(tenant)s AND page.run_id = %(run)s AND page.stream = %(stream)s
), unsettled AS (
    SELECT part FROM sync_listedpage
    WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND stream = %(stream)s AND is_unsettled
), pass AS (
    SELECT progress.started_at, LEAST(progress.started_at, cursor.suspected_at) AS judged_at
    FROM sync_streamprogress AS progress, sync_streamcursor AS cursor
    WHERE progress.id = %(progress)s AND cursor.tenant_id = %(tenant)s AND cursor.connection_id = %(connection)s
        AND cursor.stream = %(stream)s
), standing AS (
    SELECT external_id, added_at < (SELECT started_at FROM pass) AS is_old,
        added_at < (SELECT judged_at FROM pass) AS is_judged
    FROM sync_record
    WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND stream = %(stream)s AND gone_at IS NULL
)"""
# Those below a list that was not settled stand, whether or not anything showed them.
_IS_MISSING = """listed.external_id IS NULL AND standing.is_old AND NOT EXISTS (
        SELECT FROM unsettled WHERE %(is_prefixed)s AND starts_with(standing.external_id, unsettled.part || '/')
    )"""
_COMPARE = """{listed}
SELECT
    count(*) FILTER (WHERE standing.is_judged),
    count(*) FILTER (WHERE standing.is_judged AND {is_missing}),
    count(*) FILTER (WHERE {is_missing}),
    count(*) FILTER (WHERE standing.external_id IS NULL),
    NOT %(is_prefixed)s AND EXISTS (SELECT FROM unsettled)
FROM listed FULL JOIN standing ON standing.external_id = listed.external_id
""".replace("{listed}", _LISTED).replace("{is_missing}", _IS_MISSING)  # nosec B608  (constants)
_MARK = """{listed}, missing AS (
    SELECT standing.external_id, row_number() OVER (ORDER BY standing.external_id) AS place
    FROM standing LEFT JOIN listed ON listed.external_id = standing.external_id
    WHERE {is_missing}
), counter AS (
    INSERT INTO sync_changecounter AS counter (tenant_id, last)
    SELECT %(tenant)s, count(*) FROM missing HAVING count(*) > 0
    ON CONFLICT (tenant_id) DO UPDATE SET last = counter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM missing) AS before
), gone AS (
    UPDATE sync_record AS record SET gone_at = statement_timestamp(), change_number = before + place
    FROM missing, counter
    WHERE record.tenant_id = %(tenant)s AND record.connection_id = %(connection)s AND record.stream = %(stream)s
        AND record.external_id = missing.external_id
    RETURNING 1
)
SELECT count(*) FROM gone
""".replace("{listed}", _LISTED).replace("{is_missing}", _IS_MISSING)  # nosec B608  (constants)
# Records that have a list, which the complete pass over their own stream did not show: nobody asked for those lists.
_UNLISTED_PARENTS = """
SELECT EXISTS (
    SELECT external_id FROM sync_record
    WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND stream = %(parent)s AND gone_at IS NULL
    EXCEPT
    SELECT jsonb_array_elements_text(ids) FROM sync_listedpage
    WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND stream = %(parent)s
)
"""


class Verdict(enum.Enum):
    """What is made of records that a pass did not show."""

    GONE = enum.auto()
    SUSPECTED = enum.auto()  # too many to be believed yet
    UNSETTLED = enum.auto()  # the pass does not tell


@dataclass(frozen=True)
class Comparison:
    """What a pass showed, beside what stood before it: `missing` records were not shown.

    Judged by `standing` records, of which `standing_missing` are among those: the ones that stood before any pass lacked too
    many, so that others in their place do not make them fewer. `is_settled`: whether the pass tells anything by that.
    """

    standing: int
    standing_missing: int
    missing: int
    is_settled: bool

    @property
    def wait(self) -> timedelta:
        """How long after the first pass that lacks so many another one is believed; zero where it is believed at once."""
        if self.standing_missing == self.standing:
            return EMPTY_WAIT
        is_mass = self.standing_missing > FEW_RECORDS and self.standing_missing * MASS_SHARE > self.standing
        return MASS_WAIT if is_mass else timedelta(0)


def is_full_pass_due(cursor: StreamCursor) -> bool:
    """Whether everything is to be read, and not only what changed."""
    now = timezone.now()
    if cursor.suspected_at is not None:
        return cursor.suspected_at + MASS_WAIT <= now
    is_old = cursor.full_at is None or cursor.full_at + FULL_PASS_EVERY <= now
    return is_old and (cursor.full_tried_at is None or cursor.full_tried_at + FULL_PASS_RETRY <= now)


def begin(*, connection: Connection, stream: Stream, progress: StreamProgress) -> None:
    """A pass over everything begins. In the caller's transaction and scope.

    What it showed is compared only where this says so, in a row that the web process cannot write: whoever lays out a run
    might pretend that a pass has begun.
    """
    standing = Record.objects.for_connection(connection).filter(stream=stream.name, gone_at=None)
    _cursor(connection, stream).update(full_run_id=progress.run_id, full_tried_at=Now(), is_compared=standing.exists())


def is_compared(connection: Connection, stream: Stream, progress: StreamProgress) -> bool:
    """Whether records may be gone that this pass does not show. Needs the tenant's scope."""
    return (
        not progress.since
        and not progress.skipped
        and _cursor(connection, stream).filter(full_run_id=progress.run_id, is_compared=True).exists()
    )


def checking(position: Position) -> Position:
    """The position of a pass that has read everything, and has yet to look at what it did not see."""
    return {**position, _CHECKING: True}


def is_checking(position: Position) -> bool:
    """Whether a pass is there."""
    return bool(position.get(_CHECKING))


def compare(run: SyncRun, stream: Stream, progress: StreamProgress) -> Comparison:
    """Compare what this pass showed with the records that stood when it began. In the caller's transaction and scope."""
    with database.cursor() as cursor:
        cursor.execute(_COMPARE, _values(run, stream, progress))
        standing, standing_missing, missing, unknown, is_open = cursor.fetchone()
    # An id that was listed and is no record is spelled in two ways, or was not kept: then its record would look missing.
    is_settled = not (unknown or is_open or progress.skipped)
    return Comparison(
        standing, standing_missing, missing, is_settled and not (missing and _has_unlisted_parents(run, stream))
    )


def decide(run: SyncRun, stream: Stream, progress: StreamProgress, comparison: Comparison) -> Verdict:
    """What is made of the missing ones. In the caller's transaction and scope."""
    if not is_compared(run.connection, stream, progress):
        return Verdict.UNSETTLED  # the position was not written by a pass
    fault = Connection.objects.values_list("fault", flat=True).get(id=run.connection_id)
    if not comparison.is_settled or fault in faults.COMPANY_FAULTS:
        return Verdict.UNSETTLED
    if not comparison.wait:
        return Verdict.GONE
    suspected_at = _cursor(run.connection, stream).values_list("suspected_at", flat=True).get()
    is_confirmed = suspected_at is not None and suspected_at + comparison.wait <= timezone.now()
    return Verdict.GONE if is_confirmed else Verdict.SUSPECTED


def mark(run: SyncRun, stream: Stream, progress: StreamProgress) -> int:
    """Mark the missing ones as gone, each with a change number; returns how many. In the caller's transaction and scope."""
    with database.cursor() as cursor:
        cursor.execute(_MARK, _values(run, stream, progress))
        count: int = cursor.fetchone()[0]
    StreamProgress.objects.filter(id=progress.id).update(gone=count)
    progress.gone = count
    _cursor(run.connection, stream).update(
        records=F("records") - count, gone=F("gone") + count, changed_at=Now(), suspected_at=None
    )
    return count


def suspect(run: SyncRun, stream: Stream, progress: StreamProgress, comparison: Comparison) -> datetime:
    """Note that so many are missing; returns from when on another pass is believed. In the caller's transaction and scope."""
    rows = _cursor(run.connection, stream)
    begun = StreamProgress.objects.filter(id=progress.id).values("started_at")
    rows.filter(suspected_at=None).update(suspected_at=Subquery(begun))
    suspected_at: datetime = rows.values_list("suspected_at", flat=True).get()
    return suspected_at + comparison.wait


def forget_suspicion(connection: Connection, stream: Stream) -> None:
    """A complete pass lacks nothing. In the caller's transaction and scope."""
    _cursor(connection, stream).exclude(suspected_at=None).update(suspected_at=None)


def _has_unlisted_parents(run: SyncRun, stream: Stream) -> bool:
    if stream.each is None:
        return False
    progress = StreamProgress.objects.filter(run=run, stream=stream.each.stream).first()
    if progress is None or progress.since:
        return False  # nobody knows what is listed of them: each that stands was asked for
    values: dict[str, Any] = {
        "tenant": run.tenant_id,
        "connection": run.connection_id,
        "run": run.id,
        "parent": stream.each.stream,
    }
    with database.cursor() as cursor:
        cursor.execute(_UNLISTED_PARENTS, values)
        return bool(cursor.fetchone()[0])


def _values(run: SyncRun, stream: Stream, progress: StreamProgress) -> dict[str, Any]:
    return {
        "tenant": run.tenant_id,
        "connection": run.connection_id,
        "run": run.id,
        "stream": stream.name,
        "progress": progress.id,
        "is_prefixed": stream.each is not None and stream.each.prefixed,
    }


def _cursor(connection: Connection, stream: Stream) -> Any:
    return StreamCursor.objects.for_connection(connection).filter(stream=stream.name)
