"""What a server has in its books, and what became of each record while somebody read them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")


class Literal(str):
    """Written into JSON as it stands: `12345678901234567.89`, `017`, `17.0`."""


def as_json(value: Any) -> str:
    match value:
        case Literal():
            return str(value)
        case dict():
            inner = ",".join(f"{json.dumps(name)}:{as_json(each)}" for name, each in value.items())
            return f"{{{inner}}}"
        case list():
            return f"[{','.join(map(as_json, value))}]"
    return json.dumps(value)


def parsed(text: str) -> Any:
    """With every digit."""
    return json.loads(text, parse_float=Decimal)


def plain(value: Any) -> Any:
    """As it must be kept: every digit, and U+FFFD for what no database text can hold."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value).replace("\0", "\ufffd")
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {plain(name): plain(each) for name, each in value.items()}
    return value


@dataclass
class Entry:
    """One record. `versions`: (tick, its fields without its id), in their order."""

    id: Any
    born: int
    versions: list[tuple[int, dict[str, Any]]]
    gone: int | None = None
    marks: dict[str, str] = field(default_factory=dict)  # what filters go by: part, type, active

    @property
    def fields(self) -> dict[str, Any]:
        return self.versions[-1][1]

    def within(self, start: int, end: int) -> list[dict[str, Any]]:
        """Every version that was served, or could have been, in that time."""
        before = [fields for tick, fields in self.versions if tick <= start]
        return [*before[-1:], *(fields for tick, fields in self.versions if start < tick <= end)]


class Collection:
    """Records in the order in which they are listed. `key`: the field of the id."""

    def __init__(self, books: Books, name: str, key: str, make: Callable[[int], dict[str, Any]]) -> None:
        self.books, self.name, self.key, self.make = books, name, key, make
        self.entries: list[Entry] = []
        self.past: list[Entry] = []
        self.numbers = count(1)
        self.stamp: Callable[[], dict[str, Any]] = dict  # what every change changes beside

    def add(self, at: int | None = None, /, **marks: str) -> Entry:
        number = next(self.numbers)
        fields = {**self.make(number), **(self.stamp() if self.books.is_open else {})}
        entry = Entry(fields.pop(self.key), self.books.tick(), [], marks=marks)
        entry.versions.append((entry.born, fields))
        self.entries.insert(len(self.entries) if at is None else at, entry)
        return entry

    def remove(self, entry: Entry) -> None:
        self.entries.remove(entry)
        entry.gone = self.books.tick()
        self.past.append(entry)

    def move(self, entry: Entry, position: int) -> None:
        self.books.tick()
        self.entries.remove(entry)
        self.entries.insert(position, entry)

    def change(self, entry: Entry, **fields: Any) -> None:
        entry.versions.append((self.books.tick(), {**entry.fields, **fields, **self.stamp()}))

    def standing(self, start: int, end: int) -> list[Entry]:
        """Those that were there from `start` to `end`."""
        every = [*self.entries, *self.past]
        return [each for each in every if each.born <= start and (each.gone is None or each.gone > end)]

    def known(self) -> list[Entry]:
        return [*self.entries, *self.past]


class Books:
    """All collections of one company, with one count of what happens to them."""

    def __init__(self) -> None:
        self.now = 0
        self.is_open = False  # what comes from now on is new
        self.collections: dict[str, Collection] = {}

    def tick(self) -> int:
        self.now += 1
        return self.now

    def collection(self, name: str, make: Callable[[int], dict[str, Any]], key: str = "id") -> Collection:
        made = Collection(self, name, key, make)
        self.collections[name] = made
        return made


def same(kept: Mapping[str, Any], served: Mapping[str, Any]) -> bool:
    """Whether two bodies hold the same; numbers by their value, `True` is no 1."""
    return _typed(kept) == _typed(served)


def _typed(value: Any) -> Any:
    if isinstance(value, bool):
        return f"bool {value}"
    if isinstance(value, dict):
        return {name: _typed(each) for name, each in value.items()}
    return [_typed(each) for each in value] if isinstance(value, list) else value


def leaves(value: Any) -> list[str]:
    """Every text in it, in order: where a format does not say what is a list."""
    if isinstance(value, dict):
        return sorted(each for one in value.values() for each in leaves(one))
    if isinstance(value, list):
        return sorted(each for one in value for each in leaves(one))
    return [] if value is None or value == "" else [str(value)]


def identity(value: Any) -> str:
    """`17`, `17.0`, `1.7e1` and `"17"` are one record; `"017"` and `"17a"` are others."""
    text = str(value)
    if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?", text):
        number = Decimal(text)
        return str(int(number)) if number == number.to_integral_value() else str(number.normalize())
    return plain(text)
