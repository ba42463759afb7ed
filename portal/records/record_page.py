"""One record: what it holds, and how that came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connections.spec import json_numbers
from connections.spec.columns import Column, ColumnKind
from connections.spec.provider import Provider
from connections.spec.streams import Stream
from connections.spec.text import Text
from connections.sync.models import Record, RecordVersion
from connections.sync.searching import text_of_body
from connections.transport.models import RequestLogEntry
from portal.records.values import Content, Value, content_of, flat, parsed, read_text

LONGEST_BODY = 500_000  # characters of a record that a page reads; a longer one is shown as far as that, as text
CHANGES_SHOWN = 10
DIFFERENCES_SHOWN = 30  # of one change
LONGEST_VALUE = 300  # characters of a value in a difference


@dataclass(frozen=True)
class Difference:
    """One field that changed; "" where it had, or has, no value."""

    label: Text
    path: str
    before: str
    after: str

    @property
    def is_named(self) -> bool:
        return self.label is not self.path


@dataclass(frozen=True)
class SourceRequest:
    """The request that brought a record as it was, from the log."""

    label: Text
    entry: RequestLogEntry


@dataclass(frozen=True)
class RecordChange:
    """A record as it became at one time. `differences` is None where what it held before is not known, or cannot be read."""

    at: datetime
    is_first: bool  # it was read for the first time
    differences: Sequence[Difference] | None
    more: int  # fields that changed beside those
    request: SourceRequest | None
    was_sent: bool  # by a request that the log may have dropped since


@dataclass(frozen=True)
class RecordPage:
    """One record. `content` is None where it cannot be read; `text` has it then."""

    record: Record
    content: Content | None
    text: str
    changes: Sequence[RecordChange]
    older: str  # the position of older changes, "" where there are none
    is_newest: bool  # the changes begin with the newest


@dataclass(frozen=True)
class _State:
    """What a record held from one time on."""

    number: int
    at: datetime
    entry_id: Any
    text: str


def with_text(rows: Any) -> Any:
    """Records or versions with `text`, their JSON to the letter as far as a page reads it, and without its values."""
    return rows.defer("body").annotate(text=text_of_body(longest=LONGEST_BODY + 1))


def pretty(text: str) -> str:
    """A record's JSON with a line for each value and the digits that came; as it came where it cannot be read."""
    record = parsed(text)
    try:
        return text if record is None else json_numbers.dumps(record, indented=True).decode()
    except (TypeError, ValueError):
        return text


def record_page(record: Record, provider: Provider, stream: Stream, position: str) -> RecordPage:
    """Two queries, one more where requests are known; needs the tenant's scope. `record` comes from `with_text`."""
    fetched: Any = record
    current = parsed(fetched.text) if len(fetched.text) <= LONGEST_BODY else None
    states, is_newest = _states(record, position)
    listed = states[:CHANGES_SHOWN]
    sources = _sources(record, provider, listed)
    changes = [
        _change(record, stream, state, states[place + 1] if place + 1 < len(states) else None, sources)
        for place, state in enumerate(listed)
    ]
    return RecordPage(
        record=record,
        content=content_of(current, stream.columns) if current is not None else None,
        text=fetched.text[:LONGEST_BODY],
        changes=changes,
        older=str(states[CHANGES_SHOWN].number) if len(states) > CHANGES_SHOWN else "",
        is_newest=is_newest,
    )


def _states(record: Record, position: str) -> tuple[list[_State], bool]:
    """The newest ones, or those from a change number on, one more than is shown; and whether they begin with the newest."""
    versions = with_text(
        RecordVersion.objects.filter(
            tenant_id=record.tenant_id,
            connection_id=record.connection_id,
            stream=record.stream,
            external_id=record.external_id,
        )
    ).order_by("-change_number")
    is_older = position.isascii() and position.isdigit() and len(position) < 19
    if is_older:
        versions = versions.filter(change_number__lte=int(position))
    fetched: Any = record
    newest = [] if is_older else [_State(record.change_number, record.changed_at, record.entry_id, fetched.text)]
    older = [
        _State(each.change_number, each.changed_at, each.entry_id, each.text) for each in versions[: CHANGES_SHOWN + 1]
    ]
    return [*newest, *older][: CHANGES_SHOWN + 1], not is_older


def _sources(record: Record, provider: Provider, states: Sequence[_State]) -> dict[Any, SourceRequest]:
    ids = {state.entry_id for state in states if state.entry_id}
    if not ids:
        return {}
    labels = {operation.name: operation.label for operation in provider.operations}
    entries = RequestLogEntry.objects.filter(
        tenant_id=record.tenant_id, connection_id=record.connection_id, id__in=ids
    )
    return {entry.id: SourceRequest(labels.get(entry.operation, entry.operation), entry) for entry in entries}


def _change(
    record: Record, stream: Stream, state: _State, before: _State | None, sources: Mapping[Any, SourceRequest]
) -> RecordChange:
    differences = _differences(before.text, state.text, stream.columns) if before else None
    return RecordChange(
        at=state.at,
        is_first=before is None and state.at == record.added_at,
        differences=None if differences is None else differences[:DIFFERENCES_SHOWN],
        more=max(0, len(differences or []) - DIFFERENCES_SHOWN),
        request=sources.get(state.entry_id),
        was_sent=state.entry_id is not None,
    )


def _differences(before: str, after: str, columns: Sequence[Column]) -> list[Difference] | None:
    """The fields whose values differ, those of declared columns first; None where either cannot be read."""
    old, new = _flat(before), _flat(after)
    if old is None or new is None:
        return None
    declared = {column.path: column for column in columns}
    paths = dict.fromkeys([*declared, *new, *old])
    return [
        Difference(
            declared[path].label if path in declared else path,
            path,
            _read(old.get(path, ""), declared.get(path)),
            _read(new.get(path, ""), declared.get(path)),
        )
        for path in paths
        if old.get(path, "") != new.get(path, "")
    ]


def _flat(text: str) -> dict[str, str] | None:
    values: Mapping[str, Value] | None = parsed(text) if len(text) <= LONGEST_BODY else None
    return None if values is None else flat(values)


def _read(text: str, column: Column | None) -> str:
    words = read_text(text, column.kind if column else ColumnKind.TEXT)
    return words if len(words) <= LONGEST_VALUE else f"{words[:LONGEST_VALUE]}…"
