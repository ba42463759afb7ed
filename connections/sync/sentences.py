"""What a run's log says: codes and values in the row, a sentence in the reader's language on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import formats
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.text import Text, isolate
from connections.spec.times import format_time
from connections.sync import faults, splitting
from connections.sync.models import Level, RunLogLine, Trigger

QUEUED = "queued"
STARTED = "started"
STREAM_FULL = "stream-full"
STREAM_FULL_AGAIN = "stream-full-again"
STREAM_SINCE = "stream-since"
PROGRESS = "progress"
STREAM_DONE = "stream-done"
STREAM_REFUSED = "stream-refused"
STREAM_FAILED = "stream-failed"
WAITING = "waiting"
WENT_ON = "went-on"
TAKEN_OVER = "taken-over"
PAUSED = "paused"
RESUMED = "resumed"
CANCELLED = "cancelled"
SUCCEEDED = "succeeded"
INCOMPLETE = "incomplete"
FAILED = "failed"
REPAIRED = "repaired"
COUNTS_DIFFER = "counts-differ"
PART_CLOSED = "part-closed"
PART_MISSED = "part-missed"
SKIPPED = "record-skipped"
SKIPPED_MORE = "records-skipped-more"
SMALLER_PAGES = "smaller-pages"
GONE = "gone"
GONE_SUSPECTED = "gone-suspected"
GONE_UNSETTLED = "gone-unsettled"

REASONS: Mapping[str, Text] = {
    splitting.NOT_AN_OBJECT: _("it is no record"),
    splitting.NO_ID: _("it has no number to know it by"),
    splitting.LONG_ID: _("its number is too long"),
    splitting.NOT_STORABLE: _("it holds a value that no database keeps"),
}

SENTENCES: Mapping[str, Text] = {
    QUEUED: _("Queued (%(trigger)s), asked for by %(who)s."),
    STARTED: _("Started."),
    STREAM_FULL: _("%(stream)s: reading everything."),
    STREAM_FULL_AGAIN: _("%(stream)s: reading everything, which also shows what is gone."),
    STREAM_SINCE: _("%(stream)s: reading what changed since %(since)s."),
    PROGRESS: _("%(stream)s: %(seen)s read so far."),
    STREAM_DONE: _("%(stream)s: finished. Read: %(seen)s; new: %(added)s; changed: %(changed)s; pages: %(pages)s."),
    STREAM_REFUSED: _("%(stream)s: refused. %(fault)s"),
    STREAM_FAILED: _("%(stream)s: stopped. %(fault)s"),
    WAITING: _("Waiting until %(until)s. %(fault)s"),
    WENT_ON: _("Going on."),
    TAKEN_OVER: _("The worker that read stopped in the middle; another one goes on from the last page that was kept."),
    PAUSED: _("Paused by %(who)s. The reason: “%(why)s”."),
    RESUMED: _("Resumed by %(who)s."),
    CANCELLED: _("Cancelled by %(who)s."),
    SUCCEEDED: _("Finished: everything was read."),
    INCOMPLETE: _("Finished, but not everything could be read."),
    FAILED: _("Stopped. %(fault)s"),
    REPAIRED: _("%(stream)s: a page held characters that no database keeps; they were replaced by a placeholder."),
    COUNTS_DIFFER: _("%(stream)s: the provider says that the list holds %(told)s, and gave %(seen)s."),
    PART_CLOSED: _("%(stream)s: there is none for %(of)s %(part)s, which is closed or gone at the provider."),
    PART_MISSED: _("%(stream)s: those of %(of)s %(part)s could not be read, the others go on. %(fault)s"),
    SKIPPED: _("%(stream)s: record %(place)s on page %(page)s could not be kept: %(reason)s."),
    SKIPPED_MORE: _(
        "%(stream)s: page %(page)s holds more records that could not be kept: %(count)s. They are not listed here."
    ),
    SMALLER_PAGES: _(
        "%(stream)s: the provider did not manage pages of this size; going on with %(size)s records a page."
    ),
    GONE: _("%(stream)s: no longer at the provider: %(count)s. They are kept here and marked as gone."),
    GONE_SUSPECTED: _(
        "%(stream)s: %(count)s of %(standing)s records are not in the list any more. So many seldom go at once: they count as "
        "gone when a sync after %(until)s does not find them either. Until then nothing is marked."
    ),
    GONE_UNSETTLED: _(
        "%(stream)s: %(count)s records were not in the list, but it was perhaps not shown whole. Nothing is marked as gone."
    ),
}


@dataclass(frozen=True)
class Line:
    """One log line as a page shows it. `fault` and `entry_id` point staff to the catalogue and the request log."""

    at: datetime
    level: Level
    code: str
    sentence: str
    fault: str
    entry_id: UUID | None


def read(line: RunLogLine, provider: str) -> Line:
    """`provider` is the slug, for the names of its streams and the words of its faults."""
    values: dict[str, Any] = line.values
    entry = values.get("entry")
    return Line(
        at=line.at,
        level=Level(line.level),
        code=line.code,
        sentence=say(line.code, values, provider),
        fault=values.get("fault", ""),
        entry_id=UUID(entry) if entry else None,
    )


def say(code: str, values: Mapping[str, Any], provider: str) -> str:
    """The sentence of a code; the code itself when a later version no longer knows it."""
    sentence = SENTENCES.get(code)
    if sentence is None:
        return code
    return str(sentence) % {name: _formatted(name, value, provider, values) for name, value in values.items()}


def _formatted(name: str, value: Any, provider: str, values: Mapping[str, Any]) -> str:
    if name in ("stream", "of"):
        return _label(provider, value)
    if name == "reason":
        return str(REASONS.get(value, value))
    if name == "fault":
        fault = faults.resolve_fault(provider=provider, code=value)
        about = {"streams": values.get("stream", "")}
        return faults.customer_sentence(provider=provider, fault=fault, values=about) if fault else value
    if name == "trigger" and value in Trigger.values:
        return str(Trigger(value).label)
    if name == "until":
        return format_time(datetime.fromisoformat(value))
    if isinstance(value, int):
        return str(formats.number_format(value, force_grouping=True))
    return isolate(value)


def _label(provider: str, stream: str) -> str:
    description = registry.find(provider)
    labels = {each.name: str(each.label) for each in description.streams} if description else {}
    return labels.get(stream, stream)
