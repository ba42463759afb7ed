"""Values of records as people read them: days and times in one form, amounts with the digits that came, lists as tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any

from django.utils.translation import gettext as _

from connections.spec import json_numbers
from connections.spec.columns import Column, ColumnKind
from connections.spec.text import Text
from connections.spec.times import format_day, format_foreign_time, format_local_time

LONGEST_TEXT = 5000  # characters of one value on a page; its JSON has the rest
ROWS_SHOWN = 50  # of a list inside a record
COLUMNS_SHOWN = 12
LONGEST_CELL = 200
MILLISECONDS_FROM = 10**11  # seconds since 1970: a year beyond 5000
FLAGS = {"true": True, "1": True, "false": False, "0": False}

Value = Any  # of JSON; numbers as they came (json_numbers.Number)


def read_text(text: str, kind: ColumnKind) -> str:
    """A value, given as text, for people. What is not of its column's kind stays as it is."""
    try:
        match kind:
            case ColumnKind.DATE:
                return format_day(date.fromisoformat(text.strip()[:10]))
            case ColumnKind.MOMENT:
                return format_foreign_time(datetime.fromisoformat(text.strip()))
            case ColumnKind.SECONDS:
                return format_local_time(_moment(text))
            case ColumnKind.FLAG if text.strip().lower() in FLAGS:
                return _("yes") if FLAGS[text.strip().lower()] else _("no")
    except (ValueError, OverflowError, OSError):
        pass
    return text


def _moment(text: str) -> datetime:
    """Seconds or milliseconds since 1970, in the digits of any script. Raises ValueError, OverflowError."""
    seconds = int("".join(str(unicodedata.decimal(each, each)) for each in text.strip()))
    return datetime.fromtimestamp(seconds / 1000 if seconds >= MILLISECONDS_FROM else seconds, tz=timezone.utc)


@dataclass(frozen=True)
class FieldRow:
    """One field of a record: `label` where its stream declares one, else its path stands for it."""

    label: Text
    path: str
    text: str
    kind: ColumnKind = ColumnKind.TEXT

    @property
    def is_named(self) -> bool:
        return self.label is not self.path

    @property
    def is_amount(self) -> bool:
        return self.kind is ColumnKind.AMOUNT


@dataclass(frozen=True)
class InnerList:
    """A list of objects inside a record, as a table. `more`: how many of its rows, and columns, are left to the JSON."""

    label: Text
    path: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int
    more_columns: int

    @property
    def is_named(self) -> bool:
        return self.label is not self.path


@dataclass
class Content:
    """What a record holds, in the order of its stream's columns and then of the record; `empty`: fields without a value."""

    fields: list[FieldRow] = field(default_factory=list)
    lists: list[InnerList] = field(default_factory=list)
    empty: list[Text] = field(default_factory=list)


def parsed(text: str) -> Mapping[str, Value] | None:
    """A record's JSON with the digits that came; None for what is no object, or nests too deep."""
    try:
        value = json_numbers.exact_values(text.encode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def content_of(record: Mapping[str, Value], columns: Sequence[Column]) -> Content:
    """Everything in a record, each value once."""
    content = Content()
    leaves = dict(_leaves(record))
    labels = {column.path: column for column in columns}
    declared = {path: value for path in labels if (value := at_path(record, path)) is not None and _is_plain(value)}
    for path, value in [*declared.items(), *((path, value) for path, value in leaves.items() if path not in declared)]:
        column = labels.get(path)
        label = column.label if column else path
        if _is_rows(value):
            content.lists.append(_table(label, path, value))
        elif (text := text_of(value)) == "":
            content.empty.append(label)
        else:
            kind = column.kind if column else ColumnKind.TEXT
            content.fields.append(FieldRow(label, path, read_text(text, kind)[:LONGEST_TEXT], kind))
    return content


def flat(record: Mapping[str, Value]) -> dict[str, str]:
    """Each value of a record as text by its path, those in lists by their place: what two contents are compared by."""
    return {path: text_of(value) for path, value in _leaves(record, is_deep=True)}


def at_path(value: Value, path: str) -> Value:
    """What stands at a column's path; None where nothing does."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def text_of(value: Value) -> str:
    """A value as text: numbers with their digits, simple lists with commas, "" for null and what is empty."""
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(_is_plain(each) for each in value):
        return ", ".join(text_of(each) for each in value)
    if isinstance(value, dict | list):
        return json_numbers.dumps(value).decode(errors="replace")
    return str(value)


def _leaves(value: Value, before: str = "", *, is_deep: bool = False) -> Iterator[tuple[str, Value]]:
    """(path, value) of what is no object; lists stay whole, or with `is_deep` those of objects are walked through."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{before}.{name}" if before else name, is_deep=is_deep)
    elif is_deep and _is_rows(value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{before}.{place}", is_deep=True)
    else:
        yield before, value


def _is_plain(value: Value) -> bool:
    return not isinstance(value, dict | list)


def _is_rows(value: Value) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _table(label: Text, path: str, rows: list[Value]) -> InnerList:
    first = [dict(_leaves(row)) for row in rows[:ROWS_SHOWN]]
    names = list(dict.fromkeys(name for row in first for name, value in row.items() if text_of(value) != ""))
    columns = names[:COLUMNS_SHOWN]
    return InnerList(
        label,
        path,
        columns=columns,
        rows=[[text_of(row.get(name))[:LONGEST_CELL] for name in columns] for row in first],
        more=max(0, len(rows) - ROWS_SHOWN),
        more_columns=max(0, len(names) - COLUMNS_SHOWN),
    )
