"""What may stand in a request body: fields with their types and limits, and how a whole record looks in a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

Body = dict[str, Any]
Wrong = list[tuple[str | None, str]]

BLANK = "cannot be blank"
_WORD = re.compile(r"[A-Z][A-Z0-9_]*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")


class WrongBody(ValueError):
    """A request body that answers 400: (field or None, message) pairs."""

    def __init__(self, *problems: tuple[str | None, str]) -> None:
        super().__init__("the request body is wrong")
        self.problems: Wrong = list(problems)


@dataclass(frozen=True)
class Field:
    """One field. Kinds: text, whole, number, flag, day, moment, word (an enumeration too long to copy), currency,
    object and list (of objects with the fields `inside`, or of anything)."""

    kind: str = "text"
    required: bool = False
    longest: int | None = None
    most: float | None = None
    least: float | None = None
    choices: frozenset[str] = frozenset()
    inside: Mapping[str, Field] | None = None


def text(longest: int | None = None, *, required: bool = False) -> Field:
    return Field("text", required=required, longest=longest)


def choice(*values: str, required: bool = False) -> Field:
    return Field("word", required=required, choices=frozenset(values))


def holding(inside: Mapping[str, Field], *, required: bool = False) -> Field:
    return Field("object", required=required, inside=inside)


def several(inside: Mapping[str, Field] | None = None, *, required: bool = False) -> Field:
    return Field("list", required=required, inside=inside)


WHOLE, NUMBER, FLAG, DAY, MOMENT = (Field(kind) for kind in ("whole", "number", "flag", "day", "moment"))
WORD, CURRENCY, ANYTHING = Field("word"), Field("currency"), Field("anything")


def outside_windows_1252(value: Any, place: str = "") -> Wrong:
    """The first character in each text that Procountor does not take (API requests, encoding)."""
    if isinstance(value, str):
        for character in value:
            try:
                character.encode("cp1252")
            except UnicodeEncodeError:
                return [(place or None, f"Unsupported character U+{ord(character):04X}")]
        return []
    items: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        items = [(f"{place}.{name}".lstrip("."), each) for name, each in value.items()]
    elif isinstance(value, list):
        items = [(f"{place}[{number}]", each) for number, each in enumerate(value)]
    return [wrong for where, each in items for wrong in outside_windows_1252(each, where)]


def checked(body: Mapping[str, Any], fields: Mapping[str, Field], *, strange: bool = False) -> Body:
    """The body with every field, those left out cleared; `strange` refuses unknown ones. Raises WrongBody."""
    problems: Wrong = []
    clean = _object(body, fields, "", problems, strange=strange)
    if problems:
        raise WrongBody(*problems)
    return clean


def _object(
    body: Mapping[str, Any], fields: Mapping[str, Field], place: str, problems: Wrong, *, strange: bool
) -> Body:
    if strange:
        problems += [(f"{place}{name}", "unknown field") for name in body if name not in fields]
    return {name: _value(body.get(name), field, f"{place}{name}", problems, strange) for name, field in fields.items()}


def _value(value: Any, field: Field, place: str, problems: Wrong, strange: bool) -> Any:
    if value is None or (field.required and value in ("", [])):
        if field.required:
            problems.append((place, BLANK))
        return [] if field.kind == "list" else None
    if field.kind == "object" and field.inside is not None:
        if not isinstance(value, dict):
            problems.append((place, "must be an object"))
            return None
        return _object(value, field.inside, f"{place}.", problems, strange=strange)
    if field.kind == "list":
        if not isinstance(value, list):
            problems.append((place, "must be a list"))
            return []
        if field.inside is None:
            return value
        one = Field("object", inside=field.inside, required=True)
        return [_value(each, one, f"{place}[{number}]", problems, strange) for number, each in enumerate(value)]
    if why := _why_not(value, field):
        problems.append((place, why))
    return value


def _why_not(value: Any, field: Field) -> str:
    kind = field.kind
    if kind == "anything":
        return ""
    if kind == "flag":
        return "" if isinstance(value, bool) else "must be true or false"
    if kind in ("whole", "number"):
        if isinstance(value, bool) or not isinstance(value, int if kind == "whole" else (int, float)):
            return "must be a number"
        if field.most is not None and value > field.most:
            return f"must be at most {field.most:g}"
        return f"must be at least {field.least:g}" if field.least is not None and value < field.least else ""
    if not isinstance(value, str):
        return "must be a text"
    if kind == "currency":
        return "" if _CURRENCY.fullmatch(value) else "must be a currency code"
    if kind == "word":
        if field.choices:
            return "" if value in field.choices else f"must be one of {', '.join(sorted(field.choices))}"
        return "" if _WORD.fullmatch(value) else "must be one of the values of its enumeration"
    if kind in ("day", "moment"):
        return _why_no_time(value, kind)
    return f"must be at most {field.longest} characters" if field.longest and len(value) > field.longest else ""


def _why_no_time(value: str, kind: str) -> str:
    try:
        if kind == "day" and len(value) == 10:
            date.fromisoformat(value)
            return ""
        if kind == "moment" and _MOMENT.fullmatch(value):
            datetime.fromisoformat(value)
            return ""
    except ValueError:
        pass
    return "must be a date such as 2017-01-30" if kind == "day" else "must be a date-time such as 2017-01-30T15:20:00"


# -- how whole records look in lists ---------------------------------------------------------------------------------

RECEIPT_IN_LIST = ("id", "type", "status", "name", "receiptDate", "receiptNumber", "invoiceNumber", "serialNumber",
                   "created", "version")  # fmt: skip
INVOICE_IN_LIST = ("id", "partnerId", "type", "status", "invoiceNumber", "originalInvoiceNumber", "invoiceChannel",
                   "date", "dueDate", "newDueDate", "created", "version", "invoiceSumInfo", "creatorId", "counterParty",
                   "isOffer")  # fmt: skip
PARTNER_IN_LIST = ("id", "name", "billingAddress", "invoicingInfo", "registryInfo", "type", "version")


def brief(stream: str, whole: Body) -> Body:
    """The list form of a whole record; most lists serve whole records."""
    if stream == "ledger_receipts":
        return {name: whole[name] for name in RECEIPT_IN_LIST}
    if stream == "invoices":
        return {name: whole[name] for name in INVOICE_IN_LIST}
    if stream == "partners":
        body = {name: whole[name] for name in PARTNER_IN_LIST}
        invoicing = whole["invoicingInfo"] or {}
        body["invoicingInfo"] = {
            name: invoicing.get(name) for name in ("customerNumber", "identifier", "identifierType")
        }
        body["registryInfo"] = {"active": (whole["registryInfo"] or {}).get("active", True)}
        return body
    return whole
