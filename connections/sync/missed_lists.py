"""A stream of several lists, one of which cannot be read: it is counted and named, and the others are read."""

from __future__ import annotations

from typing import Any

from connections.spec.errors import CallFailed
from connections.spec.streams import BadPage
from connections.sync import faults, listed_ids, sentences, slices, states, stream_endings
from connections.sync.models import Level
from connections.sync.slices import Part
from connections.sync.stream_pass import StreamPass, status_and_milliseconds
from connections.transport.client import Reply

MISSED_LOG_LINES = 20  # lists that the log names


def miss(stream_pass: StreamPass, part: Part, failed: CallFailed | BadPage, reply: Reply | None) -> bool:
    """Count a list that cannot be read, and go on with the next. True when it was the last one. Raises LeaseLost.

    `reply`: the answer that is no page, where one came.
    """
    stream = stream_pass.stream
    if isinstance(failed, CallFailed):
        fault, entry_id, reason = failed.fault, failed.entry_id, ""
    else:
        fault, entry_id, reason = faults.of_page(failed), reply.entry_id if reply else None, str(failed)
    values: dict[str, Any] = {"of": stream.each.stream if stream.each else stream.name, "part": part.name}
    values |= {"fault": fault.code, **states.pointing(entry_id), **({"reason": reason} if reason else {})}
    with stream_pass.lease.scope():
        tally = stream_pass.tally
        status, _milliseconds = status_and_milliseconds(entry_id)
        if slices.is_nothing(stream, part, failed, status):
            tally = tally.answer()
            if stream_pass.is_compared:
                place = stream_pass.progress.pages + 1
                listed_ids.leave_open(run=stream_pass.run, stream=stream, part=part.name, place=place)
            stream_pass.note(sentences.PART_CLOSED, **values)
        else:
            tally = tally.miss(fault.code, str(entry_id or ""), failed)
            if tally.missed <= MISSED_LOG_LINES:
                stream_pass.note(sentences.PART_MISSED, Level.WARNING, **values)
                stream_endings.note_counts(stream_pass, failed)
        following = stream_pass.position_after(part, tally)
        is_over = following is None or tally.is_hopeless
        if following is None or is_over:
            is_over = stream_endings.conclude(stream_pass, tally)
        else:
            stream_pass.move_to(following)
        stream_pass.client.write_pending()
        stream_pass.lease.forget_crashes()
    return is_over
