"""The ids that pages listed, stored for as long as their run lasts.

A pass needs them to see what it has read already, and what is gone (deletions.py); the lists of single records need those of
their parents.
"""

from __future__ import annotations

import json

from connections.providers import registry
from connections.spec.streams import Seen, Step, Stream
from connections.sync.models import ListedPage, ProgressState, StreamProgress, SyncRun

Insertion = tuple[str, list[str]]  # a statement and its values


def is_needed(run: SyncRun, stream: Stream) -> bool:
    """Whether the run needs the ids of this stream's pages later on."""
    provider = registry.all_providers()[run.connection.provider]
    is_parent = any(each.each and each.each.stream == stream.name for each in provider.streams)
    return stream.paging.remembers or is_parent


def insertion(*, run: SyncRun, stream: Stream, part: str, step: Step, place: int) -> Insertion:
    """The statement that stores the ids of one page, and its values. `place`: which page of the pass it is, in their order."""
    statement = (
        "INSERT INTO sync_listedpage (id, tenant_id, run_id, stream, part, scan, place, ids, is_unsettled)"
        " VALUES (gen_random_uuid(), %s::uuid, %s::uuid, %s, %s, %s::int, %s::int, %s::jsonb, %s::bool)"
    )
    values = (run.tenant_id, run.id, stream.name, part, step.scan, place, json.dumps(step.ids), step.is_lacking)
    return statement, [str(each) for each in values]


def leave_open(*, run: SyncRun, stream: Stream, part: str, place: int) -> None:
    """Note that a list was not shown, although nothing of it was missed: what it held may be there all the same."""
    ListedPage.objects.create(
        tenant_id=run.tenant_id, run=run, stream=stream.name, part=part, place=place, is_unsettled=True
    )


def seen(*, run: SyncRun, stream: Stream, part: str, scan: int) -> Seen:
    """The ids that this reading of a list, and the one before, have brought."""
    ids_seen = Seen()
    if not stream.paging.remembers:
        return ids_seen
    pages = ListedPage.objects.filter(run_id=run.id, stream=stream.name, part=part)
    for number in (scan - 1, scan):
        for ids in pages.filter(scan=number).order_by("place").values_list("ids", flat=True):
            ids_seen.add(ids)
        if number < scan:
            ids_seen.turn()
    return ids_seen


def parents(*, run: SyncRun, stream: Stream) -> frozenset[str] | None:
    """Ids of the records that a complete pass of this run listed of the stream that `stream` belongs to.

    None where there was no such pass: then nobody knows which of the stored records still exist.
    """
    if stream.each is None:
        return None
    progress = StreamProgress.objects.filter(run_id=run.id, stream=stream.each.stream).first()
    if progress is None or progress.state != ProgressState.DONE or progress.since or progress.skipped:
        return None
    pages = ListedPage.objects.filter(run_id=run.id, stream=stream.each.stream).values_list("ids", flat=True)
    parent_ids = frozenset(each for ids in pages for each in ids)
    return parent_ids if parent_ids or not progress.seen else None


def forget(run: SyncRun) -> None:
    """Delete what is stored for the runs of its connection: this one is the last that may need it."""
    ListedPage.objects.filter(run__connection_id=run.connection_id).delete()
