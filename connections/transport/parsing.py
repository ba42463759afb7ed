"""Turns a body into values: measured first, so that no decoder meets one that nests or branches without end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

import orjson

from connections.spec.wire import Wire

DEEPEST = 50
# A body may hold one value for so many of its bytes: smaller ones outgrow it many times over in memory.
BYTES_PER_VALUE, BYTES_PER_CONTAINER, BYTES_PER_ELEMENT = 10, 40, 20
ALWAYS = 100_000  # values are too few to be a burden
PORTION = 64 * 1024  # bytes of XML; one tag or comment may be twice as long
DROPPED = bytes(each for each in range(256) if each not in b'"[]{},')
CURLY_TO_SQUARE = bytes.maketrans(b"{}", b"[]")


# Backslashes in pairs, halves of surrogate pairs that belong together, and what no database keeps: NUL and single halves.
ODD_ESCAPE = re.compile(
    rb"(?:\\\\)+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
PLACEHOLDER = b"\\ufffd"


@dataclass(frozen=True)
class Parsed:
    """A body: its values, the same as JSON text (UTF-8), and whether characters were replaced in both."""

    values: Any
    document: bytes
    is_mended: bool = False


def parse(document: bytes, wire: Wire) -> Parsed:
    """Raises ValueError for whatever cannot be read, be it for what a provider's decoder trips over."""
    mended = document if "xml" in wire.accept else _mended(document)
    values = read(mended, wire)
    return Parsed(values, mended if wire.decode is None else as_json(values), mended != document)


def _mended(document: bytes) -> bytes:
    """JSON text with U+FFFD for each escape of a NUL or of half a surrogate pair. All else keeps its place and its digits."""
    return ODD_ESCAPE.sub(lambda found: PLACEHOLDER if found[1] else found[0], document)


def read(document: bytes, wire: Wire) -> Any:
    """The values of a body, None for an empty one.

    Raises ValueError for whatever cannot be read, be it for what a provider's decoder trips over.
    """
    if not document.strip():
        return None
    (_measure_xml if "xml" in wire.accept else _measure_json)(document)
    try:
        return (wire.decode or orjson.loads)(document)
    except (LookupError, TypeError, RecursionError, ArithmeticError):
        message = "a body that its decoder cannot read"
        raise ValueError(message) from None


def as_json(body: Any) -> bytes:
    """Raises ValueError for a number that JSON readers do not take."""
    try:
        return orjson.dumps(body)
    except TypeError:
        message = "a value that JSON does not hold"
        raise ValueError(message) from None


def _most(document: bytes, bytes_each: int) -> int:
    return max(ALWAYS, len(document) // bytes_each)


def _measure_json(document: bytes) -> None:
    """Raises ValueError. In a few passes in C: a page of 10 MB is nothing to go through character by character."""
    if b"\\" in document:
        document = document.replace(b"\\\\", b"").replace(
            b'\\"', b""
        )  # pairs first: what is left before a quote hides it
    marks = document.translate(None, DROPPED)
    values, containers = _most(document, BYTES_PER_VALUE), _most(document, BYTES_PER_CONTAINER)
    # Those inside of texts are counted in, which spares taking the texts out of what is refused anyway.
    is_crowded = marks.count(b",") > values or marks.count(b'"') > 4 * values  # a name and a text have two each
    if is_crowded or marks.count(b"[") + marks.count(b"{") > containers:
        message = "too many values"
        raise ValueError(message)
    # Most texts are empty by now, and taking a pair of quotes away leaves the others as they were: inside or outside.
    marks = b"".join(marks.replace(b'""', b"").split(b'"')[::2])
    brackets = marks.translate(CURLY_TO_SQUARE, b",")
    for _ in range(DEEPEST):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")  # takes the innermost level away
    if brackets:
        message = "nested too deep, or never closed"
        raise ValueError(message)


class _Measure:
    def __init__(self, most: int) -> None:
        self.left, self.depth = most, 0

    def start(self, _name: str, attributes: list[str]) -> None:
        self.depth += 1
        self.left -= len(attributes) // 2 + 1
        if self.depth > DEEPEST or self.left < 0:
            message = "nested too deep, or too many elements"
            raise ValueError(message)

    def end(self, _name: str) -> None:
        self.depth -= 1

    def doctype(self, *_args: Any) -> None:
        message = "a document type is not read"
        raise ValueError(message)


def _measure_xml(document: bytes) -> None:
    """Raises ValueError. No tree is built."""
    measure, parser = _Measure(_most(document, BYTES_PER_ELEMENT)), expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler = measure.start, measure.end
    parser.StartDoctypeDeclHandler = measure.doctype
    try:
        for begin in range(0, len(document), PORTION):
            parser.Parse(document[begin : begin + PORTION], False)
            if begin + PORTION - parser.CurrentByteIndex > 2 * PORTION:
                message = "a tag or a comment that is too long"
                raise ValueError(message)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError):
        message = "no XML that can be read"
        raise ValueError(message) from None
