"""How a stream of a run ends: read to its end, refused or failed, each with its line in the log."""

from __future__ import annotations

from uuid import UUID

from connections.spec.errors import CallFailed, Forbidden
from connections.spec.faults import Fault
from connections.spec.streams import BadPage, UnsettledList
from connections.sync import cursors, faults, sentences, states
from connections.sync.models import Level, ProgressState, StreamProgress
from connections.sync.slices import Tally
from connections.sync.stream_pass import StreamPass


def conclude(stream_pass: StreamPass, tally: Tally) -> None:
    """Every list of the stream was read, or missed. In the caller's transaction and scope."""
    if not tally.missed:
        progress = stream_pass.progress
        cursors.end(connection=stream_pass.connection, stream=stream_pass.stream, progress=progress)
        counts = {name: getattr(progress, name) for name in ("seen", "added", "changed", "pages")}
        stream_pass.note(sentences.STREAM_DONE, **counts)
        return
    entry_id = UUID(tally.entry) if tally.entry else None
    fault = faults.resolve_fault(provider=stream_pass.connection.provider, code=tally.fault)
    if tally.answered or fault is None:
        # A right that is missing for one of them breaks nothing else.
        fault = faults.PARTS_MISSED if tally.is_refused else faults.PARTS_UNREADABLE
        _mark(stream_pass, ProgressState.FAILED, fault, entry_id)
    else:
        state = ProgressState.REFUSED if tally.is_forbidden else ProgressState.FAILED
        _mark(stream_pass, state, fault, entry_id)


def conclude_empty(stream_pass: StreamPass) -> None:
    """The stream has no list at all, as where no record has one: there is nothing to read. Raises LeaseLost."""
    with stream_pass.lease.scope():
        conclude(stream_pass, Tally())
        stream_pass.client.write_pending()


def stop(stream_pass: StreamPass, failed: CallFailed | BadPage, entry_id: UUID | None) -> None:
    """The stream cannot be read on. The run goes on with the next one, and will not be green. Raises LeaseLost.

    `entry_id`: the request whose answer is no page, where one came.
    """
    with stream_pass.lease.scope():
        if isinstance(failed, CallFailed):
            state = ProgressState.REFUSED if isinstance(failed, Forbidden) else ProgressState.FAILED
            _mark(stream_pass, state, failed.fault, failed.entry_id)
        else:
            note_counts(stream_pass, failed)
            _mark(stream_pass, ProgressState.FAILED, faults.of_page(failed), entry_id, str(failed))
        stream_pass.client.write_pending()


def note_counts(stream_pass: StreamPass, failed: CallFailed | BadPage) -> None:
    """A log line with both numbers, where a list promised more records than it gave."""
    if isinstance(failed, UnsettledList) and failed.total is not None:
        stream_pass.note(sentences.COUNTS_DIFFER, Level.WARNING, told=failed.total, seen=failed.seen)


def _mark(
    stream_pass: StreamPass, state: ProgressState, fault: Fault, entry_id: UUID | None, reason: str = ""
) -> None:
    rows = StreamProgress.objects.filter(id=stream_pass.progress.id)
    rows.update(state=state, fault=fault.code, entry_id=entry_id)
    code = sentences.STREAM_REFUSED if state == ProgressState.REFUSED else sentences.STREAM_FAILED
    values = {"fault": fault.code, **states.pointing(entry_id), **({"reason": reason} if reason else {})}
    stream_pass.note(code, Level.ERROR, **values)
