"""What GKS4 asks of a customer and a sales order before it takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connections.sandbox.simutek.errors import Errors, Problem
from connections.sandbox.simutek.sample_data import ADDRESS, Body

LANGUAGES = ("sv", "no", "en")
_IDENTITY = re.compile(r"[0-9A-Za-z]{6,14}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"\+[0-9][0-9 \-]{4,20}")


@dataclass
class Fields:
    """The fields of one sent object; what is wrong with them gathers in `errors` under their full names."""

    values: Mapping[str, Any]
    errors: Errors = field(default_factory=dict)
    path: str = ""

    def wrong(self, name: str, message: str) -> None:
        self.errors.setdefault(self.path + name, []).append(message)

    def key(self, name: str) -> None:
        """The key must be there, its value may be null."""
        if name not in self.values:
            self.wrong(name, f"The field {name} must be there, though it may be null.")

    def text(self, name: str, form: re.Pattern[str] | None = None, *, needed: bool = False) -> str | None:
        value = self.values.get(name)
        if value is None or (needed and isinstance(value, str) and not value.strip()):
            if needed:
                self.wrong(name, f"The field {name} is required.")
            return None
        if not isinstance(value, str) or len(value) > 500:
            self.wrong(name, f"The field {name} must be text of at most 500 characters.")
            return None
        if form is not None and not form.fullmatch(value):
            self.wrong(name, f"The field {name} has not the form it must have.")
            return None
        return value

    def number(self, name: str) -> float | int | None:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(name, f"The field {name} must be a number.")
            return None
        return value

    def inner(self, name: str) -> Fields | None:
        """The fields of an object inside this one; None when it is not there or null."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            self.wrong(name, f"The field {name} must be an object.")
        return Fields(value, self.errors, f"{self.path}{name}.") if isinstance(value, dict) else None

    def rows(self, name: str) -> list[Fields]:
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            self.wrong(name, f"The field {name} must be a list of objects.")
            return []
        return [Fields(row, self.errors, f"{self.path}{name}[{place}].") for place, row in enumerate(value)]

    def judge(self) -> None:
        """Raises Problem (400) when anything was wrong."""
        if self.errors:
            raise Problem(400, self.errors)


def identity(text: str) -> str:
    """A corporate identity number as it is compared: spaces and dashes are ignored."""
    return re.sub(r"[\s\-]", "", text)


def customer(values: Mapping[str, Any], *, number_needed: bool) -> Body:
    """A customer as it is kept, its number None when GKS must give one; unknown fields are ignored. Raises Problem."""
    fields = Fields(values)
    fields.key("invoiceEmail")
    fields.key("number")
    if isinstance(values.get("number"), str) and not values["number"].strip():
        fields.wrong("number", "The customer number must not be empty.")
    body = {
        "name": fields.text("name", needed=True),
        "number": fields.text("number", needed=number_needed and "number" in values),
        "invoiceEmail": fields.text("invoiceEmail", _MAIL),
        "postalAddress": _address(fields, "postalAddress"),
        "corporateIdentityNumber": fields.text("corporateIdentityNumber", needed=True),
    }
    written = body["corporateIdentityNumber"]
    if isinstance(written, str) and not _IDENTITY.fullmatch(identity(written)):
        fields.wrong("corporateIdentityNumber", "This is no corporate identity number.")
    fields.judge()
    return body


def order(values: Mapping[str, Any], *, rows_needed: bool, currency_needed: bool, date_refused: bool) -> Body:
    """A sales order as it is kept; unknown fields are ignored. Raises Problem."""
    fields = Fields(values)
    if date_refused and "purchaseDate" in values:
        fields.wrong("purchaseDate", "The date of purchase is always the day on which the order is received.")
    body = {
        "customerNumber": fields.text("customerNumber", needed=True),
        "name": fields.text("name"),
        "purchaseOrderNumber": fields.text("purchaseOrderNumber"),
        "externalOrderNumber": fields.text("externalOrderNumber"),
        "preferredLanguage": fields.text("preferredLanguage"),
        "currency": fields.text("currency", _CURRENCY, needed=currency_needed),
        "customerComment": fields.text("customerComment"),
        "contact": _contact(fields),
        "deliveryAddress": _address(fields, "deliveryAddress", "name"),
        "rows": [
            {
                "specification": row.text("specification", needed=True),
                "quantity": row.number("quantity"),
                "unitPrice": row.number("unitPrice"),
            }
            for row in fields.rows("rows")
        ],
    }
    if body["preferredLanguage"] not in (None, *LANGUAGES):
        fields.wrong("preferredLanguage", f"The language must be one of {', '.join(LANGUAGES)}.")
    if rows_needed and not body["rows"]:
        fields.wrong("rows", "A sales order needs a row.")
    fields.judge()
    return body


def _address(fields: Fields, name: str, *further: str) -> Body | None:
    inner = fields.inner(name)
    if inner is None:
        return None
    return {part: inner.text(part, _COUNTRY if part == "countryCode" else None) for part in (*further, *ADDRESS)}


def _contact(fields: Fields) -> Body | None:
    inner = fields.inner("contact")
    if inner is None:
        return None
    # GKS4 takes phone numbers with a country code only (its page "Vad är nytt").
    forms = {"name": None, "phone": _PHONE, "mobile": _PHONE, "email": _MAIL}
    return {part: inner.text(part, form) for part, form in forms.items()}
