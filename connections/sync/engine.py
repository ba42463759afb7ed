"""Does a run: reads the provider's streams page by page; a page, its counts and its request log are one commit.

Nothing is concluded about records that a pass did not show: no stream promises yet that a complete pass lists all that
exists (Procountor's lists leave out inactive partners), so no record is ever deleted here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from connections.jobs.lease import LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.providers import registry
from connections.spec.errors import Blocked, CallFailed, Forbidden, QuotaExhausted, Unauthorized, Unavailable
from connections.spec.faults import Fault
from connections.spec.scans import ShortList, skipping
from connections.spec.streams import BadPage, Page, Position, Seen, Step, Stream, UnsettledList
from connections.sync import cursors, faults, listed, sentences, slices, states, upsert
from connections.sync.models import ACTIVE, Level, ProgressState, RunState, StreamProgress, SyncRun
from connections.sync.services import note
from connections.sync.slices import Part, Tally
from connections.tenancy.models import TenantState
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client, Reply
from connections.transport.models import RequestLogEntry

SLICE = 20.0  # seconds of reading before the job is handed back, so that nobody's sync holds a worker for long
PAGES_PER_LINE = 100
SKIPPED_LINES = 20  # records that could not be kept, and lists, that a stream names; beyond that their number is told
SLOW = timedelta(seconds=5)  # a page that takes longer and is not answered then is perhaps too large
HELD = timedelta(minutes=10)
SHORTEST_WAIT = timedelta(seconds=1)
WHOLE = (200, 203, 204)  # of an answer that may be a whole page: 202 and 206, among others, promise less

UNENDED = (ProgressState.PENDING, ProgressState.READING)
TROUBLED = (ProgressState.REFUSED, ProgressState.FAILED)
NOTHING = Page([], is_empty_word=True)


def read(lease: TenantLease) -> Again | None:
    """Job: go on with a run for one slice. HTTP never happens inside a transaction."""
    with lease.scope():
        # In the scope of the job's own tenant: a row that names somebody else's run finds nothing.
        run = SyncRun.objects.select_related("connection__tenant").filter(id=lease.subject, state__in=ACTIVE).first()
        if run is None:
            return None
        if run.connection.tenant.state == TenantState.SUSPENDED or run.connection.fault in faults.HOLDING:
            return Again(
                timezone.now() + HELD, "held: the tenant is suspended, or the credential is perhaps another company's"
            )
        if run.state == RunState.WAITING and run.waiting_until and run.waiting_until > timezone.now():
            return Again(run.waiting_until, run.fault)  # woken too early, after a worker's death
        states.take_up(run, after_a_crash=lease.starts > 1)
        unended = list(StreamProgress.objects.filter(run=run, state__in=UNENDED))
    return Reading(lease, run, Client(connection=run.connection, run_id=run.id)).go_on(unended)


@dataclass
class Reading:
    """One slice of a run, in one worker's hands."""

    lease: TenantLease
    run: SyncRun
    client: Client
    ends_at: float = field(default_factory=lambda: time.monotonic() + SLICE)
    seen: dict[tuple[str, str, int], Seen] = field(
        default_factory=dict
    )  # by stream, part and reading: the one at hand
    parents: dict[str, frozenset[str] | None] = field(default_factory=dict)  # by stream

    def go_on(self, unended: list[StreamProgress]) -> Again | None:
        """Read these streams in order. Hands back when the slice is over or the provider asks to wait.

        Errors that nobody foresaw go up to the job, which counts them.
        """
        provider = registry.all_providers()[self.run.connection.provider]
        try:
            for progress in unended:
                try:
                    if not self._read(provider.stream(progress.stream), progress):
                        return Again()
                except Unavailable as failed:
                    return self._wait(failed)
                except (Unauthorized, Blocked) as failed:
                    self._fail(progress, failed)
                    return None
            self._end()
        except Exception:
            with tenant_scope(self.run.tenant_id):
                self.client.write_ledger()  # what was asked was asked, whatever became of the answer
            raise
        return None

    # -- one stream ------------------------------------------------------------------------------------------------

    def _read(self, stream: Stream, progress: StreamProgress) -> bool:
        """Page after page to the stream's end. False when the slice is over before that."""
        while time.monotonic() < self.ends_at:
            if self.lease.is_lost:
                raise LeaseLost(str(self.lease.job_id))
            part: Part | None = None
            reply: Reply | None = None
            try:
                if progress.state == ProgressState.PENDING:
                    self._ask_permission(stream)
                    self._begin(stream, progress)
                part = self._part(stream, progress)
                if part is None:  # nobody has such a list
                    with self.lease.scope():
                        self._conclude(progress, stream, Tally())
                        self.client.write_ledger()
                    return True
                reply = self._fetch(stream, progress, part)
                page = stream.paging.read(reply.body, stream.key, reply.headers)
                step = stream.paging.following(part.position, page, stream.key, self._seen(stream, part))
                is_over = self._keep(stream, progress, part, reply, page, step)
            except (Unauthorized, Blocked):
                raise  # no stream would fare better
            except Unavailable as failed:
                if part is not None:
                    self._make_smaller(stream, progress, part, failed)
                raise
            except (CallFailed, BadPage) as failed:
                if part is not None and slices.is_divided(stream):
                    is_over = self._miss(stream, progress, part, failed, reply)
                else:
                    self._stop(progress, failed, reply.entry_id if reply else None)
                    is_over = True
            if is_over:
                return True
        return False

    def _part(self, stream: Stream, progress: StreamProgress) -> Part | None:
        with tenant_scope(self.run.tenant_id):
            return slices.at(self.run.connection, stream, progress.position, self._parents(stream))

    def _parents(self, stream: Stream) -> frozenset[str] | None:
        if stream.name not in self.parents:
            self.parents[stream.name] = listed.parents(run=self.run, stream=stream)
        return self.parents[stream.name]

    def _seen(self, stream: Stream, part: Part) -> Seen:
        scan = part.position.get("scan", 1)
        place = (stream.name, part.name, scan)
        if place not in self.seen:
            with tenant_scope(self.run.tenant_id):
                self.seen = {place: listed.seen(run=self.run, stream=stream, part=part.name, scan=scan)}
        return self.seen[place]

    def _fetch(self, stream: Stream, progress: StreamProgress, part: Part) -> Reply:
        """One page of one list. Raises CallFailed, BadPage."""
        slices.check(stream, part)
        query = {**part.arguments.query, **stream.paging.parameters(part.position)}
        if stream.since is not None and progress.since:
            query[stream.since.parameter] = progress.since
        reply = self.client.send(stream.operation, replace(part.arguments, query=query))
        if reply.status not in WHOLE:
            message = f"answered {reply.status}, which promises no whole list"
            raise ShortList(message)
        return reply

    def _ask_permission(self, stream: Stream) -> None:
        """Raises Forbidden when a right is missing without which the provider hides or cuts this stream."""
        if stream.permission is None:
            return
        reply = self.client.send(stream.permission.operation)
        if stream.permission.lacking(reply.body, stream.permission.needs):
            raise Forbidden(
                stream.permission.fault, entry_id=reply.entry_id, provider_request_id=reply.provider_request_id
            )

    def _begin(self, stream: Stream, progress: StreamProgress) -> None:
        with self.lease.scope():
            self.client.write_ledger()  # the question for the right; a kill may cost the row of the page in hand, no more
            cursors.begin(connection=self.run.connection, stream=stream, progress=progress)
            if progress.since:
                note(run=self.run, code=sentences.STREAM_SINCE, stream=stream.name, since=progress.since)
            else:
                note(run=self.run, code=sentences.STREAM_FULL, stream=stream.name)

    def _keep(
        self, stream: Stream, progress: StreamProgress, part: Part, reply: Reply, page: Page, step: Step
    ) -> bool:
        """Write what an answer brought. True when the stream has ended with it."""
        connection = self.run.connection
        with self.lease.scope():
            written = upsert.write(
                connection=connection,
                stream=stream.name,
                key=stream.key,
                document="[]" if page.is_empty_word else reply.document.decode(),
                path=() if page.is_empty_word else page.path,
                prefix=part.prefix,
            )
            skipped, inner = skipping(part.position, step, written.refused_count)
            following, tally = self._following(stream, progress, part, inner)
            cursors.move(
                connection=connection,
                stream=stream,
                progress=progress,
                page=page,
                step=step,
                written=written,
                skipped=skipped,
                following=following,
            )
            if listed.is_kept(self.run, stream):
                listed.keep(run=self.run, stream=stream, part=part.name, step=step, place=progress.pages)
            if skipped:
                self._tell_skipped(progress, step, written, skipped)
            if reply.is_mended:
                note(run=self.run, code=sentences.REPAIRED, level=Level.WARNING, stream=stream.name)
            if following is not None and progress.pages % PAGES_PER_LINE == 0:
                note(run=self.run, code=sentences.PROGRESS, stream=stream.name, seen=progress.seen)
            if following is None:
                self._conclude(progress, stream, tally)
            self.client.write_ledger()
            self.lease.forget_crashes()
        return following is None

    def _following(
        self, stream: Stream, progress: StreamProgress, part: Part, inner: Position | None
    ) -> tuple[Position | None, Tally]:
        """Where the pass goes on after a page: in the same list, in the next one, or nowhere."""
        tally = Tally.of(progress.position)
        if inner is not None:
            return slices.within(stream, progress.position, part, inner), tally
        tally = replace(tally, answered=tally.answered + 1)
        return slices.after(self.run.connection, stream, part, tally, self._parents(stream)), tally

    def _tell_skipped(self, progress: StreamProgress, step: Step, written: upsert.Written, skipped: int) -> None:
        """In the log, up to a number."""
        left = max(0, SKIPPED_LINES - (progress.skipped - skipped))
        told = written.refused[: min(left, skipped)]
        for refused in told:
            values = {
                "stream": progress.stream,
                "page": step.page,
                "place": refused.place + 1,
                "reason": refused.reason,
            }
            note(run=self.run, code=sentences.SKIPPED, level=Level.WARNING, **values)
        if left and skipped > len(told):
            values = {"stream": progress.stream, "page": step.page, "count": skipped - len(told)}
            note(run=self.run, code=sentences.SKIPPED_MORE, level=Level.WARNING, **values)

    def _make_smaller(self, stream: Stream, progress: StreamProgress, part: Part, failed: Unavailable) -> None:
        """Twice in a row the server did not manage this page: ask for half of it from now on."""
        if isinstance(failed, QuotaExhausted):
            return
        with tenant_scope(self.run.tenant_id):
            status, took = self._answered(failed.entry_id)
            if status not in (500, 502, 504) and not (status is None and took >= SLOW / timedelta(milliseconds=1)):
                return
            slow = part.position.get("slow", 0) + 1
            smaller = stream.paging.smaller(part.position) if slow > 1 else None
            self.lease.check()
            self._stand(
                progress, slices.within(stream, progress.position, part, smaller or {**part.position, "slow": slow})
            )
            if smaller:
                values = {"stream": stream.name, "size": smaller["size"]}
                note(run=self.run, code=sentences.SMALLER_PAGES, level=Level.WARNING, **values)

    def _miss(
        self, stream: Stream, progress: StreamProgress, part: Part, failed: CallFailed | BadPage, reply: Reply | None
    ) -> bool:
        """One list of several cannot be read: count it, name it, and go on with the next. True when it was the last one."""
        if isinstance(failed, CallFailed):
            fault, entry_id = failed.fault, failed.entry_id
        else:
            fault, entry_id = faults.of_page(failed), reply.entry_id if reply else None
        of = stream.each.stream if stream.each else stream.name
        values: dict[str, Any] = {"stream": stream.name, "of": of, "part": part.name, "fault": fault.code}
        values |= states.pointing(entry_id) | ({"reason": str(failed)} if isinstance(failed, BadPage) else {})
        with self.lease.scope():
            tally = Tally.of(progress.position)
            status, _took = self._answered(entry_id)
            if slices.is_nothing(stream, part, failed, status):
                tally = replace(tally, answered=tally.answered + 1)
                note(run=self.run, code=sentences.PART_CLOSED, **values)
            else:
                tally = tally.miss(fault.code, str(entry_id or ""), failed)
                if tally.missed <= SKIPPED_LINES:
                    note(run=self.run, code=sentences.PART_MISSED, level=Level.WARNING, **values)
                    self._tell_counts(progress, failed)
            following = slices.after(self.run.connection, stream, part, tally, self._parents(stream))
            is_over = following is None or tally.is_hopeless
            if following is None or is_over:
                self._conclude(progress, stream, tally)
            else:
                self._stand(progress, following)
            self.client.write_ledger()
            self.lease.forget_crashes()
        return is_over

    @staticmethod
    def _answered(entry_id: UUID | None) -> tuple[int | None, int]:
        """Status and milliseconds of a call that failed."""
        entries = RequestLogEntry.objects.filter(id=entry_id) if entry_id else RequestLogEntry.objects.none()
        return entries.values_list("status", "duration_ms").first() or (None, 0)

    def _conclude(self, progress: StreamProgress, stream: Stream, tally: Tally) -> None:
        """Every list of the stream was read, or missed. In the caller's transaction and scope."""
        if not tally.missed:
            cursors.end(connection=self.run.connection, stream=stream, progress=progress)
            counts = {name: getattr(progress, name) for name in ("seen", "added", "changed", "pages")}
            note(run=self.run, code=sentences.STREAM_DONE, stream=stream.name, **counts)
            return
        entry_id = UUID(tally.entry) if tally.entry else None
        known = faults.find(provider=self.run.connection.provider, code=tally.fault)
        if tally.answered or known is None:
            # A right that is missing for one of them breaks nothing else.
            fault = faults.PARTS_MISSED if tally.is_refused else faults.PARTS_UNREADABLE
            self._mark(progress, ProgressState.FAILED, fault, entry_id)
        else:
            state = ProgressState.REFUSED if tally.is_forbidden else ProgressState.FAILED
            self._mark(progress, state, known, entry_id)

    def _stop(self, progress: StreamProgress, failed: CallFailed | BadPage, entry_id: UUID | None) -> None:
        """This stream ends here; the run goes on with the next one, and will not be green."""
        with self.lease.scope():
            if isinstance(failed, CallFailed):
                state = ProgressState.REFUSED if isinstance(failed, Forbidden) else ProgressState.FAILED
                self._mark(progress, state, failed.fault, failed.entry_id)
            else:
                self._tell_counts(progress, failed)
                self._mark(progress, ProgressState.FAILED, faults.of_page(failed), entry_id, str(failed))
            self.client.write_ledger()

    def _tell_counts(self, progress: StreamProgress, failed: CallFailed | BadPage) -> None:
        if isinstance(failed, UnsettledList) and failed.told is not None:
            values = {"stream": progress.stream, "told": failed.told, "seen": failed.seen}
            note(run=self.run, code=sentences.COUNTS_DIFFER, level=Level.WARNING, **values)

    def _mark(
        self, progress: StreamProgress, state: ProgressState, fault: Fault, entry_id: UUID | None, reason: str = ""
    ) -> None:
        """The stream's end, with its line."""
        StreamProgress.objects.filter(id=progress.id).update(state=state, fault=fault.code, entry_id=entry_id)
        code = sentences.STREAM_REFUSED if state == ProgressState.REFUSED else sentences.STREAM_FAILED
        detail = {"reason": reason} if reason else {}
        values = {"stream": progress.stream, "fault": fault.code, **states.pointing(entry_id), **detail}
        note(run=self.run, code=code, level=Level.ERROR, **values)

    @staticmethod
    def _stand(progress: StreamProgress, position: Position) -> None:
        StreamProgress.objects.filter(id=progress.id).update(position=position)
        progress.position = position

    # -- the run ---------------------------------------------------------------------------------------------------

    def _wait(self, failed: Unavailable) -> Again:
        until = max(failed.retry_at, timezone.now() + SHORTEST_WAIT)
        with self.lease.scope():
            states.wait(self.run, until=until, fault=failed.fault.code, entry_id=failed.entry_id)
            self.client.write_ledger()
        return Again(until, failed.fault.code)

    def _fail(self, progress: StreamProgress, failed: Unauthorized | Blocked) -> None:
        with self.lease.scope():
            StreamProgress.objects.filter(id=progress.id).update(
                state=ProgressState.FAILED, fault=failed.fault.code, entry_id=failed.entry_id
            )
            states.end(self.run, RunState.FAILED, fault=failed.fault.code, entry_id=failed.entry_id)
            listed.forget(self.run)
            self.client.write_ledger()

    def _end(self) -> None:
        """Every stream has ended. Green only when every one was read to its end, and every record kept."""
        with self.lease.scope():
            listed.forget(self.run)
            streams = list(StreamProgress.objects.filter(run=self.run))
            troubled = [each for each in streams if each.state in TROUBLED]
            if troubled:
                reached = {each.state for each in streams}
                nothing_came = ProgressState.FAILED in reached and ProgressState.DONE not in reached
                state = RunState.FAILED if nothing_came else RunState.INCOMPLETE
                states.end(self.run, state, fault=troubled[0].fault, entry_id=troubled[0].entry_id)
            elif any(each.skipped for each in streams):
                states.end(self.run, RunState.INCOMPLETE, fault=faults.RECORDS_SKIPPED.code)
            else:
                states.end(self.run, RunState.SUCCEEDED)
