"""Where the records stand in an answer, and what it says about the others: how many there are, and whether more follow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

MOST_RECORDS = 2**31 - 1  # a total beyond what is counted with here says nothing
LARGEST_EXPONENT = 308  # of a number that is an id; beyond it a few characters would become millions
NO_HEADERS: Mapping[str, str] = {}

# Names as `_plain` writes them. `count` is not among the totals: it may be this page's own.
LISTS = ("data", "items", "results", "result", "records", "value", "values", "list", "content", "entries", "objects")
NO_LISTS = ("errors", "error", "warnings", "messages", "links")
WRAPPERS = ("data", "result", "results", "response", "payload", "content", "body", "embedded", "d")
META = ("meta", "metadata", "pagination", "paging", "page", "pageinfo", "paginginfo", "pager", "links")
TOTALS = (
    "total", "totalcount", "totalrecords", "totalitems", "totalresults", "totalelements", "totalrows", "totalhits",
    "countall", "allcount", "odata.count",
)  # fmt: skip
FLAGS = ("hasmore", "hasnext", "hasnextpage", "moreavailable", "istruncated")
NEXT = (
    "next", "nextpage", "nextlink", "nexturl", "nextpageurl", "nextpagelink", "nextpagetoken", "nextcursor", "nexttoken",
    "nextoffset", "odata.nextlink", "continuationtoken",
)  # fmt: skip
NEXT_IN_HEADER = re.compile(r'\brel\s*=\s*(?:"[^"]*\bnext\b|next\b)', re.IGNORECASE)


class BadPage(Exception):
    """A page that does not have the documented shape. The text says what is missing, not what was there."""


@dataclass(frozen=True)
class Page:
    """The records of one answer, and where they stand in it; those without a usable id are among them.

    `total`: how many the whole list holds, if the answer says; `is_documented`, whether the provider's document names
    the place where it says so. `more`: it says that others follow. `is_empty_word`: nothing or null came for a list.
    """

    records: list[Any]
    total: int | None = None
    path: tuple[str, ...] = ()
    more: bool = False
    is_documented: bool = False
    is_empty_word: bool = False
    _ids: dict[str, list[str | None]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def record_ids(self, key: str) -> list[str | None]:
        """The id of each record, None where it has no usable one. Worked out once."""
        if key not in self._ids:
            self._ids[key] = [id_of(record, key) for record in self.records]
        return self._ids[key]

    def ids(self, key: str) -> list[str]:
        """The usable ids, each once, in their order."""
        return list(dict.fromkeys(id_ for id_ in self.record_ids(key) if id_ is not None))


def id_of(record: Any, key: str) -> str | None:
    """A record's id as it is stored (sync/upsert.py): 17, 17.0 and "17" are one. None where there is no usable one."""
    value = record.get(key) if isinstance(record, dict) else None
    if type(value) is int:  # as most are, and every record is asked for its id
        return str(value)
    if isinstance(value, bool) or value == "":
        return None
    if isinstance(value, float):
        return _plain_number(value)
    return str(value) if isinstance(value, str | int) else None


def required_id(record: Any, key: str) -> str:
    """A record's id as it is stored. Raises BadPage where there is no usable one."""
    record_id = id_of(record, key)
    if record_id is None:
        message = f"no usable {key}"
        raise BadPage(message)
    return record_id


def _plain_number(value: float) -> str | None:
    """Without an exponent and without zeros at the end; a number that was read exactly says its digits itself."""
    exact = Decimal(str(value)) if math.isfinite(value) else None
    if exact is None or abs(exact.adjusted()) > LARGEST_EXPONENT:
        return None
    digits = f"{exact:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


