"""How the shape of a stream's records changes: a field that is new, one that has vanished, one that holds another type.

Seen in a few records of each page, and noted when the stream has ended. Only the names of fields at the top of a record are
kept, and what kind of value they hold; never a value. A field that only some records have comes and goes without a word.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from connections.sync.models import StreamCursor
from connections.vault.models import Connection

RECORDS_PER_PAGE = 5
FEWEST_RECORDS = 20  # that say something about what is new or has vanished
MOST_FIELDS, MOST_CHANGES = 200, 20  # kept of a stream
NAME = re.compile(r"[A-Za-z_@$][A-Za-z0-9_.@$-]{0,59}")  # whatever else stands there may be somebody's data

NEW, VANISHED, RETYPED = "new", "vanished", "retyped"

# {name: {"types": [...], "always": whether every record that was looked at had it}}
Shape = dict[str, dict[str, Any]]


@dataclass
class Sample:
    """What was seen of some records: how many they were, how many had each field, and which types it held."""

    records: int = 0
    names: Counter[str] = field(default_factory=Counter)
    types: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, records: Iterable[Any]) -> None:
        """Look at the first few of a page's records."""
        for number, record in enumerate(records):
            if number >= RECORDS_PER_PAGE:
                return
            if isinstance(record, dict):
                self.records += 1
                for name, value in record.items():
                    if name in self.names or (len(self.names) < MOST_FIELDS and NAME.fullmatch(name)):
                        self.names[name] += 1
                        if value is not None:
                            self.types[name].add(type_of(value))


def type_of(value: Any) -> str:
    """What kind of JSON value it is."""
    match value:
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
    return "object"


def note(connection: Connection, stream: str, sample: Sample) -> None:
    """Compare a sample with what is known of the stream. In the caller's transaction and scope."""
    if not sample.records:
        return
    rows = StreamCursor.objects.for_connection(connection).filter(stream=stream)
    known, changes = rows.values_list("shape", "shape_changes").get()
    shape, news = compared(known, sample)
    if shape != known or news:
        rows.update(shape=shape, shape_changes=[*changes, *news][-MOST_CHANGES:])


def compared(known: Mapping[str, Mapping[str, Any]], sample: Sample) -> tuple[Shape, list[dict[str, Any]]]:
    """The shape with what this sample adds to it, and what has changed: `kind`, `field`, `types` and `was`, `at`."""
    shape: Shape = {name: {**each, "types": list(each["types"])} for name, each in known.items()}
    news: list[dict[str, Any]] = []
    at = timezone.now().isoformat(timespec="seconds")
    says_much = sample.records >= FEWEST_RECORDS
    for name, count in sample.names.items():
        types, is_usual = sorted(sample.types[name]), count * 2 > sample.records
        if name not in shape:
            if len(shape) < MOST_FIELDS:
                shape[name] = {"types": types, "always": count == sample.records and (not known or says_much)}
                if known and says_much and is_usual:
                    news.append({"kind": NEW, "field": name, "types": types, "was": [], "at": at})
            continue
        before = shape[name]["types"]
        if before and set(types) - set(before):
            news.append({"kind": RETYPED, "field": name, "types": types, "was": before, "at": at})
        shape[name]["types"] = sorted({*before, *types})
        shape[name]["always"] = shape[name]["always"] and count == sample.records
    for name in [each for each in shape if each not in sample.names]:
        if shape[name]["always"] and says_much:
            news.append({"kind": VANISHED, "field": name, "types": [], "was": shape[name]["types"], "at": at})
            del shape[name]
        elif says_much:
            shape[name]["always"] = False
    return shape, news


def cursors_with_changes(connection: Connection) -> QuerySet[StreamCursor]:
    """The cursors of a connection's streams whose records have changed their shape."""
    return StreamCursor.objects.for_connection(connection).exclude(shape_changes=[]).order_by("stream")
