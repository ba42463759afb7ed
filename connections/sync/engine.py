"""Does a run, turn by turn: reads the provider's streams page by page until all have ended.

The life of a sync: a page asks for it (services.start_run), the job below takes it up, `pages` writes each page in one
commit, `missed_lists` and `stream_endings` say what could not be read, and the end of the run is decided here.

No record is ever deleted here. Those that a complete pass did not show are called gone, with care: deletions.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from connections.jobs.lease import LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.providers import registry
from connections.spec.errors import Blocked, CallFailed, Unauthorized, Unavailable
from connections.spec.streams import BadPage
from connections.sync import (
    cursors,
    deletions,
    faults,
    listed_ids,
    missed_lists,
    pages,
    sentences,
    slices,
    states,
    stream_endings,
    time_shares,
)
from connections.sync.models import ProgressState, RunState, StreamProgress, SyncRun
from connections.sync.slices import Part
from connections.sync.stream_pass import StreamPass
from connections.tenancy.models import TenantState
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client, Reply
from connections.transport.stopwatch import Stopwatch

TURN_SECONDS = 20.0  # of reading before the job is handed back, so that nobody's sync holds a worker for long
HELD_RUN_WAIT = timedelta(minutes=10)
SHORTEST_WAIT = timedelta(seconds=1)

NOT_ENDED = (ProgressState.PENDING, ProgressState.READING)
NOT_READ = (ProgressState.REFUSED, ProgressState.FAILED)


def read(lease: TenantLease) -> Again | None:
    """Job: go on with a run for one turn. HTTP never happens inside a transaction."""
    with lease.scope():
        # In the scope of the job's own tenant: a row that names somebody else's run finds nothing.
        run = SyncRun.objects.active().select_related("connection__tenant").filter(id=lease.subject).first()
        if run is None:
            return None
        is_suspended = run.connection.tenant.state == TenantState.SUSPENDED
        if is_suspended or run.connection.is_paused or run.connection.fault in faults.COMPANY_FAULTS:
            reason = "held: suspended or paused, or the credential is perhaps another company's"
            return Again(timezone.now() + HELD_RUN_WAIT, reason)
        if run.state == RunState.WAITING and run.waiting_until and run.waiting_until > timezone.now():
            return Again(run.waiting_until, run.fault)  # woken too early, after a worker's death
        time_shares.take_up(run)
        states.take_up(run, after_a_crash=lease.starts > 1)
        streams = list(StreamProgress.objects.filter(run=run, state__in=NOT_ENDED))
    turn = Turn(lease, run, Client(connection=run.connection, run_id=run.id))
    with time_shares.measured(turn.stopwatch):
        return turn.go_on(streams)


@dataclass
class Turn:
    """One worker's turn at a run."""

    lease: TenantLease
    run: SyncRun
    client: Client
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    ends_at: float = field(default_factory=lambda: time.monotonic() + TURN_SECONDS)

    def go_on(self, streams: list[StreamProgress]) -> Again | None:
        """Read these streams in order. Hands back when the turn is over or the provider asks to wait.

        Errors that nobody foresaw go up to the job, which counts them.
        """
        provider = registry.all_providers()[self.run.connection.provider]
        try:
            for progress in streams:
                stream = provider.stream(progress.stream)
                try:
                    if not self._read(StreamPass(self.lease, self.run, self.client, stream, progress)):
                        with self.lease.scope():
                            time_shares.settle(self.run, self.stopwatch)
                        return Again()
                except Unavailable as failed:
                    return self._wait(failed)
                except (Unauthorized, Blocked) as failed:
                    self._fail(progress, failed)
                    return None
            self._end()
        except Exception:
            with tenant_scope(self.run.tenant_id):
                self.client.write_pending()  # what was asked was asked, whatever became of the answer
            raise
        return None

    def _read(self, stream_pass: StreamPass) -> bool:
        """Page after page to the stream's end. False when the turn is over before that."""
        while time.monotonic() < self.ends_at:
            if self.lease.is_lost:
                raise LeaseLost(str(self.lease.job_id))
            if self._read_page(stream_pass):
                return True
        return False

    def _read_page(self, stream_pass: StreamPass) -> bool:
        """Ask for the next page and write what it brought. True when the stream has ended with it.

        Raises Unavailable, and Unauthorized and Blocked, with which no other stream would fare better.
        """
        part: Part | None = None
        reply: Reply | None = None
        try:
            if stream_pass.progress.state == ProgressState.PENDING:
                self._begin(stream_pass)
            if deletions.is_checking(stream_pass.progress.position):
                return stream_endings.check_missing(stream_pass)
            part = stream_pass.part()
            if part is None:
                return stream_endings.conclude_empty(stream_pass)
            reply = pages.fetch(stream_pass, part)
            return pages.store(stream_pass, part, reply)
        except (Unauthorized, Blocked):
            raise
        except Unavailable as failed:
            if part is not None:
                pages.halve_size(stream_pass, part, failed)
            raise
        except (CallFailed, BadPage) as failed:
            if part is not None and slices.is_divided(stream_pass.stream):
                return missed_lists.miss(stream_pass, part, failed, reply)
            stream_endings.stop(stream_pass, failed, reply.entry_id if reply else None)
            return True

    def _begin(self, stream_pass: StreamPass) -> None:
        """Decide from where the stream is read, in this run's first pass at it.

        Raises Forbidden when a right is missing without which the provider hides or cuts this stream, BadPage.
        """
        stream, progress = stream_pass.stream, stream_pass.progress
        stream_pass.check_permission()
        with self.lease.scope():
            self.client.write_pending()  # the log entry of the request above: a killed worker loses at most that of one page
            cursors.begin(connection=self.run.connection, stream=stream, progress=progress)
            if progress.since:
                stream_pass.note(sentences.STREAM_SINCE, since=progress.since)
            else:
                is_renewed = stream.since is not None and stream_pass.is_compared
                stream_pass.note(sentences.STREAM_FULL_AGAIN if is_renewed else sentences.STREAM_FULL)

    # -- how the turn ends -----------------------------------------------------------------------------------------

    def _wait(self, failed: Unavailable) -> Again:
        until = max(failed.retry_at, timezone.now() + SHORTEST_WAIT)
        with self.lease.scope():
            states.wait(self.run, until=until, fault=failed.fault.code, entry_id=failed.entry_id)
            self.client.write_pending()
            time_shares.settle(self.run, self.stopwatch)
        return Again(until, failed.fault.code)

    def _fail(self, progress: StreamProgress, failed: Unauthorized | Blocked) -> None:
        with self.lease.scope():
            StreamProgress.objects.filter(id=progress.id).update(
                state=ProgressState.FAILED, fault=failed.fault.code, entry_id=failed.entry_id
            )
            states.end(self.run, RunState.FAILED, fault=failed.fault.code, entry_id=failed.entry_id)
            listed_ids.forget(self.run)
            self.client.write_pending()
            time_shares.settle(self.run, self.stopwatch)

    def _end(self) -> None:
        """Every stream has ended. Green only when every one was read to its end, and every record kept."""
        with self.lease.scope():
            listed_ids.forget(self.run)
            streams = list(StreamProgress.objects.filter(run=self.run))
            not_read = [each for each in streams if each.state in NOT_READ]
            if not_read:
                end_states = {each.state for each in streams}
                is_failed = ProgressState.FAILED in end_states and ProgressState.DONE not in end_states
                state = RunState.FAILED if is_failed else RunState.INCOMPLETE
                states.end(self.run, state, fault=not_read[0].fault, entry_id=not_read[0].entry_id)
            elif any(each.skipped for each in streams):
                states.end(self.run, RunState.INCOMPLETE, fault=faults.RECORDS_SKIPPED.code)
            else:
                states.end(self.run, RunState.SUCCEEDED)
            time_shares.settle(self.run, self.stopwatch)
