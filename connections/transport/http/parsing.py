"""Turns a body into values: mended and measured first, so that no decoder meets one that nests or branches without end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

import orjson

from connections.spec import json_numbers
from connections.spec.wire import Wire

JSON = Wire()
MOST_LENIENT_BYTES = 100_000  # bytes of an answer that is no strict JSON and is still looked at
DEEPEST_NESTING = 50
# A body may hold one value for so many of its bytes: smaller ones outgrow it many times over in memory.
BYTES_PER_VALUE, BYTES_PER_CONTAINER, BYTES_PER_ELEMENT = 10, 40, 20
ALWAYS_ALLOWED_VALUES = 100_000  # values are too few to be a burden
XML_CHUNK_BYTES = 64 * 1024  # bytes of XML; one tag or comment may be twice as long
DROPPED = bytes(each for each in range(256) if each not in b'"[]{},')
CURLY_TO_SQUARE = bytes.maketrans(b"{}", b"[]")


# Backslashes in pairs, halves of surrogate pairs that belong together, and what no database keeps: NUL and single halves.
ESCAPE = re.compile(
    rb"(?:\\\\)+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
ODD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# A text that is never closed is taken as well: looked for anew from each of its quotes, its end would cost the square of
# its length. The same holds for CDATA below.
TEXT = re.compile(rb'"(?:\\.|[^"\\])*+"?', re.DOTALL)
CONTROL = re.compile(rb"(\\.)|[\x00-\x1f]", re.DOTALL)
# In XML no reference may name these, and .NET writes them all the same. What stands in CDATA is no reference.
REFERENCE = re.compile(rb"<!\[CDATA\[(?:[^\]]|\](?!\]>))*+|&#(?:[xX]0*([0-9a-fA-F]{1,7})|0*([0-9]{1,7}));", re.DOTALL)
NOT_IN_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
LONE_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
PLACEHOLDER = "\ufffd".encode()
BLANK = b" \t\r\n\x00"  # some servers send the end of a C string along


@dataclass(frozen=True)
class Parsed:
    """A body: its values, the same as JSON text (UTF-8), and whether characters were replaced in both.

    The values of an empty body are None. In the text, each number has the digits that it came with, and so it has in the
    values where a float would lose some (json_numbers.Number). What is no number (NaN) or larger than all is None among
    the values, and a number in the text that no database keeps; `as_sent` is the text with what came instead.
    """

    values: Any
    document: bytes
    is_mended: bool = False
    as_sent: bytes = b""

    def exact(self) -> Any:
        """The values with the digits of every number."""
        return json_numbers.exact_values(self.as_sent or self.document)


def parse(body: bytes, wire: Wire) -> Parsed:
    """A body in UTF-8 (charsets.py), or nearly.

    What no database keeps, and no parser takes, is mended in the text itself, so that all else stays as it came: U+FFFD
    stands for NUL, for halves of surrogate pairs and for bytes that are no UTF-8. Raises ValueError for whatever cannot be
    read, be it for what a provider's decoder trips over.
    """
    is_xml = "xml" in wire.accept
    text = body.strip(BLANK)
    if not text:
        return Parsed(None, b"null")
    mended = _valid_utf8(text)
    mended = _mended_xml(mended) if is_xml else _mended_json(mended)
    (_measure_xml if is_xml else _measure_json)(mended)
    try:
        document = mended if wire.decode is None else wire.decode(mended)
        values, document, as_sent = _loaded(document)
    except (LookupError, TypeError, RecursionError, ArithmeticError):
        message = "a body that its decoder cannot read"
        raise ValueError(message) from None
    return Parsed(values, document, mended != text, as_sent)


def read(body: bytes, wire: Wire) -> Any:
    """The values alone. Raises ValueError."""
    return parse(body, wire).values


def read_leniently(body: bytes) -> Any:
    """What was sent as JSON, more or less, None for anything else: a token must not be lost for a lifetime of NaN."""
    try:
        return read(body, JSON)
    except ValueError:
        pass
    if len(body) > MOST_LENIENT_BYTES:
        return None
    try:
        return json.loads(body.decode(errors="replace"), parse_int=_whole, strict=False)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | float:
    """Python reads no whole number of thousands of digits, and would throw the token beside it away."""
    return int(digits) if len(digits) < 20 else float(digits)


def _loaded(document: bytes) -> tuple[Any, bytes, bytes]:
    """The values, the text in which they were found, and the text as it came where it holds what is no number.

    Line breaks and the like in texts are escaped, if they are not.
    """
    try:
        return _with_digits(orjson.loads(document), document), document, b""
    except orjson.JSONDecodeError:
        escaped = TEXT.sub(_escaped, document)
        readable = json_numbers.without_odd(escaped, b"null")
        if readable == document:
            raise
        values = _with_digits(orjson.loads(readable), readable)
        if readable == escaped:
            return values, escaped, b""
        return values, json_numbers.without_odd(escaped, json_numbers.NOT_STORABLE), escaped


def _with_digits(values: Any, document: bytes) -> Any:
    return json_numbers.exact_values(document) if json_numbers.may_hold_long(document) else values


def _escaped(text: re.Match[bytes]) -> bytes:
    return CONTROL.sub(lambda match: match[1] or b"\\u%04x" % match[0][0], text[0])


def _valid_utf8(text: bytes) -> bytes:
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return LONE_HALF.sub(PLACEHOLDER, text).decode(errors="replace").encode()
    return text


def _mended_json(text: bytes) -> bytes:
    text = text.replace(b"\x00", PLACEHOLDER)
    if not ODD_ESCAPE.search(text):
        return text
    return ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)


def _mended_xml(text: bytes) -> bytes:
    return REFERENCE.sub(_mended_reference, NOT_IN_XML.sub(PLACEHOLDER, text))


def _mended_reference(match: re.Match[bytes]) -> bytes:
    if match[0].startswith(b"<"):
        return match[0]
    code = int(match[1], 16) if match[1] else int(match[2])
    is_character = (
        code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    )
    return match[0] if is_character else PLACEHOLDER


def _most(document: bytes, bytes_each: int) -> int:
    return max(ALWAYS_ALLOWED_VALUES, len(document) // bytes_each)


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
    for _ in range(DEEPEST_NESTING):
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
        if self.depth > DEEPEST_NESTING or self.left < 0:
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
        for begin in range(0, len(document), XML_CHUNK_BYTES):
            parser.Parse(document[begin : begin + XML_CHUNK_BYTES], False)
            if begin + XML_CHUNK_BYTES - parser.CurrentByteIndex > 2 * XML_CHUNK_BYTES:
                message = "a tag or a comment that is too long"
                raise ValueError(message)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError):
        message = "no XML that can be read"
        raise ValueError(message) from None
