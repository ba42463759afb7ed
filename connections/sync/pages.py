"""The pages of a stream: each is asked for outside of any transaction, and written down in one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connections.spec.errors import QuotaExhausted, Unavailable
from connections.spec.scans import ShortList, skipped_records
from connections.spec.streams import Step
from connections.sync import cursors, listed_ids, sentences, slices, stream_endings, upsert
from connections.sync.models import Level
from connections.sync.slices import Part
from connections.sync.stream_pass import StreamPass, status_and_milliseconds
from connections.transport.client import Reply
from connections.transport.log import writer

PAGES_PER_LOG_LINE = 100
SKIPPED_LOG_LINES = 20  # records of a stream that the log names; of those beyond it says the number
SLOW_PAGE = timedelta(seconds=5)  # a page that takes longer and is not answered then is perhaps too large
TOO_LARGE_STATUSES = (500, 502, 504)
WHOLE_STATUSES = (200, 203, 204)  # of an answer that may be a whole page: 202 and 206, among others, promise less


def fetch(stream_pass: StreamPass, part: Part) -> Reply:
    """Ask for the page of this list that the pass is at. Raises CallFailed, BadPage."""
    stream, progress = stream_pass.stream, stream_pass.progress
    slices.check_value(stream, part)
    query = {**part.arguments.query, **stream.paging.parameters(part.position)}
    if stream.since is not None and progress.since:
        query[stream.since.parameter] = progress.since
    reply = stream_pass.client.send(stream.operation, replace(part.arguments, query=query))
    if reply.status not in WHOLE_STATUSES:
        message = f"answered {reply.status}, which promises no whole list"
        raise ShortList(message)
    return reply


def store(stream_pass: StreamPass, part: Part, reply: Reply) -> bool:
    """The page transaction: records, counts, position and request log are one commit. True when the stream ended with it.

    Raises BadPage where the answer is no page of this list, LeaseLost.
    """
    stream, progress, run = stream_pass.stream, stream_pass.progress, stream_pass.run
    page = stream.paging.read(reply.body, stream.key, reply.headers)
    step = stream.paging.following(part.position, page, stream.key, stream_pass.seen(part))
    stream_pass.sample.add(page.records)
    if slices.is_second_look(stream, part):
        step = replace(step, seen=0)  # they are counted already
    with stream_pass.page_scope():
        written = upsert.write(
            connection=run.connection,
            stream=stream.name,
            key=stream.key,
            document="[]" if page.is_empty_word else reply.document.decode(),
            is_checked=True,
            is_asked_first=stream_pass.is_asked_first,
            path=() if page.is_empty_word else page.path,
            prefix=part.prefix,
            searched=[column.steps for column in stream.searched],
            entry_id=reply.entry_id,
        )
        stream_pass.is_asked_first = not written.added
        skipped, inner = skipped_records(part.position, step, written.refused_count)
        tally = stream_pass.tally if inner is not None else stream_pass.tally.answer()
        following = (
            stream_pass.position_in(part, inner) if inner is not None else stream_pass.position_after(part, tally)
        )
        beside: list[cursors.Insertion] = []
        if stream_pass.client.pending:
            beside.append(writer.insertion(stream_pass.client.pending))
        if (step.ids or step.is_lacking) and (stream_pass.is_compared or listed_ids.is_needed(run, stream)):
            place = progress.pages + 1
            beside.append(listed_ids.insertion(run=run, stream=stream, part=part.name, step=step, place=place))
        cursors.move(
            connection=run.connection,
            stream=stream,
            progress=progress,
            page=page,
            step=step,
            written=written,
            skipped=skipped,
            following=following,
            beside=beside,
        )
        _note_skipped(stream_pass, step, written, skipped)
        if reply.is_mended:
            stream_pass.note(sentences.REPAIRED, Level.WARNING)
        is_over = following is None and stream_endings.conclude(stream_pass, tally)
        if following is not None and progress.pages % PAGES_PER_LOG_LINE == 0:
            stream_pass.note(sentences.PROGRESS, seen=progress.seen)
        stream_pass.lease.forget_crashes()
    stream_pass.client.pending.clear()  # they are committed
    return is_over


def _note_skipped(stream_pass: StreamPass, step: Step, written: upsert.Written, skipped: int) -> None:
    """Name the records of a page that could not be kept, up to a number in all."""
    lines_left = max(0, SKIPPED_LOG_LINES - (stream_pass.progress.skipped - skipped))
    named = written.refused[: min(lines_left, skipped)]
    for record in named:
        stream_pass.note(
            sentences.SKIPPED, Level.WARNING, page=step.page, place=record.place + 1, reason=record.reason
        )
    if lines_left and skipped > len(named):
        stream_pass.note(sentences.SKIPPED_MORE, Level.WARNING, page=step.page, count=skipped - len(named))


def halve_size(stream_pass: StreamPass, part: Part, failed: Unavailable) -> None:
    """Ask for pages of half the size from now on, where the server did not manage the same page twice in a row."""
    if isinstance(failed, QuotaExhausted):
        return
    with stream_pass.lease.scope():
        status, milliseconds = status_and_milliseconds(failed.entry_id)
        is_slow = status is None and timedelta(milliseconds=milliseconds) >= SLOW_PAGE
        if status not in TOO_LARGE_STATUSES and not is_slow:
            return
        times_slow = part.position.get("slow", 0) + 1
        smaller = stream_pass.stream.paging.smaller(part.position) if times_slow > 1 else None
        stream_pass.move_to(stream_pass.position_in(part, smaller or {**part.position, "slow": times_slow}))
        if smaller:
            stream_pass.note(sentences.SMALLER_PAGES, Level.WARNING, size=smaller["size"])
