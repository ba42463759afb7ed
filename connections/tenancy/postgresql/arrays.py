"""Arrays of many values, as the server takes them: psycopg writes a list element by element, in Python, for seconds a minute."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from psycopg.adapt import Dumper
from psycopg.pq import Format

TEXT, TEXTS = 25, 1009  # object ids of the types, the same in every database
UUID, UUIDS = 2950, 2951
_HEAD, _EMPTY, _LENGTH = struct.Struct("!iiIii"), struct.Struct("!iiI"), struct.Struct("!i")
_NULL = _LENGTH.pack(-1)


@dataclass(frozen=True)
class TextArray:
    """A parameter of type text[]: texts in UTF-8, which nobody looks at again; None for null."""

    values: Sequence[bytes | None]


@dataclass(frozen=True)
class UuidArray:
    """A parameter of type uuid[]: 16 bytes each."""

    values: Sequence[bytes]


def binary_array(values: Sequence[bytes | None], type_id: int) -> bytes:
    """One dimension, counted from 1."""
    if not values:
        return _EMPTY.pack(0, 0, type_id)
    if None in values:
        parts = (_NULL if each is None else _LENGTH.pack(len(each)) + each for each in values)
        return b"".join(chain((_HEAD.pack(1, 1, type_id, len(values), 1),), parts))
    texts = cast(Sequence[bytes], values)
    lengths = map(_LENGTH.pack, map(len, texts))
    head = _HEAD.pack(1, 0, type_id, len(texts), 1)
    return b"".join(chain((head,), chain.from_iterable(zip(lengths, texts, strict=True))))


class _TextArrayDumper(Dumper):
    format, oid = Format.BINARY, TEXTS

    def dump(self, obj: TextArray) -> bytes:
        return binary_array(obj.values, TEXT)


class _UuidArrayDumper(Dumper):
    format, oid = Format.BINARY, UUIDS

    def dump(self, obj: UuidArray) -> bytes:
        return binary_array(obj.values, UUID)


def register(connection: Any) -> None:
    """Let a connection of psycopg take such parameters."""
    connection.adapters.register_dumper(TextArray, _TextArrayDumper)
    connection.adapters.register_dumper(UuidArray, _UuidArrayDumper)
