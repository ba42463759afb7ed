"""Pentamic's JSON, which is not always valid, and its XML, as JSON text that all other code can keep.

Its document prints `taxCode` as a number with a leading zero. Such digits are kept as text, and so is every tax code,
however it comes. Names begin with a small letter, whichever the server uses (sibling products send capitals). All other
numbers keep their digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring  # nosec B405 - for writing alone

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connections.spec import json_numbers

MAX_DEPTH = 30
# A tax code that is a number; a name or a text; a number. A text that is never closed is taken as well: looked for anew
# from each of its quotes, its end would cost the square of its length.
NUMBER = rb"-?\d[\d.eE+-]*+"
TOKEN = re.compile(rb'"([tT]axCode"\s*+:\s*+)(%b)|"((?:\\.|[^"\\])*+"?)(\s*+:)?|(%b)' % (NUMBER, NUMBER), re.DOTALL)
ZERO = re.compile(rb"-?0\d")
INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
ARRAYS = "{http://schemas.microsoft.com/2003/10/Serialization/Arrays}"
REFERENCE = "{http://schemas.microsoft.com/2003/10/Serialization/}Ref"
ID = re.compile(r"\s*([+-]?\d{1,100})(?:\.0*)?\s*", re.ASCII)
IDS = ("id", "customerId")
# How the name of a list is made from that of its items.
PLURALS = (("ies", "y"), ("es", ""), ("s", ""), ("list", ""), ("collection", ""))


def read_json(body: bytes) -> bytes:
    """Numbers that are none as text, names as ours. Whether the rest is JSON its reader finds out."""
    return TOKEN.sub(_read_token, body)


def _read_token(match: re.Match[bytes]) -> bytes:
    tax_code, digits, text, colon, number = match.groups()
    if tax_code:
        return b'"t%b"%b"' % (tax_code[1:], digits)
    if text is not None:
        return b'"' + (text[:1].lower() + text[1:] + colon if colon else text)
    return b'"%b"' % number if ZERO.match(number) else number


def write_json(body: Any, settings: Mapping[str, str]) -> bytes:
    """A tax code as text, or as the bare digits of the document's sample where the customer chose that."""
    written = json_numbers.dumps(body)
    if settings.get("tax_codes") == "number":
        written = re.sub(rb'("[tT]axCode":)"(\d+)"', rb"\1\2", written)
    return written


def read_xml(body: bytes) -> bytes:
    """Elements by local name. Nothing is left out: what comes several times is a list, wherever it stands.

    A list is seen by its name (`ArrayOf...`, `Lines` of `Line`), or where one of its kind in the same body has several
    items; then all of its kind are lists, those of one item, too. Raises ValueError; DTDs are refused, and so is what
    refers to an element elsewhere, or would have two values under one name.
    """
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        message = "no XML that can be read"
        raise ValueError(message) from None
    if max(_depths(root)) > MAX_DEPTH:
        message = "the XML is too deep"
        raise ValueError(message)
    kind = _Kind()
    kind.learn(root)
    value = _value(root, kind)
    del root  # the largest of all three
    return json.dumps(None if value == "" else value, ensure_ascii=False).encode()


def _depths(element: Element) -> Iterator[int]:
    waiting = [(element, 1)]
    while waiting:
        each, depth = waiting.pop()
        yield depth
        if depth <= MAX_DEPTH:
            waiting += [(child, depth + 1) for child in each]


@dataclass
class _Kind:
    """All elements that stand at one place of a body: what they hold, by name, and what of it comes several times."""

    name: str = ""
    children: dict[str, _Kind] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    holds_more: bool = False  # texts or attributes beside the elements
    is_array: bool = False

    def learn(self, element: Element) -> None:
        self.name = self.name or _name(element)
        if not self.holds_more:
            self.holds_more = bool(_attributes(element) or _text(element))
        names = set()
        for child in element:
            name = _name(child)
            if name in names:
                self.repeated.add(name)
            names.add(name)
            kind = self.children.get(name)
            if kind is None:
                kind = self.children[name] = _Kind(name)
                self.is_array |= child.tag.startswith(ARRAYS)
            kind.learn(child)

    @cached_property
    def is_list(self) -> bool:
        """Whether its elements are nothing but lists of what they hold. Asked when all of them are known."""
        if self.name.startswith("arrayOf"):
            return True
        if self.holds_more or len(self.children) != 1:
            return False
        [item] = self.children
        return self.is_array or item in self.repeated or _is_plural(self.name.lower(), item.lower())


def _is_plural(name: str, item: str) -> bool:
    """`lines` of `line`, of `invoiceLine`, too."""
    return any(
        name.endswith(ending) and len(name) > len(ending) and item.endswith(name.removesuffix(ending) + single)
        for ending, single in PLURALS
    )


def _value(element: Element, kind: _Kind) -> Any:
    if element.attrib and element.get(f"{INSTANCE}nil") in ("true", "1"):
        return None
    if kind.is_list:
        return [_value(child, kind.children[_name(child)]) for child in element]
    if len(element) or _attributes(element):
        return _record(element, kind)
    text = element.text or ""
    match = ID.fullmatch(text) if kind.name in IDS else None
    return int(match[1]) if match else text


def _record(element: Element, kind: _Kind) -> dict[str, Any]:
    pairs = [(_name(child), _value(child, kind.children[_name(child)])) for child in element]
    pairs += _attributes(element).items()
    if text := _text(element):
        pairs.append(("text", text))
    record: dict[str, Any] = {}
    for name, value in pairs:
        if name in kind.repeated:
            record.setdefault(name, []).append(value)
        elif name in record:
            message = f"two values of {name}"
            raise ValueError(message)
        else:
            record[name] = value
    return record


def _attributes(element: Element) -> dict[str, str]:
    """Those without a namespace; the others tell serializers of types. Raises ValueError for a reference."""
    if not element.attrib:
        return {}
    if REFERENCE in element.attrib:
        message = "an element that refers to another one"
        raise ValueError(message)
    return {name[:1].lower() + name[1:]: value for name, value in element.attrib.items() if not name.startswith("{")}


def _text(element: Element) -> str:
    """What stands between the elements, or alone."""
    return " ".join(
        each.strip() for each in (element.text, *(child.tail for child in element)) if each and each.strip()
    )


def _name(element: Element) -> str:
    return _local(element.tag)


@lru_cache(1000)  # the same few, a million times
def _local(tag: str) -> str:
    local = tag.rpartition("}")[2]
    return local[:1].lower() + local[1:]


def write_xml(body: Any, settings: Mapping[str, str]) -> bytes:
    """A customer as the usual serializer of such servers reads it: its namespace, elements in alphabetical order."""
    if not isinstance(body, Mapping):
        message = "a customer is needed"
        raise TypeError(message)
    namespace = settings.get("xml_namespace", "")
    root = Element("Customer", {"xmlns": namespace} if namespace else {})
    if any(isinstance(value, Mapping | list) for value in body.values()):
        message = "a list or an object, of which nobody knows how it is written"
        raise TypeError(message)
    for name in sorted(body, key=lambda name: name[:1].upper() + name[1:]):
        child = SubElement(root, name[:1].upper() + name[1:])
        if body[name] is None:
            child.set(f"{INSTANCE}nil", "true")
        else:
            child.text = str(body[name]).lower() if isinstance(body[name], bool) else str(body[name])
    written: bytes = tostring(root, encoding="utf-8")
    return written
