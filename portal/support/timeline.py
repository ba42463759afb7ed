"""A run on one axis: its log lines and its requests, in the order they happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from heapq import merge

from connections.providers import registry
from connections.sync import sentences
from connections.sync.models import ProgressState, RunLogLine, StreamProgress, SyncRun
from connections.sync.sentences import Line
from connections.transport.models import RequestLogEntry
from portal.support.formatting import fault_words

MOMENTS_AT_ONCE = 200


@dataclass(frozen=True)
class Moment:
    """A log line or a request; one of the two is there."""

    at: datetime
    line: Line | None = None
    entry: RequestLogEntry | None = None


@dataclass(frozen=True)
class Timeline:
    """Part of a run's story. `later` is where the next part begins, None at the end."""

    moments: list[Moment]
    later: datetime | None


def timeline(run: SyncRun, since: datetime | None = None) -> Timeline:
    """Two queries, whatever the run's length. `since`: not before. Needs the staff's or the tenant's scope."""
    lines = RunLogLine.objects.filter(tenant_id=run.tenant_id, run_id=run.id).order_by("at", "id")
    entries = RequestLogEntry.objects.filter(run_id=run.id).order_by("at", "id")
    if since is not None:
        lines, entries = lines.filter(at__gte=since), entries.filter(at__gte=since)
    provider = run.connection.provider
    line_moments = (Moment(line.at, line=sentences.read(line, provider)) for line in lines[: MOMENTS_AT_ONCE + 1])
    entry_moments = (Moment(entry.at, entry=entry) for entry in entries[: MOMENTS_AT_ONCE + 1])
    moments = list(merge(line_moments, entry_moments, key=lambda moment: moment.at))
    if len(moments) <= MOMENTS_AT_ONCE:
        return Timeline(moments, None)
    later = moments[MOMENTS_AT_ONCE].at
    # Moments of one and the same instant stay together, or the next part would begin in their middle and lose some.
    part = [moment for moment in moments[:MOMENTS_AT_ONCE] if moment.at < later]
    return Timeline(part or moments[:MOMENTS_AT_ONCE], later)


@dataclass(frozen=True)
class StreamReport:
    """How far one stream is. `percent` is None while nobody knows how much there is."""

    progress: StreamProgress
    label: str
    percent: int | None
    fault: str


def streams(run: SyncRun) -> list[StreamReport]:
    """One query. Needs the staff's or the tenant's scope."""
    provider = registry.find(run.connection.provider)
    labels = {stream.name: str(stream.label) for stream in provider.streams} if provider else {}
    return [
        StreamReport(
            progress,
            labels.get(progress.stream, progress.stream),
            _percent(progress),
            fault_words(run.connection.provider, progress.fault),
        )
        for progress in StreamProgress.objects.filter(tenant_id=run.tenant_id, run_id=run.id).order_by("order")
    ]


def _percent(progress: StreamProgress) -> int | None:
    if progress.state == ProgressState.DONE:
        return 100
    # What is expected is the provider's own guess; it is full only when the stream is done.
    return min(99, 100 * progress.seen // progress.expected) if progress.expected else None
