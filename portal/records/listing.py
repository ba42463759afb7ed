"""The list of a stream's records: the newest changes first, those that are gone, or those that somebody looks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from connections.spec.columns import ColumnKind
from connections.spec.provider import Provider
from connections.spec.streams import Stream
from connections.spec.text import Text
from connections.sync.models import Record, StreamCursor
from connections.sync.searching import searched_by, texts_at
from connections.vault.models import Connection
from portal.records.forms import BY_ID, GONE, RecordFilter, RecordSearch
from portal.records.pages import Order, RecordRows, page
from portal.records.values import read_text

RECORDS_SHOWN = 50
LONGEST_CELL = 80  # characters
LAST = "\U0010ffff"  # behind everything that begins alike, in the order of the bytes

NEWEST = Order(("change_number",), is_descending=True)
NEWEST_GONE = Order(("gone_at", "external_id"), is_descending=True)
BY_IDS = Order(("external_id",))


@dataclass(frozen=True)
class Cell:
    """One value of a row, under its column's label."""

    label: Text
    text: str
    kind: ColumnKind

    @property
    def is_amount(self) -> bool:
        return self.kind is ColumnKind.AMOUNT

    @property
    def is_short(self) -> bool:
        return self.kind is not ColumnKind.TEXT


@dataclass(frozen=True)
class ListedRecord:
    """One record in the list; `query`: of the address of its own page."""

    record: Record
    cells: Sequence[Cell]
    query: str
    touched_at: datetime  # changed, or gone


@dataclass(frozen=True)
class RecordList:
    """One page of a stream's records. `cursor` is None before the stream was read; queries are of addresses, or ""."""

    connection: Connection
    provider: Provider
    stream: Stream
    cursor: StreamCursor | None
    rows: Sequence[ListedRecord]
    search: RecordSearch
    filter: RecordFilter
    next_query: str
    previous_query: str
    is_search: bool
    is_first: bool
    is_narrowed: bool  # by a search or a filter that could be read
    is_filled: bool  # everything that was read can be found by the searched columns, not by ids alone


def record_list(
    connection: Connection, provider: Provider, stream: Stream, query: Any, *, after: str = "", before: str = ""
) -> RecordList:
    """Two queries; needs the tenant's scope. `query`: the parameters of the address, of which the forms read their own."""
    cursor = StreamCursor.objects.for_connection(connection).filter(stream=stream.name).first()
    is_filled = cursor is None or cursor.searched_by == searched_by(stream)
    is_search = "q" in query
    search = RecordSearch(stream, is_filled, query if is_search else None)
    filters = RecordFilter(query if {"show", "since"} & set(query) and not is_search else None)
    own = {name: query[name] for name in (("by", "q") if is_search else ("show", "since")) if query.get(name)}
    rows = _rows(connection, stream)
    listed = _searched(rows, search, after, before) if is_search else _filtered(rows, filters, after, before)
    return RecordList(
        connection=connection,
        provider=provider,
        stream=stream,
        cursor=cursor,
        rows=[_row(stream, record) for record in listed.rows],
        search=search,
        filter=filters,
        next_query=urlencode({**own, "after": listed.next}) if listed.next else "",
        previous_query=urlencode({**own, "before": listed.previous}) if listed.previous else "",
        is_search=is_search,
        is_first=not listed.previous,
        is_narrowed=bool(own),
        is_filled=is_filled,
    )


def _rows(connection: Connection, stream: Stream) -> QuerySet[Record]:
    """Without their contents: of those, the cells alone."""
    paths = [column.steps for column in stream.listed]
    return (
        Record.objects.for_connection(connection)
        # Every record has a number; said here, the index in their order can be used.
        .filter(tenant_id=connection.tenant_id, stream=stream.name, change_number__gt=0)
        .defer("body")
        .annotate(cells=texts_at(paths, longest=LONGEST_CELL + 1))
    )


def _searched(rows: QuerySet[Record], search: RecordSearch, after: str, before: str) -> RecordRows:
    if not search.is_valid():
        return RecordRows([])
    by, text = search.cleaned_data["by"], search.cleaned_data["q"]
    column = "external_id" if by == BY_ID else f"search_{by}"
    order = BY_IDS if by == BY_ID else Order((column, "external_id"))
    beginning_alike = Q(**{f"{column}__gte": text, f"{column}__lt": text + LAST})
    return page(rows.filter(beginning_alike), order, after=after, before=before, size=RECORDS_SHOWN)


def _filtered(rows: QuerySet[Record], filters: RecordFilter, after: str, before: str) -> RecordRows:
    if filters.is_bound and not filters.is_valid():
        return RecordRows([])
    values = filters.cleaned_data if filters.is_bound else {}
    since: datetime | None = values.get("since")
    if values.get("show") == GONE:
        gone = rows.filter(gone_at__isnull=False)
        gone = gone.filter(gone_at__gte=since) if since else gone
        return page(gone, NEWEST_GONE, after=after, before=before, size=RECORDS_SHOWN)
    newest = page(rows, NEWEST, after=after, before=before, size=RECORDS_SHOWN)
    if since is None:
        return newest
    # Numbers grow with the times of changes in a stream, which one run at a time writes. So the list ends at the first
    # record that is older, and no index of times is needed.
    new = list(takewhile(lambda record: _touched_at(record) >= since, newest.rows))
    is_whole = len(new) == len(newest.rows)
    return RecordRows(new, next=newest.next if is_whole else "", previous=newest.previous if new else "")


def _touched_at(record: Record) -> datetime:
    return max(record.changed_at, record.gone_at or record.changed_at)


def _row(stream: Stream, record: Record) -> ListedRecord:
    annotated: Any = record
    cells = [
        Cell(column.label, _cell_text(text or "", column.kind), column.kind)
        for column, text in zip(stream.listed, annotated.cells, strict=True)
    ]
    return ListedRecord(record, cells, urlencode({"id": record.external_id}), _touched_at(record))


def _cell_text(text: str, kind: ColumnKind) -> str:
    return read_text(text, kind) if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