@dataclass(frozen=True)
class Envelope:
    """Where the document says that the list stands: under the first of `names` that holds one, or `bare`, the answer itself.

    A list that stands elsewhere is read where there is no doubt which one it is. Names are looked up whatever their case.
    `total`: path of the documented total count; optional at every level.
    """

    names: tuple[str, ...] = ()
    bare: bool = False
    total: tuple[str, ...] = ()

    def open(self, body: Any, key: str, headers: Mapping[str, str] = NO_HEADERS) -> Page:
        """No answer at all, or null, is an empty list. Raises BadPage where there is no list, or not one usable id in it."""
        if body is None:
            return Page([], is_empty_word=True)
        path = self._path(body)
        rows = _at(body, path)
        records = rows or []
        # A single bad record may be all that a last page holds; where several are, these are no records of this list.
        if len(records) > 1 and all(id_of(record, key) is None for record in records):
            message = f"no record with a usable {key}"
            raise BadPage(message)
        places = list(_places(body, path))
        documented = _count(self._documented(body))
        total = documented if documented is not None else _total(places, headers)
        more = _says_more(places) or NEXT_IN_HEADER.search(headers.get("link", "")) is not None
        return Page(records, total, path, more, documented is not None, rows is None)

    def _path(self, body: Any) -> tuple[str, ...]:
        if isinstance(body, list):
            return ()
        if isinstance(body, dict):
            spelled = {_plain(name): name for name in body} | {name: name for name in body}
            named = [
                spelled[at] for name in self.names if (at := name if name in spelled else _plain(name)) in spelled
            ]
            for name in named:
                if isinstance(body[name], list):
                    return (name,)
            paths = [path for path in self._elsewhere(body) if _holds_objects(_at(body, path))]
            if len(paths) == 1:
                return paths[0]
            nulls: list[tuple[str, ...]] = [(name,) for name in named if body[name] is None]
            empty = nulls or [
                path for path in self._elsewhere(body) if self._is_usual(path[-1]) and not _at(body, path)
            ]
            if not paths and len(empty) == 1:
                return empty[0]
        message = f"no list under {' or '.join(self.names)}" if self.names else "the answer is no list"
        raise BadPage(message)

    @staticmethod
    def _elsewhere(body: dict[str, Any]) -> Iterator[tuple[str, ...]]:
        """Paths of all lists, and of nulls, one or two levels down."""
        for name, value in body.items():
            if (isinstance(value, list) or value is None) and _plain(name) not in NO_LISTS:
                yield (name,)
            elif isinstance(value, dict) and _plain(name) in WRAPPERS:
                for inner, below in value.items():
                    if isinstance(below, list) and _plain(inner) not in NO_LISTS:
                        yield (name, inner)

    def _is_usual(self, name: str) -> bool:
        return _plain(name) in LISTS or name in self.names

    def _documented(self, body: Any) -> Any:
        for step in self.total:
            spelled = {_plain(name): value for name, value in body.items()} if isinstance(body, dict) else {}
            body = spelled.get(_plain(step))
        return body if self.total else None


def _plain(name: str) -> str:
    """`@odata.nextLink`, `next_link` and `NextLink` are one name."""
    return name.lower().lstrip("@_").replace("_", "").replace("-", "")


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        body = body[step]
    return body


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _places(body: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The objects in which an answer may speak of the whole list: itself, what the list stands in, and what is beside it."""
    holders = [body, *([body[path[0]]] if len(path) == 2 else [])]
    for holder in holders:
        if isinstance(holder, dict):
            yield holder
            for name, value in holder.items():
                if _plain(name) in META and isinstance(value, dict):
                    yield value
                    yield from (inner for at, inner in value.items() if _plain(at) in META and isinstance(inner, dict))
                elif _plain(name) == "links" and isinstance(value, list):
                    yield {str(link.get("rel")): link.get("href") for link in value if isinstance(link, dict)}


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_RECORDS
    return value if is_count else None


def _total(places: list[dict[str, Any]], headers: Mapping[str, str]) -> int | None:
    totals = [_count(value) for place in places for name, value in place.items() if _plain(name) in TOTALS]
    totals.append(_count(headers.get("x-total-count")))
    return max((total for total in totals if total is not None), default=None)


def _says_more(places: list[dict[str, Any]]) -> bool:
    for place in places:
        for name, value in place.items():
            if _plain(name) in FLAGS and (value is True or value == 1 or str(value).lower() == "true"):
                return True
            if _plain(name) in NEXT and not isinstance(value, bool | list):
                link = value.get("href") if isinstance(value, dict) else value
                if link not in (None, "", 0):
                    return True
    return False
