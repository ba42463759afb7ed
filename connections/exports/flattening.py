"""Takes a record's text apart into fields with dotted names, each with the text that came: no number is read as one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from json.decoder import scanstring  # type: ignore[attr-defined]  # as the decoder itself uses it
from typing import Any

MOST_FIELDS = 2000  # of one record; what comes after them is kept together
LONGEST_PATH = 120  # characters
DEEPEST = 8  # objects within objects; what lies deeper is kept as JSON
SHORT = 16_384  # characters of a record that is read as values first
WHOLE = ""  # the name under which a record is kept that cannot be taken apart

BLANK = " \t\n\r"
# A number, true, false or null.
_WORD = re.compile(r"[^\s,\[\]{}\":]+")
# On to the next bracket that stands outside of texts.
_BRACKET = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}])', re.DOTALL)


class Bare(str):
    """What stands in JSON without quotes: a number in its own digits, true or false."""

    __slots__ = ()


TRUE, FALSE = Bare("true"), Bare("false")
_decoder = json.JSONDecoder(parse_int=Bare, parse_float=Bare, parse_constant=Bare)
_values = _decoder.decode
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]


class Flattener:
    """Knows the dotted names that it has put together before: records of a stream share them."""

    def __init__(self) -> None:
        self._paths: dict[str, dict[str, str]] = {}

    def names(self, text: str) -> Iterable[str]:
        """The names of the fields alone, which is quicker."""
        if len(text) <= SHORT:
            fields: dict[str, str] = {}
            with suppress(ValueError, RecursionError, AttributeError):
                self._add(_values(text), "", 1, fields, has_texts=False)
                return fields
        return self.fields(text)

    def fields(self, text: str) -> dict[str, str]:
        """The fields of one record: texts as `str`, numbers, true and false as `Bare`, lists and empty objects as JSON text.

        null is no field. Of a name that comes twice the last one counts. A name with a dot in it is written with `\\.`, so
        that it is not mistaken for a nested one. What is no object, or too much of one, is under WHOLE, as it came.
        """
        fields: dict[str, str] = {}
        if len(text) <= SHORT:
            try:
                value = _values(text)
                if type(value) is dict:
                    self._add(value, "", 1, fields)
                    return fields
            except (ValueError, RecursionError):
                fields = {}
        try:
            at = _skip(text, 0)
            if text[at] != "{":
                return {WHOLE: text}
            self._object(text, at, "", 1, fields)
        except (ValueError, IndexError, StopIteration, RecursionError):
            return {WHOLE: text}
        return fields if len(fields) <= MOST_FIELDS else {WHOLE: text}

    def _add(
        self, values: dict[str, Any], prefix: str, depth: int, fields: dict[str, str], *, has_texts: bool = True
    ) -> None:
        """The same from values, faster. Raises ValueError where only the text will do: for lists, and what lies deep."""
        paths = self._known(prefix)
        for name, value in values.items():
            kind = type(value)
            if kind is str or kind is Bare:
                fields[paths.get(name) or self._path(prefix, name)] = value
            elif value is None:
                continue
            elif kind is bool:
                fields[paths.get(name) or self._path(prefix, name)] = TRUE if value else FALSE
            elif kind is dict and value and depth < DEEPEST:
                self._add(value, paths.get(name) or self._path(prefix, name), depth + 1, fields, has_texts=has_texts)
            elif has_texts:
                raise ValueError
            else:
                fields[paths.get(name) or self._path(prefix, name)] = ""

    def _object(self, text: str, at: int, prefix: str, depth: int, fields: dict[str, str]) -> int:
        """Add the fields of the object that begins here; returns where it ends. Raises ValueError, IndexError, StopIteration."""
        paths, is_short = self._known(prefix), len(text) <= SHORT
        at = _skip(text, at + 1)
        if text[at] == "}":
            if prefix:
                fields[prefix] = "{}"
            return at + 1
        while True:
            name, at = scanstring(text, at + 1)
            path = paths.get(name) or self._path(prefix, name)
            if text[at] != ":":
                at = _skip(text, at)
            at += 1
            if text[at] in BLANK:
                at = _skip(text, at)
            first = text[at]
            if first == '"':
                fields[path], at = scanstring(text, at + 1)
            elif first == "{" and depth < DEEPEST:
                fields.pop(path, None)  # of a name that came before
                at = self._object(text, at, path, depth + 1, fields)
            elif first in "[{":
                end = _scan(text, at)[1] if is_short else _end(text, at)
                fields[path] = text[at:end]
                at = end
            else:
                at = self._word(text, at, path, fields)
            if text[at] in BLANK:
                at = _skip(text, at)
            if text[at] == "}":
                return at + 1
            if text[at] != "," or len(fields) > MOST_FIELDS:
                raise ValueError
            at = _skip(text, at + 1)

    def _word(self, text: str, at: int, path: str, fields: dict[str, str]) -> int:
        match = _WORD.match(text, at)
        if match is None:
            raise ValueError
        word = match[0]
        if word == "null":
            fields.pop(path, None)
        else:
            fields[path] = Bare(word)
        return match.end()

    def _known(self, prefix: str) -> dict[str, str]:
        if len(self._paths) > MOST_FIELDS:
            self._paths.clear()
        return self._paths.setdefault(prefix, {})

    def _path(self, prefix: str, name: str) -> str:
        escaped = name.replace("\\", "\\\\").replace(".", "\\.") or "\\"
        path = f"{prefix}.{escaped}" if prefix else escaped
        known = self._known(prefix)
        if len(known) < MOST_FIELDS:
            known[name] = path
        return path


class Columns:
    """The names that records of a stream have, in the order in which they were met, and no more of them than fit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: dict[str, None] = {}

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._names and name != WHOLE and len(name) <= LONGEST_PATH:
                if len(self._names) >= self._most:
                    return
                self._names[name] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)


def rest(fields: dict[str, str], columns: frozenset[str]) -> str | None:
    """As JSON, what has no column of its own: an object by names, or the record itself. None where all have one."""
    if len(fields) <= len(columns) and columns.issuperset(fields):
        return None
    left = {name: value for name, value in fields.items() if name not in columns}
    if not left:
        return None
    if WHOLE in left:
        return left[WHOLE]
    pairs = (f"{json.dumps(name, ensure_ascii=False)}:{_as_json(value)}" for name, value in left.items())
    return "{" + ",".join(pairs) + "}"


def _as_json(value: str) -> str:
    return str(value) if isinstance(value, Bare) else json.dumps(value, ensure_ascii=False)


def _end(text: str, at: int) -> int:
    """Where the list or object that begins here ends. Raises ValueError where it does not."""
    depth = 0
    while True:
        match = _BRACKET.match(text, at)
        if match is None:
            raise ValueError
        depth += 1 if match[1] in "[{" else -1
        at = match.end()
        if depth == 0:
            return at


def _skip(text: str, at: int) -> int:
    while text[at] in BLANK:
        at += 1
    return at
