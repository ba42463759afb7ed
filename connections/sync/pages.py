"""The pages of a stream: each is asked for outside of any transaction, and written down in one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from connections.spec.errors import QuotaExhausted, Unavailable
from connections.spec.operations import Arguments
from connections.spec.scans import ShortList, skipped_records
from connections.spec.streams import Position, Step
from connections.sync import cursors, listed_ids, sentences, stream_endings, stream_lists, upsert
from connections.sync.models import Level
from connections.sync.stream_lists import StreamList
from connections.sync.stream_pass import StreamPass, status_and_milliseconds
from connections.transport.client import Reply
from connections.transport.log import writer

PAGES_PER_LOG_LINE = 100
SKIPPED_LOG_LINES = 20  # records of a stream that the log names; of those beyond it says the number
SLOW_PAGE = timedelta(seconds=5)  # a page that takes longer and is not answered then is perhaps too large
TOO_LARGE_STATUSES = (500, 502, 504)
# Pages that are asked for while one is stored: one, and one more each time that its answer had to be waited for longer.
MOST_PAGES_AHEAD = 6
WAITED_SECONDS = 0.005
MOST_BYTES_AHEAD = 8_000_000  # of pages as long as the last one, so that long ones do not pile up in memory
WHOLE_STATUSES = (200, 203, 204)  # of an answer that may be a whole page: 202 and 206, among others, promise less


def fetch(stream_pass: StreamPass, stream_list: StreamList) -> Reply:
    """Ask for the page of this list that the pass is at. Raises CallFailed, BadPage."""
    stream, client = stream_pass.stream, stream_pass.client
    stream_lists.check_value(stream, stream_list)
    arguments = _arguments(stream_pass, stream_list, stream.paging.parameters(stream_list.position))
    was_begun, asked_at = client.ahead > 0, time.monotonic()
    reply = client.send(stream.operation, arguments)
    if was_begun and time.monotonic() - asked_at > WAITED_SECONDS:
        stream_pass.pages_ahead = min(stream_pass.pages_ahead + 1, MOST_PAGES_AHEAD)
    if reply.status not in WHOLE_STATUSES:
        message = f"answered {reply.status}, which promises no whole list"
        raise ShortList(message)
    return reply


def _arguments(stream_pass: StreamPass, stream_list: StreamList, parameters: Mapping[str, str]) -> Arguments:
    stream, progress = stream_pass.stream, stream_pass.progress
    query = {**stream_list.arguments.query, **parameters}
    if stream.since is not None and progress.since:
        query[stream.since.parameter] = progress.since
    return replace(stream_list.arguments, query=query)


def _fetch_ahead(stream_pass: StreamPass, stream_list: StreamList, following: Position, page_bytes: int) -> None:
    """Have the pages that follow fetched while this one is stored; more than one where their answers are waited for."""
    stream, client = stream_pass.stream, stream_pass.client
    count = min(stream_pass.pages_ahead, MOST_BYTES_AHEAD // max(page_bytes, 1))
    for parameters in stream.paging.parameters_ahead(following, count)[client.ahead :]:
        if not client.fetch_ahead(stream.operation, _arguments(stream_pass, stream_list, parameters)):
            break


def store(stream_pass: StreamPass, stream_list: StreamList, reply: Reply) -> bool:
    """The page transaction: records, counts, position and request log are one commit. True when the stream ended with it.

    Raises BadPage where the answer is no page of this list, LeaseLost.
    """
    stream, progress, run = stream_pass.stream, stream_pass.progress, stream_pass.run
    page = stream.paging.read(reply.body, stream.key, reply.headers)
    step = stream.paging.following(stream_list.position, page, stream.key, stream_pass.seen(stream_list))
    stream_pass.sample.add(page.records)
    if stream_lists.is_second_look(stream, stream_list):
        step = replace(step, seen=0)  # they are counted already
    if step.following is not None and not stream_pass.is_turn_over:
        _fetch_ahead(stream_pass, stream_list, step.following, len(reply.document))
    with stream_pass.page_scope():
        written = upsert.write(
            connection=run.connection,
            stream=stream.name,
            key=stream.key,
            document=b"[]" if page.is_empty_word else reply.document,
            page=page,
            is_asked_first=stream_pass.is_asked_first,
            path=() if page.is_empty_word else page.path,
            prefix=stream_list.prefix,
            searched=[column.steps for column in stream.searched],
            entry_id=reply.entry_id,
        )
        stream_pass.is_asked_first = not written.added
        skipped, inner = skipped_records(stream_list.position, step, written.refused_count)
        tally = stream_pass.tally if inner is not None else stream_pass.tally.answer()
        following = (
            stream_pass.position_within_list(stream_list, inner)
            if inner is not None
            else stream_pass.position_of_next_list(stream_list, tally)
        )
        beside: list[cursors.Insertion] = []
        if stream_pass.client.pending:
            beside.append(writer.insertion(stream_pass.client.pending))
        if (step.ids or step.is_lacking) and (stream_pass.is_compared or listed_ids.is_needed(run, stream)):
            place = progress.pages + 1
            beside.append(listed_ids.insertion(run=run, stream=stream, part=stream_list.name, step=step, place=place))
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


def halve_size(stream_pass: StreamPass, stream_list: StreamList, failed: Unavailable) -> None:
    """Ask for pages of half the size from now on, where the server did not manage the same page twice in a row."""
    if isinstance(failed, QuotaExhausted):
        return
    with stream_pass.lease.scope():
        status, milliseconds = status_and_milliseconds(failed.entry_id)
        is_slow = status is None and timedelta(milliseconds=milliseconds) >= SLOW_PAGE
        if status not in TOO_LARGE_STATUSES and not is_slow:
            return
        times_slow = stream_list.position.get("slow", 0) + 1
        smaller = stream_pass.stream.paging.smaller(stream_list.position) if times_slow > 1 else None
        stream_pass.move_to(
            stream_pass.position_within_list(stream_list, smaller or {**stream_list.position, "slow": times_slow})
        )
        if smaller:
            stream_pass.note(sentences.SMALLER_PAGES, Level.WARNING, size=smaller["size"])
