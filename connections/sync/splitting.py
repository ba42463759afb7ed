"""Cuts a page into its records, each with the text that came for it: nothing is written anew, so nothing is respelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]  # as the decoder itself uses them
from typing import Any

import orjson
from django.db import DataError

from connections.spec import json_numbers
from connections.spec.envelope import id_of

# Why a record is not stored.
NOT_AN_OBJECT = "not-an-object"
NO_ID = "no-id"  # missing, null, an empty text, or no text and no number
LONG_ID = "long-id"
NOT_STORABLE = "not-storable"  # it holds a value that the database does not take

CHECKSUM_BYTES = 16  # as a uuid has
# What PostgreSQL's `json` takes and nothing else there reads. The first stands for whatever is larger than all numbers.
UNREADABLE = (json_numbers.NOT_STORABLE.decode(), "\\u0000")


@dataclass(frozen=True)
class RefusedRecord:
    """A record that was not stored: its place in the list, counted from 0, and why: one of the codes above."""

    place: int
    reason: str


@dataclass(frozen=True)
class Item:
    """One record of a page: its id in the one spelling, its text, and what that text is known by."""

    external_id: str
    body: str
    checksum: str


@dataclass
class Split:
    """The records of a page in the order of their ids, each id once, and what cannot be stored."""

    items: list[Item] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)


def split(
    document: str, path: Sequence[str], key: str, *, prefix: str, longest_id: int, is_checked: bool = False
) -> Split | None:
    """The records in the list at `path` of a JSON text; None where only the database can tell which of them it takes.

    `is_checked`: the text is what transport/http/parsing.py made of an answer, so that each of its numbers is finite, or
    marked. Where an id comes twice, its last place counts. Raises DataError where something else than a list is there.
    """
    try:
        if any(each in document for each in UNREADABLE):
            return None
        if not is_checked:
            orjson.loads(document)  # refuses what is larger than all numbers
        listed: dict[str, Item] = {}
        refused: list[RefusedRecord] = []
        for place, (value, text) in enumerate(_elements(document, path)):
            id_ = _id(value, text, key)
            external_id = None if id_ is None else prefix + id_
            if external_id is None:
                reason = NO_ID if isinstance(value, dict) else NOT_AN_OBJECT
                refused.append(RefusedRecord(place, reason))
            elif len(external_id) > longest_id:
                refused.append(RefusedRecord(place, LONG_ID))
            else:
                checksum = hashlib.blake2b(text.encode(), digest_size=CHECKSUM_BYTES).hexdigest()
                listed[external_id] = Item(external_id, text, checksum)
    except (ValueError, StopIteration, IndexError, RecursionError):
        return None
    return Split([listed[each] for each in sorted(listed)], refused)


def _id(value: Any, text: str, key: str) -> str | None:
    """The id in the spelling of every place that compares it (`upsert.SPELLED`): a number without zeros at its end."""
    if isinstance(value, dict) and isinstance(value.get(key), float):
        value = json_numbers.exact_values(text.encode())  # an id of many digits must keep them all
    id_ = id_of(value, key)
    return "0" if id_ == "-0" else id_


_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _elements(document: str, path: Sequence[str]) -> Iterator[tuple[Any, str]]:
    """Values and texts of the elements of the list at `path`. Raises ValueError, StopIteration for what is no JSON."""
    start = _start(document, path)
    if start is None or document.startswith("null", start):
        return
    if document[start] != "[":
        message = "no list"
        raise DataError(message)
    at = _skip(document, start + 1)
    while document[at] != "]":
        value, end = _scan(document, at)
        yield value, document[at:end]
        at = _skip(document, end)
        if document[at] == ",":
            at = _skip(document, at + 1)


def _start(document: str, path: Sequence[str]) -> int | None:
    """Where the value at `path` begins, None where there is none. Of a name that comes twice the last one counts."""
    at = _skip(document, 0)
    for step in path:
        if document[at] != "{":
            return None
        at, found = _skip(document, at + 1), None
        while document[at] != "}":
            name, at = scanstring(document, at + 1)
            at = _skip(document, _skip(document, at) + 1)
            if name == step:
                found = at
            at = _skip(document, _scan(document, at)[1])
            if document[at] == ",":
                at = _skip(document, at + 1)
        if found is None:
            return None
        at = found
    return at


def _skip(document: str, at: int) -> int:
    end: int = WHITESPACE.match(document, at).end()
    return end
