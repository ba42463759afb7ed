"""Does a run: reads the provider's streams page by page; a page, its counts and its request log are one commit.

Nothing is concluded about records that a pass did not show: no stream promises yet that a complete pass lists all that
exists (Procountor's lists leave out inactive partners), so no record is ever deleted here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from connections.jobs.lease import Lease, LeaseLost
from connections.jobs.registry import Again
from connections.providers import registry
from connections.spec.errors import Blocked, CallFailed, Forbidden, Unauthorized, Unavailable
from connections.spec.faults import Fault
from connections.spec.streams import BadPage, CutList, Page, Position, Stream
from connections.sync import cursors, faults, parts, sentences, states, upsert
from connections.sync.models import ACTIVE, Level, ProgressState, RunState, StreamProgress, SyncRun
from connections.sync.parts import Part
from connections.sync.services import note
from connections.tenancy.models import TenantState
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client, Reply

SLICE = 20.0  # seconds of reading before the job is handed back, so that nobody's sync holds a worker for long
PAGES_PER_LINE = 100
HELD = timedelta(minutes=10)
SHORTEST_WAIT = timedelta(seconds=1)

UNENDED = (ProgressState.PENDING, ProgressState.READING)
TROUBLED = (ProgressState.REFUSED, ProgressState.FAILED)


def read(lease: Lease) -> Again | None:
    """Job: go on with a run for one slice. HTTP never happens inside a transaction."""
    if lease.tenant_id is None:
        return None
    with tenant_scope(lease.tenant_id):
        lease.check()
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

    lease: Lease
    run: SyncRun
    client: Client
    ends_at: float = field(default_factory=lambda: time.monotonic() + SLICE)

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
        reply: Reply | None = None
        connection = self.run.connection
        while time.monotonic() < self.ends_at:
            if self.lease.lost:
                raise LeaseLost(str(self.lease.job_id))
            try:
                if progress.state == ProgressState.PENDING:
                    self._ask_permission(stream)
                    self._begin(stream, progress)
                with tenant_scope(self.run.tenant_id):
                    part = parts.at(connection, stream, progress.position)
                reply = self._fetch(stream, progress, part)
                page = stream.paging.read(reply.body, stream.key) if reply else Page([])
                if parts.is_divided(stream):
                    page = replace(page, total=None)  # true for one of its lists only
                inner = None if part is None else stream.paging.following(part.position, page, stream.key)
                with tenant_scope(self.run.tenant_id):
                    following = parts.following(connection, stream, progress.position, inner)
                self._keep(stream, progress, part, reply, page, following)
            except (Unauthorized, Blocked, Unavailable):
                raise  # no stream would fare better
            except CallFailed as failed:
                state = ProgressState.REFUSED if isinstance(failed, Forbidden) else ProgressState.FAILED
                self._stop(progress, state, failed.fault, failed.entry_id)
                return True
            except BadPage as wrong:
                fault = faults.LIST_CUT if isinstance(wrong, CutList) else faults.PAGE_UNREADABLE
                self._stop(progress, ProgressState.FAILED, fault, reply.entry_id if reply else None, str(wrong))
                return True
            if following is None:
                return True
        return False

    def _fetch(self, stream: Stream, progress: StreamProgress, part: Part | None) -> Reply | None:
        """One page of one list; None where nobody has such a list, or whoever had it is gone. Raises CallFailed."""
        if part is None:
            return None
        query = {**part.arguments.query, **stream.paging.parameters(part.position)}
        if stream.since is not None and progress.since:
            query[stream.since.parameter] = progress.since
        try:
            return self.client.send(stream.operation, replace(part.arguments, query=query))
        except CallFailed as failed:
            if stream.each is None or failed.fault.code not in stream.each.gone:
                raise
            return None

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
        with tenant_scope(self.run.tenant_id):
            self.lease.check()
            self.client.write_ledger()  # the question for the right; a kill may cost the row of the page in hand, no more
            cursors.begin(connection=self.run.connection, stream=stream, progress=progress)
            if progress.since:
                note(run=self.run, code=sentences.STREAM_SINCE, stream=stream.name, since=progress.since)
            else:
                note(run=self.run, code=sentences.STREAM_FULL, stream=stream.name)

    def _keep(
        self,
        stream: Stream,
        progress: StreamProgress,
        part: Part | None,
        reply: Reply | None,
        page: Page,
        following: Position | None,
    ) -> None:
        """Write what an answer brought. Raises BadPage, and then nothing is written."""
        connection = self.run.connection
        with tenant_scope(self.run.tenant_id):
            self.lease.check()
            written = upsert.write(
                connection=connection,
                stream=stream.name,
                key=stream.key,
                document=reply.document.decode() if reply else "[]",
                path=page.path,
                prefix=part.prefix if part else "",
            )
            if written.refused:
                message = f"{written.refused[0].reason} at {written.refused[0].place}"
                raise BadPage(message)
            cursors.move(
                connection=connection,
                stream=stream,
                progress=progress,
                page=page,
                written=written,
                following=following,
            )
            if reply and reply.is_mended:
                note(run=self.run, code=sentences.REPAIRED, level=Level.WARNING, stream=stream.name)
            if following is None:
                cursors.end(connection=connection, stream=stream, progress=progress)
                counts = {name: getattr(progress, name) for name in ("seen", "added", "changed", "pages")}
                note(run=self.run, code=sentences.STREAM_DONE, stream=stream.name, **counts)
            elif progress.pages % PAGES_PER_LINE == 0:
                note(run=self.run, code=sentences.PROGRESS, stream=stream.name, seen=progress.seen)
            self.client.write_ledger()
            self.lease.moved_on()

    def _stop(
        self, progress: StreamProgress, state: ProgressState, fault: Fault, entry_id: UUID | None, reason: str = ""
    ) -> None:
        """This stream ends here; the run goes on with the next one, and will not be green."""
        with tenant_scope(self.run.tenant_id):
            self.lease.check()
            self._mark(progress, state, fault, entry_id)
            code = sentences.STREAM_REFUSED if state == ProgressState.REFUSED else sentences.STREAM_FAILED
            detail = {"reason": reason} if reason else {}
            values = {"stream": progress.stream, "fault": fault.code, **states.pointing(entry_id), **detail}
            note(run=self.run, code=code, level=Level.ERROR, **values)
            self.client.write_ledger()

    @staticmethod
    def _mark(progress: StreamProgress, state: ProgressState, fault: Fault, entry_id: UUID | None) -> None:
        StreamProgress.objects.filter(id=progress.id).update(state=state, fault=fault.code, entry_id=entry_id)

    # -- the run ---------------------------------------------------------------------------------------------------

    def _wait(self, failed: Unavailable) -> Again:
        until = max(failed.retry_at, timezone.now() + SHORTEST_WAIT)
        with tenant_scope(self.run.tenant_id):
            self.lease.check()
            states.wait(self.run, until=until, fault=failed.fault.code, entry_id=failed.entry_id)
            self.client.write_ledger()
        return Again(until, failed.fault.code)

    def _fail(self, progress: StreamProgress, failed: Unauthorized | Blocked) -> None:
        with tenant_scope(self.run.tenant_id):
            self.lease.check()
            self._mark(progress, ProgressState.FAILED, failed.fault, failed.entry_id)
            states.end(self.run, RunState.FAILED, fault=failed.fault.code, entry_id=failed.entry_id)
            self.client.write_ledger()

    def _end(self) -> None:
        """Every stream has ended. Green only when every one was read to its end."""
        with tenant_scope(self.run.tenant_id):
            self.lease.check()
            streams = list(StreamProgress.objects.filter(run=self.run))
            troubled = [each for each in streams if each.state in TROUBLED]
            if not troubled:
                states.end(self.run, RunState.SUCCEEDED)
                return
            reached = {each.state for each in streams}
            nothing_came = ProgressState.FAILED in reached and ProgressState.DONE not in reached
            state = RunState.FAILED if nothing_came else RunState.INCOMPLETE
            states.end(self.run, state, fault=troubled[0].fault, entry_id=troubled[0].entry_id)
