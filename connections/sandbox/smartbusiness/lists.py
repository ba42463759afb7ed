"""How a list is asked for and answered: limit and offset, sort, free text, the filter tree, `with`, the pagination."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from connections.sandbox.smartbusiness.catalogue import Collection, Field
from connections.sandbox.smartbusiness.errors import bad_request
from connections.sandbox.smartbusiness.records import Entry, Shelf

DEFAULT_LIMIT, MAX_LIMIT = 100, 200
WITH, FILTER, SORT, LIMIT, OFFSET = 2100, 2101, 2102, 2103, 2104
_WHOLE = re.compile(r"-?\d{1,9}")
_OPERATORS: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("<=", operator.le),
    (">=", operator.ge),
    ("<", operator.lt),
    (">", operator.gt),
)
Test = Callable[[Entry], bool]


@dataclass(frozen=True)
class Page:
    """What one list call found: the entries to show, how many there are in all, and where this page stands."""

    entries: Sequence[Entry]
    total: int
    limit: int
    offset: int

    def pagination(self, address: str, query: Mapping[str, str], links: str) -> dict[str, Any]:
        """The pagination object; `address` is this list's own, `links` a position of the switch next_link."""
        pages = max(1, -(-self.total // self.limit))
        pagination: dict[str, Any] = {"page": self.offset // self.limit + 1, "pages": pages, "total": self.total}
        if links == "absent":
            return pagination
        if links == "relative":
            address = urlsplit(address).path
        elif links == "elsewhere":
            address = f"https://elsewhere.example{urlsplit(address).path}"

        def link(offset: int) -> str:
            return f"{address}?{urlencode({**query, 'limit': self.limit, 'offset': offset})}"

        pagination |= {"first": link(0), "last": link((pages - 1) * self.limit)}
        if self.offset + self.limit < self.total:
            pagination["next"] = link(self.offset + self.limit)
        if self.offset > 0:
            pagination["previous"] = link(max(0, self.offset - self.limit))
        return pagination


def requested_parts(query: Mapping[str, str], shape: Collection) -> list[str]:
    """The optional fields of `with`. Raises Trouble 2100."""
    names = [name.strip() for name in query.get("with", "").split(",") if name.strip()]
    for name in names:
        if name not in shape.parts:
            raise bad_request(WITH, f"Unknown value in with: {name[:40]}")
    return list(dict.fromkeys(names))


def page(shelf: Shelf, query: Mapping[str, str], shape: Collection, *, deaf_to: str | None = None) -> Page:
    """The entries a list call shows. Raises Trouble 2101 to 2104; `deaf_to` names a field whose filter finds all."""
    limit = _number(query, "limit", DEFAULT_LIMIT, least=1, most=MAX_LIMIT, code=LIMIT)
    offset = _number(query, "offset", 0, least=0, most=None, code=OFFSET)
    matches: Sequence[Entry] = _ordered(shelf, query.get("sort", ""), shape)
    if "filter" in query:
        passes = _condition(_tree(query["filter"]), shape, deaf_to)
        matches = [entry for entry in matches if passes(entry)]
    if text := query.get("q", "").strip().casefold():
        matches = [entry for entry in matches if _holds(entry, text)]
    return Page(matches[offset : offset + limit], len(matches), limit, offset)


def _number(query: Mapping[str, str], name: str, default: int, *, least: int, most: int | None, code: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or int(text) < least or (most is not None and int(text) > most):
        raise bad_request(code, f"{name} is out of range")
    return int(text)


def _ordered(shelf: Shelf, sort: str, shape: Collection) -> list[Entry]:
    if not sort:
        return shelf.entries
    if sort in shelf.ordered:
        return shelf.ordered[sort]
    keys = []
    for part in sort.split(","):
        name = part.strip().removeprefix("-")
        if name not in shape.fields or shape.fields[name].kind == "enums":
            raise bad_request(SORT, f"Unknown key in sort: {name[:40]}")
        keys.append((name, part.strip().startswith("-")))
    entries = list(shelf.entries)
    for name, descending in reversed(keys):
        entries.sort(key=_rank(name), reverse=descending)
    shelf.ordered[sort] = entries
    return entries


def _rank(name: str) -> Callable[[Entry], tuple[bool, Any]]:
    """Nothing comes before everything; two nothings are alike."""

    def rank(entry: Entry) -> tuple[bool, Any]:
        value = entry.body[name]
        return (False, "") if value is None else (True, value)

    return rank


def _holds(entry: Entry, text: str) -> bool:
    return any(isinstance(value, str) and text in value.casefold() for value in entry.body.values())


def _tree(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as broken:
        raise bad_request(FILTER, "filter is not JSON") from broken


def _condition(tree: Any, shape: Collection, deaf_to: str | None) -> Test:
    """One node: {"and": [...]}, {"or": [...]} or {field: value}."""
    if not isinstance(tree, dict) or len(tree) != 1:
        raise bad_request(FILTER, "Each condition of a filter is an object with one key")
    [(key, value)] = tree.items()
    if key in ("and", "or"):
        if not isinstance(value, list) or not value:
            raise bad_request(FILTER, f"{key} needs a list of conditions")
        tests = [_condition(each, shape, deaf_to) for each in value]
        joined = all if key == "and" else any
        return lambda entry: joined(test(entry) for test in tests)
    field = shape.fields.get(key)
    if field is None:
        raise bad_request(FILTER, f"Unknown key in filter: {key[:40]}")
    if key == deaf_to:
        return lambda entry: True
    judge = _judge(value, field)
    if field.kind == "enums":
        if isinstance(value, str) and value.startswith("!"):
            return lambda entry: all(judge(each) for each in entry.body[key] or [None])
        return lambda entry: any(judge(each) for each in entry.body[key] or [None])
    return lambda entry: judge(entry.body[key])


def _judge(value: Any, field: Field) -> Callable[[Any], bool]:
    """The test of one value; an operator stands in front of text."""
    if not isinstance(value, str):
        if isinstance(value, dict | list):
            raise bad_request(FILTER, "A filter compares with a single value")
        return lambda stored: bool(stored == value)
    for sign, compare in _OPERATORS:
        if value.startswith(sign) and field.kind != "bool":
            bound = _typed(value.removeprefix(sign), field)
            return lambda stored: stored is not None and compare(stored, bound)
    if value.startswith("~"):
        text = value[1:].casefold()
        return lambda stored: stored is not None and text in str(stored).casefold()
    if value.startswith("!"):
        unwanted = _typed(value[1:], field)
        return lambda stored: bool(stored != unwanted)
    same = _typed(value, field)
    return lambda stored: bool(stored == same)


def _typed(text: str, field: Field) -> Any:
    try:
        if field.kind in ("int", "float"):
            return float(text)
    except ValueError as wrong:
        raise bad_request(FILTER, "A filter compares a number with text") from wrong
    return {"true": True, "false": False}.get(text, text) if field.kind == "bool" else text
