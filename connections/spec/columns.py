"""The fields of a stream's records as people read and search them: a label, where the value stands, what kind it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connections.spec.text import Text

MOST_SEARCHED = 2  # columns of a stream: each costs an index entry for every record that is stored
LONGEST_SEARCHED = 60  # characters of a value that can be searched by

# The digits of every script as ASCII's, and the two letters that Arabic keyboards write for Persian ones.
_SAME = {ord("ي"): "ی", ord("ك"): "ک"}


class ColumnKind(StrEnum):
    """How a value is written for people."""

    TEXT = "text"
    AMOUNT = "amount"  # digits as they came
    DATE = "date"  # ISO 8601
    MOMENT = "moment"  # ISO 8601 in the provider's own time, which is told without a zone
    SECONDS = "seconds"  # since 1970, or milliseconds
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """One field of a stream's records.

    `path`: the names down to it, with dots between them; a whole number is a place in a list, from 0. `is_searched`: people
    may look for records by it; its values are stored beside the record in the form of `searchable`. `is_listed`: it stands
    in the list of records, not only in a record by itself.
    """

    label: Text
    path: str
    kind: ColumnKind = ColumnKind.TEXT
    is_searched: bool = False
    is_listed: bool = True

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self.path.split("."))


def check(columns: Iterable[Column]) -> None:
    """Raises ValueError where a path is declared twice, or more columns are searched than records have places for."""
    declared = list(columns)
    if len({column.path for column in declared}) < len(declared):
        message = "a path is declared twice"
        raise ValueError(message)
    if sum(column.is_searched for column in declared) > MOST_SEARCHED:
        message = f"at most {MOST_SEARCHED} columns of a stream can be searched"
        raise ValueError(message)


def search_values(record: Any, paths: Iterable[tuple[str, ...]]) -> tuple[str | None, ...]:
    """What a record is found by: for each path the value there as `searchable` has it."""
    return tuple(searchable(_value_at(record, path)) for path in paths)


def searchable(value: Any) -> str | None:
    """A value as it is compared: without case, in one form of each letter and digit; None for what is neither text nor number.

    What somebody looks for goes through this as well.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(_SAME.get(ord(letter)) or _plain(letter) for letter in text)
    text = " ".join(text.casefold().split())
    return text[:LONGEST_SEARCHED].rstrip().replace("\0", "") or None


def _plain(letter: str) -> str:
    """A decimal digit of any script as ASCII's; nothing for what is not seen and only orders the text around it."""
    if unicodedata.category(letter) == "Cf":
        return ""
    digit = unicodedata.decimal(letter, None)
    return letter if digit is None else str(digit)


def _value_at(record: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        record = record.get(step) if isinstance(record, dict) else None
    return record
