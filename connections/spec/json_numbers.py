"""Numbers of JSON: as exact as they came, and what stands in the place of a number but is none."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

LARGEST_WHOLE = 2**64 - 1
SMALLEST_WHOLE = -(2**63)
# A float keeps no more digits than this; what has fewer is what it says.
LONG = re.compile(rb"[0-9][0-9.]{16}")
# JSON's grammar takes it, and the database refuses it: so the record that holds it is skipped, and its neighbours are not.
NOT_STORABLE = b"1e999999"

ODD = re.compile(rb"NaN|Infinity|[eE]\+?[0-9]{3}|(?<![0-9])[0-9]{309}")
# A text that is never closed is taken as well, as in parsing.py.
TOKEN = re.compile(rb'"(?:\\.|[^"\\])*+"?|[\[\]]|-?(?:NaN|Infinity)|-?[0-9][0-9.eE+-]*+', re.DOTALL)


class Number(float):
    """A number as a float; written out it has the digits that it came with."""

    digits: str

    def __new__(cls, digits: str) -> Number:
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    def __str__(self) -> str:
        return self.digits

    __repr__ = __str__


def exact_values(document: bytes) -> Any:
    """JSON text as values, in which each number that is no whole one of 64 bits is a Number."""
    return json.loads(document.decode(), parse_float=Number, parse_int=_whole, parse_constant=Number)


def _whole(digits: str) -> int | Number:
    number = int(digits) if len(digits) <= 20 else None
    return number if number is not None and SMALLEST_WHOLE <= number <= LARGEST_WHOLE else Number(digits)


def dumps(value: Any, *, indented: bool = False) -> bytes:
    """Values as JSON text, each Number with its digits. Raises TypeError for what cannot be written."""
    return orjson.dumps(value, default=_digits, option=orjson.OPT_INDENT_2 if indented else None)


def _digits(value: Any) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.digits)
    raise TypeError


def without_odd(document: bytes, instead: bytes) -> bytes:
    """The text with `instead` for NaN, the infinities and what is larger than every float, inside of lists alone.

    Elsewhere it stays: a list that is said to be NaN is not an empty one.
    """
    if not ODD.search(document):
        return document
    depth = 0

    def mend(match: re.Match[bytes]) -> bytes:
        nonlocal depth
        token = match[0]
        if token[:1] in (b"[", b"]"):
            depth += 1 if token == b"[" else -1
        is_odd = depth > 0 and token[:1] not in (b'"', b"[", b"]") and not _is_finite(token)
        return instead if is_odd else token

    return TOKEN.sub(mend, document)


def _is_finite(token: bytes) -> bool:
    try:
        return math.isfinite(float(token))
    except ValueError:
        return True  # no number at all: not for us to mend
