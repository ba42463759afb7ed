"""The ids that pages listed, for as long as their run lasts: what a pass has come by, and which parents are still there."""

from __future__ import annotations

from connections.providers import registry
from connections.spec.streams import Seen, Step, Stream
from connections.sync.models import ListedPage, ProgressState, StreamProgress, SyncRun


def is_kept(run: SyncRun, stream: Stream) -> bool:
    """Whether anybody asks for this stream's ids later in the run."""
    provider = registry.all_providers()[run.connection.provider]
    is_parent = any(each.each and each.each.stream == stream.name for each in provider.streams)
    return stream.paging.remembers or is_parent


def keep(*, run: SyncRun, stream: Stream, part: str, step: Step, place: int) -> None:
    """In the transaction of the page. `place` tells the pages of a pass in their order."""
    if step.ids:
        page = ListedPage(tenant_id=run.tenant_id, run_id=run.id, stream=stream.name, part=part)
        page.scan, page.place, page.ids = step.scan, place, list(step.ids)
        page.save(force_insert=True)


def seen(*, run: SyncRun, stream: Stream, part: str, scan: int) -> Seen:
    """What this reading of a list and the one before have come by."""
    found = Seen()
    if not stream.paging.remembers:
        return found
    pages = ListedPage.objects.filter(run_id=run.id, stream=stream.name, part=part)
    for number in (scan - 1, scan):
        for ids in pages.filter(scan=number).order_by("place").values_list("ids", flat=True):
            found.add(ids)
        if number < scan:
            found.turn()
    return found


def parents(*, run: SyncRun, stream: Stream) -> frozenset[str] | None:
    """Ids of the records that a complete pass of this run listed of the stream that `stream` belongs to.

    None where there was no such pass: then nobody knows which of those kept are still there.
    """
    if stream.each is None:
        return None
    progress = StreamProgress.objects.filter(run_id=run.id, stream=stream.each.stream).first()
    if progress is None or progress.state != ProgressState.DONE or progress.since or progress.skipped:
        return None
    pages = ListedPage.objects.filter(run_id=run.id, stream=stream.each.stream).values_list("ids", flat=True)
    found = frozenset(each for ids in pages for each in ids)
    return found if found or not progress.seen else None


def forget(run: SyncRun) -> None:
    """All that was kept for runs of its connection, of which it is the only one that lasts."""
    ListedPage.objects.filter(run__connection_id=run.connection_id).delete()
