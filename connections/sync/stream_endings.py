"""How a stream of a run ends: read to its end, refused or failed, each with its line in the log."""

from __future__ import annotations

from uuid import UUID

from connections.spec.errors import CallFailed, Forbidden
from connections.spec.faults import Fault
from connections.spec.streams import BadPage, UnsettledList
from connections.sync import cursors, deletions, drift, faults, sentences, slices, states
from connections.sync.deletions import Verdict
from connections.sync.models import Level, ProgressState, StreamProgress
from connections.sync.slices import Tally
from connections.sync.stream_pass import StreamPass


def conclude(stream_pass: StreamPass, tally: Tally) -> bool:
    """Every list of the stream was read, or missed. In the caller's transaction and scope.

    True when the stream has ended with it. False where records were not shown: then the pass goes on to see whether they are
    gone (check_missing).
    """
    if not tally.missed:
        if stream_pass.is_compared:
            comparison = deletions.compare(stream_pass.run, stream_pass.stream, stream_pass.progress)
            if comparison.missing and comparison.is_settled:
                position = stream_pass.progress.position
                again = slices.second_look(stream_pass.stream, position)
                stream_pass.move_to(again or deletions.checking(position))
                return False
            if comparison.missing:
                stream_pass.note(sentences.GONE_UNSETTLED, count=comparison.missing)
            elif comparison.is_settled:
                deletions.forget_suspicion(stream_pass.connection, stream_pass.stream)
        _finish(stream_pass)
        return True
    entry_id = UUID(tally.entry) if tally.entry else None
    fault = faults.resolve_fault(provider=stream_pass.connection.provider, code=tally.fault)
    if tally.answered or fault is None:
        # A right that is missing for one of them breaks nothing else.
        fault = faults.PARTS_MISSED if tally.is_refused else faults.PARTS_UNREADABLE
        _mark(stream_pass, ProgressState.FAILED, fault, entry_id)
    else:
        state = ProgressState.REFUSED if tally.is_forbidden else ProgressState.FAILED
        _mark(stream_pass, state, fault, entry_id)
    return True


def conclude_empty(stream_pass: StreamPass) -> bool:
    """The stream has no list at all, as where no record has one: there is nothing to read. As `conclude`. Raises LeaseLost."""
    with stream_pass.lease.scope():
        is_over = conclude(stream_pass, Tally())
        stream_pass.client.write_pending()
    return is_over


def check_missing(stream_pass: StreamPass) -> bool:
    """Decide about records that a pass did not show, and end the stream: True. Raises Forbidden, BadPage, LeaseLost.

    A right that was lost while the list was read would have cut it without a word, so rights are asked for once more. The
    connection may have come into doubt as well.
    """
    stream_pass.check_permission()
    run, stream, progress = stream_pass.run, stream_pass.stream, stream_pass.progress
    with stream_pass.lease.scope():
        comparison = deletions.compare(run, stream, progress)
        match deletions.decide(run, stream, progress, comparison):
            case Verdict.GONE:
                count = deletions.mark(run, stream, progress)
                stream_pass.note(sentences.GONE, count=count)
            case Verdict.SUSPECTED:
                until = deletions.suspect(run, stream, progress, comparison)
                standing, missing = comparison.standing, comparison.standing_missing
                values = {"count": missing, "standing": standing, "until": until.isoformat()}
                stream_pass.note(sentences.GONE_SUSPECTED, Level.WARNING, **values)
            case Verdict.UNSETTLED:
                stream_pass.note(sentences.GONE_UNSETTLED, count=comparison.missing)
        _finish(stream_pass)
        stream_pass.client.write_pending()
    return True


def _finish(stream_pass: StreamPass) -> None:
    progress = stream_pass.progress
    cursors.end(connection=stream_pass.connection, stream=stream_pass.stream, progress=progress)
    drift.note(stream_pass.connection, stream_pass.stream.name, stream_pass.sample)
    counts = {name: getattr(progress, name) for name in ("seen", "added", "changed", "pages")}
    stream_pass.note(sentences.STREAM_DONE, **counts)


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
