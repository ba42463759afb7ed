"""How records and errors look on the wire: JSON as the document prints it, XML as a data contract writes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape  # nosec B406 - it writes, nothing is parsed

from connections.sandbox.kit.switches import Switches

INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
# No XML of theirs is public; this is the form that .NET's data contracts take when nobody says otherwise.
NAMESPACE = "http://schemas.datacontract.org/2004/07/Pentamic.Accounting.Models"

Kind = Literal["Customer", "Invoice"]


class Digits(str):
    """A number told by its digits, leading zeros and all."""

    __slots__ = ()


Value = str | Digits | int | float | bool | None
Record = Mapping[str, Value]


@dataclass(frozen=True)
class Shape:
    """The positions of the switches that concern a record's form; the defaults are the plainest ones."""

    tax_code: str = "text"
    field_names: str = "camelCase"
    ids: str = "number"
    empty_fields: str = "null"
    extra_fields: str = "off"
    dates: str = "local"

    @classmethod
    def of(cls, switches: Switches) -> Shape:
        return cls(**{name: switches[name] for name in cls.__dataclass_fields__})

    def record(self, kind: Kind, row: sqlite3.Row, *, xml: bool = False) -> Record:
        """A kept row as it is told; XML always has the names of .NET."""
        described = self._customer(row) if kind == "Customer" else self._invoice(row)
        if self.extra_fields == "on":
            described |= {"status": "UNDER_REVIEW", "groupId": 7}
        if self.empty_fields == "missing":
            described = {name: value for name, value in described.items() if value is not None}
        return {_pascal(name) if xml else self.member_name(name): value for name, value in described.items()}

    def member_name(self, name: str) -> str:
        return _pascal(name) if self.field_names == "PascalCase" else name

    def _customer(self, row: sqlite3.Row) -> dict[str, Value]:
        return {
            "id": self._id(row["id"]),
            "name": row["name"],
            "taxCode": self._tax_code(row["tax_code"]),
            "address": row["address"],
            "phone": row["phone"],
        }

    def _invoice(self, row: sqlite3.Row) -> dict[str, Value]:
        """The document shows no invoice: all members are ours."""
        total = row["total"]
        return {
            "id": self._id(row["id"]),
            "customerId": self._id(row["customer_id"]),
            "number": row["number"],
            "date": self._date(row["billed"]),
            "total": int(total) if total == int(total) else total,
            "paid": bool(row["paid"]),
        }

    def _id(self, number: int) -> Value:
        return number if self.ids == "number" else str(number)

    def _tax_code(self, code: str) -> Value:
        if self.tax_code == "text" or not code.isdigit():
            return code  # a branch's code is no number in any form
        return Digits(code if self.tax_code == "number" else str(int(code)))

    def _date(self, billed: str) -> str:
        if self.dates == "stamp":
            return datetime.fromisoformat(billed).strftime("%d%m%Y%H%M%S")
        return f"{billed}+07:00" if self.dates == "zone" else billed


def _pascal(name: str) -> str:
    return name[0].upper() + name[1:]


# -- JSON ----------------------------------------------------------------------------------------------------------


def json_record(record: Record) -> str:
    return "{" + ",".join(f'"{name}":{_json_value(value)}' for name, value in record.items()) + "}"


def json_list(records: Iterable[Record]) -> str:
    return "[" + ",".join(map(json_record, records)) + "]"


def _json_value(value: Value) -> str:
    # With a leading zero this is not JSON any more; the document prints it so.
    return str(value) if isinstance(value, Digits) else json.dumps(value, ensure_ascii=False)


# -- XML -----------------------------------------------------------------------------------------------------------


def xml_record(kind: Kind, record: Record) -> str:
    return _element(kind, record, _DECLARED)


def xml_list(kind: Kind, records: Iterable[Record]) -> str:
    return f"<ArrayOf{kind}{_DECLARED}>{''.join(_element(kind, each) for each in records)}</ArrayOf{kind}>"


def xml_error(name: str, text: str) -> str:
    return f"<Error><{name}>{escape(text)}</{name}></Error>"


_DECLARED = f' xmlns:i="{INSTANCE}" xmlns="{NAMESPACE}"'


def _element(kind: str, record: Record, declared: str = "") -> str:
    """The members stand in alphabetical order of their .NET names."""
    members = sorted(record.items(), key=lambda member: member[0])
    return f"<{kind}{declared}>{''.join(_xml_member(name, value) for name, value in members)}</{kind}>"


def _xml_member(name: str, value: Value) -> str:
    if value is None:
        return f'<{name} i:nil="true"/>'
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"
