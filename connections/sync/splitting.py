"""Cuts a page into its records, each with the text that came for it: nothing is written anew, so nothing is respelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]  # as the decoder itself uses it
from typing import Any

import orjson

from connections.spec import json_numbers
from connections.spec.columns import search_values
from connections.spec.envelope import id_of

# Why a record is not stored.
NOT_AN_OBJECT = "not-an-object"
NO_ID = "no-id"  # missing, null, an empty text, or no text and no number
LONG_ID = "long-id"
NOT_STORABLE = "not-storable"  # it holds a value that the database does not take

BLANK = " \t\n\r"
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
    """One record of a page: its id in the one spelling, its text, what that text is known by, and what it is found by."""

    external_id: str
    body: str
    checksum: str
    search_1: str | None = None
    search_2: str | None = None


@dataclass
class Split:
    """The records of a page in the order of their ids, each id once, and what cannot be stored."""

    items: list[Item] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)


def split(
    document: str,
    path: Sequence[str],
    key: str,
    *,
    prefix: str,
    longest_id: int,
    searched: Sequence[tuple[str, ...]] = (),
    is_checked: bool = False,
) -> Split | None:
    """The records in the list at `path` of a JSON text; None where only the database can tell which of them it takes.

    `is_checked`: the text is what transport/http/parsing.py made of an answer, so that each of its numbers is finite, or
    marked. `searched`: the paths of what records are found by, two at most. Where an id comes twice, its last place
    counts. What is no list is the database's to refuse, too.
    """
    try:
        if any(each in document for each in UNREADABLE):
            return None
        if not is_checked:
            orjson.loads(document)  # refuses what is larger than all numbers
        listed: dict[str, Item] = {}
        refused: list[RefusedRecord] = []
        for place, (value, text) in enumerate(_elements(document, path)[0]):
            id_ = _id(value, text, key)
            external_id = None if id_ is None else prefix + id_
            if external_id is None:
                reason = NO_ID if isinstance(value, dict) else NOT_AN_OBJECT
                refused.append(RefusedRecord(place, reason))
            elif len(external_id) > longest_id:
                refused.append(RefusedRecord(place, LONG_ID))
            else:
                checksum = hashlib.blake2b(text.encode(), digest_size=CHECKSUM_BYTES).hexdigest()
                listed[external_id] = Item(external_id, text, checksum, *search_values(value, searched))
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


def _elements(document: str, path: Sequence[str], at: int = 0) -> tuple[list[tuple[Any, str]], int]:
    """Values and texts of the elements of the list at `path` of the value that begins at `at`, and where that value ends.

    In one pass; of a name that comes twice the last one counts. None at `path`, or null, are no elements. Raises ValueError,
    StopIteration or IndexError for what is no list, or no JSON.
    """
    elements: list[tuple[Any, str]] = []
    at = _skip(document, at)
    if not path and document.startswith("null", at):
        return elements, at + len("null")
    if not path:
        if document[at] != "[":
            message = "no list"
            raise ValueError(message)
        at = _skip(document, at + 1)
        while document[at] != "]":
            value, end = _scan(document, at)
            elements.append((value, document[at:end]))
            at = _next(document, end)
        return elements, at + 1
    if document[at] != "{":
        return elements, _scan(document, at)[1]
    at = _skip(document, at + 1)
    while document[at] != "}":
        name, at = scanstring(document, at + 1)
        at = _skip(document, _skip(document, at) + 1)
        if name == path[0]:
            elements, at = _elements(document, path[1:], at)
        else:
            at = _scan(document, at)[1]
        at = _next(document, at)
    return elements, at + 1


def _next(document: str, at: int) -> int:
    """Where the next element or name begins, or the end of what they stand in."""
    at = _skip(document, at)
    return _skip(document, at + 1) if document[at] == "," else at


def _skip(document: str, at: int) -> int:
    while document[at] in BLANK:
        at += 1
    return at
