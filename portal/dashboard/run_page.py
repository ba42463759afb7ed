"""What the page of one run shows: progress per stream, and the newest of its log and of its requests, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from connections.spec.provider import Provider
from connections.spec.text import Text
from connections.sync import sentences
from connections.sync.models import ProgressState, RunLogLine, StreamProgress, SyncRun
from connections.transport.models import RequestLogEntry
from portal.dashboard.pagination import KeysetPage, page
from portal.dashboard.request_log_rows import RequestRow, request_rows
from portal.members.polling import fingerprint_of
from portal.members.run_words import ShareRow, outlook, share_rows
from portal.onboarding.marks import provider_of
from portal.onboarding.progress import sentence

LINES_SHOWN = 50
REQUESTS_SHOWN = 25
KEYS = {"at": datetime, "id": UUID}


@dataclass(frozen=True)
class StreamProgressRow:
    """How far one run is with one stream."""

    label: Text
    progress: StreamProgress
    fault: str

    @property
    def is_reading(self) -> bool:
        return self.progress.state == ProgressState.READING

    @property
    def is_done(self) -> bool:
        return self.progress.state == ProgressState.DONE


@dataclass(frozen=True)
class RunPage:
    """One run, with one page of its log and one of its requests."""

    run: SyncRun
    provider: Provider
    streams: list[StreamProgressRow]
    line_page: KeysetPage[RunLogLine]
    lines: Sequence[sentences.Line]  # of that page, oldest first
    request_page: KeysetPage[RequestLogEntry]
    requests: list[RequestRow]
    fault: str
    outlook: str
    shares: list[ShareRow]
    is_newest: bool  # both pages are the first ones

    @property
    def is_active(self) -> bool:
        return self.run.is_active

    @property
    def should_poll(self) -> bool:
        """Whether the page asks for what is new: not where somebody reads what is old."""
        return self.is_active and self.is_newest

    @property
    def fingerprint(self) -> str:
        """Changes when anything on the page does."""
        streams = [(row.progress.seen, row.progress.skipped, row.progress.state) for row in self.streams]
        newest = [row.id for rows in (self.line_page.rows, self.request_page.rows) for row in rows[:1]]
        return fingerprint_of(self.run.state, self.run.waiting_until, newest, streams, self.outlook, len(self.shares))


def runs_for_page() -> QuerySet[SyncRun]:
    """Every one, to be filtered, with its connection."""
    return SyncRun.objects.select_related("connection")


def run_page(run: SyncRun, *, lines_after: str = "", requests_after: str = "") -> RunPage:
    """The newest lines and requests, or those after a position (keyset.py). Three queries; needs the tenant's scope."""
    provider = provider_of(run.connection)
    labels = {stream.name: stream.label for stream in provider.streams}
    entries = RequestLogEntry.objects.filter(tenant_id=run.tenant_id, run_id=run.id)
    requests = page(entries, KEYS, requests_after, size=REQUESTS_SHOWN, descending=True)
    log = RunLogLine.objects.filter(run_id=run.id)
    lines = page(log, KEYS, lines_after, size=LINES_SHOWN, descending=True)
    streams = list(StreamProgress.objects.filter(run=run))
    return RunPage(
        run=run,
        provider=provider,
        streams=[
            StreamProgressRow(
                labels.get(row.stream, row.stream), row, sentence(provider, row.fault, {}) if row.fault else ""
            )
            for row in streams
        ],
        line_page=lines,
        lines=[sentences.read(line, provider.slug) for line in reversed(lines.rows)],
        request_page=requests,
        requests=request_rows(provider, requests.rows),
        fault=sentence(provider, run.fault, {}) if run.fault else "",
        outlook=outlook(run, streams, timezone.now()),
        shares=share_rows(run),
        is_newest=not lines_after and not requests_after,
    )
