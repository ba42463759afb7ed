"""Pentamic's JSON, which is not always valid, and its XML, as values that the rest of the house can keep.

Its document prints `taxCode` as a number with a leading zero. Such digits are kept as text, and so is every tax code,
however it comes. Names begin with a small letter, whichever the server uses (sibling products send capitals).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring  # nosec B405 - for writing alone

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

DEEPEST = 30
# A text that is never closed is taken as well: looked for anew from each of its quotes, its end would cost the square of
# its length.
TOKEN = re.compile(rb'"(?:\\.|[^"\\])*+"?|-?\d[\d.eE+-]*', re.DOTALL)
ZERO = re.compile(rb"-?0\d")
INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
NUMBERS = ("id", "customerId")


def read_json(body: bytes) -> Any:
    """Raises ValueError for what is no JSON even with its numbers quoted."""
    text = body.removeprefix(b"\xef\xbb\xbf")  # a byte order mark is what such servers like to send
    return _plain(orjson.loads(TOKEN.sub(_quoted, text)))


def _quoted(found: re.Match[bytes]) -> bytes:
    token = found[0]
    return b'"%s"' % token if ZERO.match(token) else token


def _plain(value: Any) -> Any:
    """Names with a small first letter, tax codes as text."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {name[:1].lower() + name[1:]: _plain(each) for name, each in value.items()}
    code = named.get("taxCode")
    if isinstance(code, int | float) and not isinstance(code, bool):
        named["taxCode"] = str(code)
    return named


def write_json(body: Any, settings: Mapping[str, str]) -> bytes:
    """A tax code as text, or as the bare digits of the document's sample where the customer chose that."""
    written = orjson.dumps(body)
    if settings.get("tax_codes") == "number":
        written = re.sub(rb'("[tT]axCode":)"(\d+)"', rb"\1\2", written)
    return written


def read_xml(body: bytes) -> Any:
    """Elements by local name: a list for `ArrayOf...`, else a dictionary. Raises ValueError; DTDs are refused."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        message = "no XML that can be read"
        raise ValueError(message) from None
    if max(_depths(root)) > DEEPEST:
        message = "the XML is too deep"
        raise ValueError(message)
    if _local(root.tag).startswith("ArrayOf"):
        return [_record(child) for child in root]
    return _record(root)


def _depths(element: Element) -> Iterator[int]:
    waiting = [(element, 1)]
    while waiting:
        each, depth = waiting.pop()
        yield depth
        if depth <= DEEPEST:
            waiting += [(child, depth + 1) for child in each]


def _record(element: Element) -> dict[str, Any]:
    return {_name(child): _value(child) for child in element}


def _value(element: Element) -> Any:
    if element.get(f"{INSTANCE}nil") == "true":
        return None
    if len(element):
        return _record(element)
    text = element.text or ""
    if _name(element) in NUMBERS and text.strip().isascii() and text.strip().isdigit():
        return int(text)
    return text


def _name(element: Element) -> str:
    local = _local(element.tag)
    return local[:1].lower() + local[1:]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def write_xml(body: Any, settings: Mapping[str, str]) -> bytes:
    """A customer as the usual serializer of such servers reads it: its namespace, elements in alphabetical order."""
    if not isinstance(body, Mapping):
        message = "a customer is needed"
        raise TypeError(message)
    namespace = settings.get("xml_namespace", "")
    root = Element("Customer", {"xmlns": namespace} if namespace else {})
    for name in sorted(body, key=lambda name: name[:1].upper() + name[1:]):
        child = SubElement(root, name[:1].upper() + name[1:])
        if body[name] is None:
            child.set(f"{INSTANCE}nil", "true")
        else:
            child.text = str(body[name])
    written: bytes = tostring(root, encoding="utf-8")
    return written
