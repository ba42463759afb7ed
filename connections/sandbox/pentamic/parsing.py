"""What a request to create or replace a customer says: JSON with its illegal numbers, or XML, read as .NET would."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree  # nosec B405 - see read_xml

from connections.sandbox.pentamic.serializers import INSTANCE, NAMESPACE, Digits, Value

MEMBERS = ("Address", "Id", "Name", "Phone", "TaxCode")  # in the order in which a data contract reads them
TAX_CODE = re.compile(r"\d{9,10}(-\d{3})?|\d{13}", re.ASCII)
_STRING_OR_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+\-]*', re.ASCII | re.DOTALL)
_NUMBER = "\0"  # marks, inside the decoded text, a number that came without quotes


class Unreadable(ValueError):
    """A body that is neither the JSON nor the XML it claims to be."""


class BusinessError(ValueError):
    """One of the documented codes, to be answered with 403."""


Members = Mapping[str, Value]  # by lower-case name


def read_json(body: bytes) -> Members:
    """The members of the one object; numbers keep their digits. Raises Unreadable."""

    def quote(match: re.Match[str]) -> str:
        token = match[0]
        return token if token.startswith('"') else json.dumps(_NUMBER + token)

    try:
        document = json.loads(_STRING_OR_NUMBER.sub(quote, body.decode("utf-8-sig")))
    except (UnicodeDecodeError, ValueError, RecursionError) as wrong:
        msg = "The request body is not valid JSON."
        raise Unreadable(msg) from wrong
    if document is None:
        return {}
    if not isinstance(document, dict):
        msg = "The request body must be one customer."
        raise Unreadable(msg)
    return {name.lower(): _scalar(value) for name, value in document.items()}


def _scalar(value: Any) -> Value:
    if isinstance(value, str):
        return Digits(value[1:]) if value.startswith(_NUMBER) else value
    if value is None or isinstance(value, bool):
        return value
    msg = "A member of a customer is text or a number."
    raise Unreadable(msg)


def read_xml(body: bytes, *, strict: bool) -> Members:
    """The members of the one customer; `strict` passes over what is out of order or elsewhere. Raises Unreadable."""
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:  # before it is parsed: no entity ever grows
            msg = "A document type is not accepted."
            raise Unreadable(msg)
        root = ElementTree.fromstring(text)  # noqa: S314  # nosec B314 - it has no document type
    except (UnicodeDecodeError, ElementTree.ParseError) as wrong:
        msg = "The request body is not valid XML."
        raise Unreadable(msg) from wrong
    if not strict:
        return {element.tag.rpartition("}")[2].lower(): _text(element) for element in root}
    if root.tag != f"{{{NAMESPACE}}}Customer":
        return {}
    members: dict[str, Value] = {}
    allowed = list(MEMBERS)
    for element in root:
        space, _, name = element.tag.rpartition("}")
        if space == f"{{{NAMESPACE}" and name in allowed:
            del allowed[: allowed.index(name) + 1]
            members[name.lower()] = _text(element)
    return members


def _text(element: ElementTree.Element) -> str | None:
    return None if element.get(f"{{{INSTANCE}}}nil") == "true" else element.text or ""


def required(members: Members, *, accepts: str, is_taken: Callable[[str], bool]) -> tuple[str, str]:
    """Name and tax code; `accepts` is the switch, `taken` says that another customer has a code. Raises BusinessError."""
    name = optional(members, "name")
    if not name:
        raise BusinessError("NAME_REQUIRED")  # noqa: EM101 - a code, not a sentence
    value = members.get("taxcode")
    code = str(value).strip() if isinstance(value, str) else ""
    if not code:
        raise BusinessError("TAXC_REQUIRED" if value is None or value == "" else "TAXC_INVALID")
    kind = "number" if isinstance(value, Digits) else "text"
    if accepts not in ("both", kind) or not TAX_CODE.fullmatch(code) or is_taken(code):
        raise BusinessError("TAXC_INVALID")  # noqa: EM101 - a code, not a sentence
    return name, code


def optional(members: Members, name: str) -> str | None:
    value = members.get(name)
    return None if value is None else str(value).strip()
