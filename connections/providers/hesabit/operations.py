"""The calls we make to Hesabit. Only the creation of a customer and of an invoice is described; the rest is promised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from connections.spec.operations import Arguments, FieldTrouble, LookUp, Operation, Parameter, ParameterPlace
from connections.spec.text import Text

LIST = (Parameter("limit", example="20"), Parameter("page", example="1"))
ID = Parameter("id", ParameterPlace.PATH, required=True)
CUSTOMER = {"name": "Nemune Sakhtegi", "email": "nemune@example.example", "mobile": "09000000000", "address": "-"}
INVOICE = {
    "title": "Nemune",
    "number": "P-1001",
    "date": "1767225600",
    "due": "1769904000",
    "customer_id": 0,
    "items": [{"description": "Nemune", "price": 1000, "quantity": 1}],
}
ITEM = {"title": "Nemune", "price": 1000, "description": "-"}
# Eastern digits of both kinds stand for the ten that everybody's machines know.
DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "0123456789" * 2)
LATEST_TIMESTAMP = 4102444800  # 2100


def customer_trouble(body: Any) -> Sequence[FieldTrouble]:
    """Customers page: e-mail or mobile must be given; a mobile number has 11 digits."""
    if not isinstance(body, dict):
        return [FieldTrouble("", _("An object is needed."))]
    mobile = str(body.get("mobile") or "").translate(DIGITS)
    if not body.get("email") and not mobile:
        return [FieldTrouble("email", _("Hesabit needs an e-mail address or a mobile number."))]
    if mobile and not (mobile.isascii() and mobile.isdigit() and len(mobile) == 11):
        return [FieldTrouble("mobile", _("A mobile number has 11 digits and begins with 09."))]
    return []


def _records(answer: Any) -> list[Any]:
    if isinstance(answer, dict):
        answer = next((value for value in answer.values() if isinstance(value, list)), [])
    return [each for each in answer if isinstance(each, dict)] if isinstance(answer, list) else []


def _by(operation: str, *names: str) -> LookUp:
    """A lost creation is looked up by these fields in the whole list, digits of any kind being equal."""

    def reference(body: Any) -> tuple[str, ...]:
        return tuple(str(body.get(name) or "").translate(DIGITS) for name in names) if isinstance(body, dict) else ()

    def arguments(sent: Arguments) -> Arguments | None:
        return Arguments(query={"limit": "100"}) if any(reference(sent.body)) else None

    def matches(answer: Any, sent: Arguments) -> Sequence[Any]:
        return [each for each in _records(answer) if reference(each) == reference(sent.body)]

    return LookUp(operation, arguments, matches, by=lambda sent: reference(sent.body), created=_created)


def _created(thing: Any) -> datetime | None:
    """Unix seconds, as a text in digits of any kind; milliseconds and other accidents make no moment of our time."""
    digits = str(thing.get("created")).translate(DIGITS)
    seconds = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 13 else 0
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < LATEST_TIMESTAMP else None


def _of(name: str, label: Text, example: dict[str, Any], look_up: LookUp | None, **more: Any) -> tuple[Operation, ...]:
    path, one = f"/{name}", f"/{name}/{{id}}"
    promised = "promised in general words (HTTP methods); path inferred"
    listed = (*LIST, Parameter("status", choices=("", "paid", "unpaid", "draft", "overdue", "canceled")))
    return (
        Operation(
            f"{name}.list", "GET", path, format_lazy("{}: {}", _("List"), label), listed if name == "invoices" else LIST,
            source="request parameters: limit and status",
        ),
        Operation(f"{name}.get", "GET", one, format_lazy("{}: {}", _("Read one"), label), (ID,), source=promised),
        Operation(
            f"{name}.create", "POST", path, format_lazy("{}: {}", _("Create"), label), (), example, look_up=look_up,
            source=f"page of {name}" if look_up else promised, **more,
        ),
        Operation(f"{name}.update", "PUT", one, format_lazy("{}: {}", _("Change"), label), (ID,), example, source=promised),
        Operation(f"{name}.delete", "DELETE", one, format_lazy("{}: {}", _("Delete"), label), (ID,), source=promised),
    )  # fmt: skip


OPERATIONS = (
    *_of(
        "customers",
        _("customers"),
        CUSTOMER,
        _by("customers.list", "name", "email", "mobile"),
        check=customer_trouble,
    ),
    *_of("invoices", _("invoices"), INVOICE, _by("invoices.list", "number")),
    *_of("items", _("items"), ITEM, None),
)
