"""Cuts a page into its records, each with the text that came for it: nothing is written anew, so nothing is respelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
import orjson

from connections.spec import json_numbers
from connections.spec.columns import search_values, value_at
from connections.spec.envelope import Page, id_of

# Why a record is not stored.
NOT_AN_OBJECT = "not-an-object"
NO_ID = "no-id"  # missing, null, an empty text, or no text and no number
LONG_ID = "long-id"
NOT_STORABLE = "not-storable"  # it holds a value that the database does not take

CHECKSUM_BYTES = 16  # as a uuid has
# What PostgreSQL's `json` takes and nothing else there reads. The first stands for whatever is larger than all numbers.
UNREADABLE = (json_numbers.NOT_STORABLE, b"\\u0000")
# They find where each value ends and leave it unread, in C.
_OBJECT, _LIST = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class RefusedRecord:
    """A record that was not stored: its place in the list, counted from 0, and why: one of the codes above."""

    place: int
    reason: str


class Item(NamedTuple):  # made for each record of each page: a dataclass takes five times as long
    """One record of a page: its id in the one spelling, its text, what that text is known by, and what it is found by."""

    external_id: str
    body: bytes
    checksum: bytes
    search_1: str | None = None
    search_2: str | None = None


@dataclass
class Split:
    """The records of a page in the order of their ids, each id once, and what cannot be stored."""

    items: list[Item] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)


def split(
    document: bytes,
    path: Sequence[str],
    key: str,
    *,
    prefix: str,
    longest_id: int,
    searched: Sequence[tuple[str, ...]] = (),
    page: Page | None = None,
) -> Split | None:
    """The records in the list at `path` of a JSON text; None where only the database can tell which of them it takes.

    `page`: that list, where it was read from this very text already, as transport/http/parsing.py does: then each of its
    numbers is finite, or marked. `searched`: the paths of what records are found by, two at most. Where an id comes twice,
    its last place counts. What is no list is the database's to refuse, too.
    """
    if any(each in document for each in UNREADABLE):
        return None
    try:
        # A pass of its own refuses what is larger than all numbers.
        page = page or Page(_values_at(orjson.loads(document), path))
        texts = _texts_at(document, path)
    except (ValueError, TypeError, RecursionError):
        return None
    if len(page.records) != len(texts):
        return None
    listed: dict[str, Item] = {}
    refused: list[RefusedRecord] = []
    for place, (value, id_, raw) in enumerate(zip(page.records, page.record_ids(key), texts, strict=True)):
        text = bytes(raw)
        record_id = id_
        if record_id is not None and isinstance(value[key], float):
            record_id = id_of(json_numbers.exact_values(text), key)  # an id of many digits must keep them all
        if record_id is None or len(prefix) + len(record_id) > longest_id:
            reason = LONG_ID if record_id is not None else NO_ID if isinstance(value, dict) else NOT_AN_OBJECT
            refused.append(RefusedRecord(place, reason))
            continue
        # In the spelling of every place that compares it (`upsert.SPELLED`).
        external_id = prefix + ("0" if record_id == "-0" else record_id)
        checksum = blake2b(text, digest_size=CHECKSUM_BYTES).digest()
        listed[external_id] = Item(external_id, text, checksum, *_found_by(value, text, searched))
    return Split([listed[each] for each in sorted(listed)], refused)


def _found_by(value: Any, text: bytes, searched: Sequence[tuple[str, ...]]) -> tuple[str | None, ...]:
    if any(isinstance(value_at(value, path), float) for path in searched):
        value = json_numbers.exact_values(text)  # a number of many digits must keep them all, and its zeros
    return search_values(value, searched)


def _values_at(value: Any, path: Sequence[str]) -> list[Any]:
    """Raises TypeError for what is neither a list nor nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, list | None):
        return value or []
    message = "no list"
    raise TypeError(message)


def _texts_at(document: bytes, path: Sequence[str]) -> list[msgspec.Raw]:
    """The texts of the elements of the list at `path`, none where nothing or null stands there. Of a name that comes twice
    the last one counts. Raises ValueError for what is no list, or no JSON.
    """
    text = msgspec.Raw(document)
    for name in path:
        if not bytes(memoryview(text)[:200]).lstrip().startswith(b"{"):
            return []
        inner = _OBJECT.decode(text).get(name)
        if inner is None:
            return []
        text = inner
    is_null = len(memoryview(text)) < 50 and bytes(text).strip() == b"null"
    return [] if is_null else _LIST.decode(text)
