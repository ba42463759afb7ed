"""The calls we make to SmartBusiness. A document is created, changed, sent and removed; sending is never repeated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from connections.spec.operations import Arguments, LookUp, Operation, Parameter, ParameterPlace
from connections.spec.text import Text

LIST = (
    Parameter("limit", example="20"),
    Parameter("offset", example="0"),
    Parameter("sort", example="-id"),
    Parameter("q"),
    Parameter("filter"),
    Parameter("with"),
)
ID = Parameter("id", ParameterPlace.PATH, required=True)
WITH = Parameter("with")
SWITZERLAND = ZoneInfo("Europe/Zurich")  # inferred
SOURCE = "introduction (verbs, envelopes); paths as in the vendor's own library"

CONTACT = {
    "number": "P-1001",
    "relation": ["CL"],
    "type": "C",
    "name": "Beispiel AG",
    "currency": "CHF",
    "main_address": {
        "country": "CH",
        "street": "Musterweg",
        "street_no": "1",
        "postcode": "0000",
        "city": "Musterdorf",
    },
}
POSITION = {"type": "N", "name": "Beispiel", "price": 10.0, "vat": 8.1, "amount": 1.0, "unit_id": 1}
DOCUMENT = {
    "number": "P-1001",
    "contact_id": 0,
    "contact_address_id": 0,
    "date": "2026-01-15",
    "due": "2026-02-14",
    "currency": "CHF",
    "language": "de",
    "positions": [POSITION],
}
ARTICLE = {"number": "P-1001", "name": "Beispiel", "price": 10.0, "vat": 8.1, "unit_id": 1}
ACCOUNT = {"description": "Beispiel", "bank_name": "Musterbank", "iban": "CH0000000000000000000"}


def by_number(operation: str) -> LookUp:
    """A lost creation is looked up by the number we gave it."""

    def arguments(sent: Arguments) -> Arguments | None:
        number = _number(sent)
        return Arguments(query={"filter": json.dumps({"number": number}), "limit": "5"}) if number else None

    def matches(answer: Any, sent: Arguments) -> Sequence[Any]:
        items = answer.get("items") if isinstance(answer, dict) else None
        matches = [item for item in items if item.get("number") == _number(sent)] if isinstance(items, list) else []
        return matches

    return LookUp(operation, arguments, matches, created=_created)


def _created(thing: Any) -> datetime | None:
    """A moment without a zone; broken ones ("-0001-11-30 00:00:00") happen. Of an hour that comes twice it is the first."""
    try:
        return datetime.strptime(thing["created"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=SWITZERLAND)
    except (KeyError, TypeError, ValueError):
        return None


def _number(sent: Arguments) -> str:
    number = sent.body.get("number") if isinstance(sent.body, dict) else None
    return number if isinstance(number, str) else ""


def _of(name: str, path: str, label: Text, example: dict[str, Any]) -> tuple[Operation, ...]:
    """List, get, create, update and delete of one kind."""
    one = f"{path}/{{id}}"
    look_up = by_number(f"{name}.list") if "number" in example else None
    return (
        Operation(f"{name}.list", "GET", path, format_lazy("{}: {}", _("List"), label), LIST, source=SOURCE),
        Operation(f"{name}.get", "GET", one, format_lazy("{}: {}", _("Read one"), label), (ID, WITH), source=SOURCE),
        Operation(
            f"{name}.create", "POST", path, format_lazy("{}: {}", _("Create"), label), (), example,
            look_up=look_up, source=SOURCE,
        ),
        Operation(
            f"{name}.update", "PUT", one, format_lazy("{}: {}", _("Change"), label), (ID,), example, source=SOURCE
        ),
        Operation(f"{name}.delete", "DELETE", one, format_lazy("{}: {}", _("Delete"), label), (ID,), source=SOURCE),
    )  # fmt: skip


def _actions(name: str, path: str, label: Text) -> tuple[Operation, ...]:
    """What is done with a document. Each has an effect that cannot be taken back, so none is ever sent twice."""
    mail = {
        "subject": "Beispiel",
        "body": "Guten Tag",
        "recipients": [{"email": "empfang@beispiel.example", "name": "Empfang"}],
    }
    return (
        Operation(
            f"{name}.change_status", "PATCH", f"{path}/{{id}}/change-status", format_lazy("{}: {}", _("Change status"), label),
            (ID,), {"status": "S"}, retried=False, source="PATCH is for actions (introduction)",
        ),
        Operation(
            f"{name}.send_by_email", "PATCH", f"{path}/{{id}}/send-by-email", format_lazy("{}: {}", _("Send by e-mail"), label),
            (ID,), mail, retried=False, source="PATCH, sending an invoice by e-mail (introduction)",
        ),
    )  # fmt: skip


INVOICES, OFFERS, CONFIRMATIONS = (
    "/receivables/invoices",
    "/receivables/offers",
    "/receivables/order-confirmations",
)
OPERATIONS = (
    Operation("profile", "GET", "/auth/profile", _("Company of the account"), source="endpoint /auth/profile"),
    Operation("owner", "GET", "/auth/owner", _("Person of the account"), source="endpoint /auth/owner"),
    *_of("contacts", "/contacts", _("contacts"), CONTACT),
    *_of("invoices", INVOICES, _("invoices"), DOCUMENT),
    *_actions("invoices", INVOICES, _("invoices")),
    Operation(
        "payments.list", "GET", f"{INVOICES}/{{id}}/payments", _("List: payments of an invoice"), (ID, *LIST), source=SOURCE
    ),
    Operation(
        "payments.create", "POST", f"{INVOICES}/{{id}}/payments", _("Create: payment of an invoice"), (ID,),
        {"type": "N", "channel": "T", "amount": 10.0, "date": "2026-01-20"}, source=SOURCE,
    ),
    *_of("products", "/catalog/products", _("products"), ARTICLE),
    *_of("services", "/catalog/services", _("services"), ARTICLE),
    *_of("offers", OFFERS, _("offers"), DOCUMENT),
    *_actions("offers", OFFERS, _("offers")),
    *_of("order_confirmations", CONFIRMATIONS, _("order confirmations"), DOCUMENT),
    *_actions("order_confirmations", CONFIRMATIONS, _("order confirmations")),
    *_of("bank_accounts", "/configuration/bank-accounts", _("bank accounts"), ACCOUNT),
)  # fmt: skip
