"""One pass of a run through one stream, as the worker that reads it holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from connections.jobs.lease import TenantLease
from connections.spec.errors import Forbidden
from connections.spec.streams import Position, Seen, Stream
from connections.sync import deletions, drift, listed_ids, slices
from connections.sync.models import Level, StreamProgress, SyncRun
from connections.sync.services import note
from connections.sync.slices import Part, Tally
from connections.sync.time_shares import OWN
from connections.tenancy.scope import tenant_scope
from connections.transport import stopwatch
from connections.transport.client import Client
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection


@dataclass
class StreamPass:
    """What reading a page, writing it and ending the stream have in common.

    What is written is written inside `lease.scope()`; nothing here opens one.
    """

    lease: TenantLease
    run: SyncRun
    client: Client
    stream: Stream
    progress: StreamProgress
    # Only of the list, and the reading of it, that the pass is at: by the list's name and the reading's number.
    _seen: dict[tuple[str, int], Seen] = field(default_factory=dict, init=False)

    # What was seen of the records' fields.
    sample: drift.Sample = field(default_factory=drift.Sample, init=False)

    # Whether the page before brought nothing new: then this one probably does not either, and it is asked first what differs.
    is_asked_first: bool = field(default=True, init=False)

    @contextmanager
    def page_scope(self) -> Iterator[None]:
        """The transaction of one page. Raises LeaseLost.

        PostgreSQL keeps the plans of its statements for many pages. One that was made while the table was nearly empty would scan
        all of it, page after page, as it grows: so those scans are switched off.
        """
        with stopwatch.measure(stopwatch.DATABASE), tenant_scope(self.lease.tenant_id, enable_seqscan="off"):
            self.lease.check()
            with stopwatch.measure(OWN):
                yield

    @property
    def connection(self) -> Connection:
        return self.run.connection

    @property
    def tally(self) -> Tally:
        """How the lists of a divided stream fared so far."""
        return Tally.of(self.progress.position)

    @cached_property
    def is_compared(self) -> bool:
        """Whether what this pass does not show may be gone. Needs the tenant's scope."""
        return deletions.is_compared(self.connection, self.stream, self.progress)

    @cached_property
    def parent_ids(self) -> frozenset[str] | None:
        """Ids of the records that have a list in this stream; None for all that are stored. Needs the tenant's scope."""
        return listed_ids.parents(run=self.run, stream=self.stream)

    def part(self) -> Part | None:
        """The list that the pass is at, None where the stream has none at all."""
        if self.stream.each is None:
            return slices.at(self.connection, self.stream, self.progress.position)
        with tenant_scope(self.run.tenant_id):
            return slices.at(self.connection, self.stream, self.progress.position, self.parent_ids)

    def seen(self, part: Part) -> Seen:
        """The ids that this reading of the list, and the one before, have brought."""
        scan = part.position.get("scan", 1)
        key = (part.name, scan)
        if key not in self._seen:
            with tenant_scope(self.run.tenant_id):
                self._seen = {key: listed_ids.seen(run=self.run, stream=self.stream, part=part.name, scan=scan)}
        return self._seen[key]

    def position_in(self, part: Part, inner: Position) -> Position:
        """The position of the pass at a position of this list."""
        return slices.within(self.stream, self.progress.position, part, inner)

    def position_after(self, part: Part, tally: Tally) -> Position | None:
        """The position of the pass at the beginning of the next list, None after the last one. Needs the tenant's scope."""
        return slices.after(self.connection, self.stream, part, tally, self.parent_ids)

    def move_to(self, position: Position) -> None:
        """Go on from there, without a page."""
        StreamProgress.objects.filter(id=self.progress.id).update(position=position)
        self.progress.position = position

    def check_permission(self) -> None:
        """Raises Forbidden when a right is missing without which the provider hides or cuts this stream, BadPage."""
        permission = self.stream.permission
        if permission is None:
            return
        reply = self.client.send(permission.operation)
        if permission.lacking(reply.body, permission.needs):
            raise Forbidden(permission.fault, entry_id=reply.entry_id, provider_request_id=reply.provider_request_id)

    def note(self, code: str, level: Level = Level.INFO, **values: object) -> None:
        """A line of the run's log about this stream."""
        note(run=self.run, code=code, level=level, stream=self.stream.name, **values)


def status_and_milliseconds(entry_id: UUID | None) -> tuple[int | None, int]:
    """How a request was answered and how long it took, (None, 0) for one that was never sent. Needs the tenant's scope."""
    if entry_id is None:
        return None, 0
    return RequestLogEntry.objects.filter(id=entry_id).values_list("status", "duration_ms").first() or (None, 0)
