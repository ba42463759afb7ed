"""What we read from GKS4, and the calls we make. Creations answer without a body, and an order cannot be read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.operations import Arguments, FieldTrouble, LookUp, Operation, Parameter, ParameterPlace
from connections.spec.streams import Column, Envelope, Numbered, Stream

LANGUAGES = ("sv", "no", "en")
NUMBER = Parameter("customerNumber", ParameterPlace.PATH, required=True)
CUSTOMER = {
    "name": "Exempeltryckeriet AB",
    "number": "P-1001",
    "invoiceEmail": None,
    "postalAddress": {
        "address1": "Exempelgatan 1",
        "address2": None,
        "address3": None,
        "city": "Exempelstad",
        "zipCode": "000 00",
        "state": None,
        "countryCode": "SE",
    },
    "corporateIdentityNumber": "000000-0000",
}
ORDER = {
    "customerNumber": "P-1001",
    "name": "Pilotage",
    "purchaseOrderNumber": "P-1001",
    "preferredLanguage": "sv",
    "currency": "SEK",
    "customerComment": "",
    "rows": [{"specification": "Exempel", "quantity": 1, "unitPrice": 10.0}],
}

# Page from 1, 50 by default, at most 100; the envelope is not shown. No total is documented, so that none ends the list.
PAGES = Numbered(size=100, envelope=Envelope(("items", "data", "results", "value"), bare=True))


def customer_trouble(body: Any) -> Sequence[FieldTrouble]:
    """Keys that must be there though they may be null; a number of our own, as the answer would not tell GKS4's."""
    if not isinstance(body, dict):
        return [FieldTrouble("", _("An object is needed."))]
    troubles = [
        FieldTrouble(name, _("The key must be there; it may be null."))
        for name in ("number", "invoiceEmail")
        if name not in body
    ]
    troubles += [
        FieldTrouble(name, _("This is required."))
        for name in ("name", "corporateIdentityNumber")
        if not isinstance(body.get(name), str) or not body[name].strip()
    ]
    return troubles


def order_trouble(body: Any) -> Sequence[FieldTrouble]:
    """What GKS4 would refuse of an order, before it is sent."""
    if not isinstance(body, dict):
        return [FieldTrouble("", _("An object is needed."))]
    troubles = []
    if not isinstance(body.get("customerNumber"), str) or not body["customerNumber"].strip():
        troubles.append(FieldTrouble("customerNumber", _("This is required.")))
    if "purchaseDate" in body:
        troubles.append(FieldTrouble("purchaseDate", _("GKS4 no longer uses the date: leave it out.")))
    if body.get("preferredLanguage") not in (None, *LANGUAGES):
        troubles.append(FieldTrouble("preferredLanguage", _("GKS4 knows sv, no and en.")))
    return troubles


def _by_number(sent: Arguments) -> Arguments | None:
    number = sent.body.get("number") if isinstance(sent.body, dict) else None
    return Arguments(path={"customerNumber": number}) if isinstance(number, str) and number else None


def _same(answer: Any, sent: Arguments) -> Sequence[Any]:
    """GKS4 tells no age, and whether it refuses a number that is taken is not said: so it must be the same company, too."""
    return [answer] if isinstance(answer, dict) and _company(answer) == _company(sent.body) else []


def _company(customer: Any) -> tuple[str, str]:
    """Name and identity number; the latter without its spaces and dashes, as GKS4 reads it."""
    identity = str(customer.get("corporateIdentityNumber")).replace(" ", "").replace("-", "")
    return str(customer.get("name")).strip(), identity


OPERATIONS = (
    Operation(
        "customers.list", "GET", "/companies", _("Search customers"),
        (
            Parameter("customerNumber"),
            Parameter("name"),
            Parameter("corporateIdentityNumber"),
            Parameter("page", example="1"),
            Parameter("pageSize", example="50"),
        ),
        source="documentation: search with three filters, page from 1, size 50 to 100; path and names are inferred",
    ),
    Operation(
        "customers.get", "GET", "/customers/{customerNumber}", _("Read a customer"), (NUMBER,),
        source="documentation: get a customer by number",
    ),
    Operation(
        "customers.create", "POST", "/customers", _("Create a customer"), (), CUSTOMER,
        look_up=LookUp("customers.get", _by_number, _same),
        check=customer_trouble,
        source="documentation: create a customer; 200 without a body",
    ),
    Operation(
        "orders.create", "POST", "/salesorders", _("Create a sales order"), (), ORDER, retried=False, check=order_trouble,
        source="documentation: create a sales order; path, rows and names of fields are inferred",
    ),
)  # fmt: skip

CUSTOMERS = (
    Column(_("Name"), "name", is_searched=True),
    Column(_("Corporate identity number"), "corporateIdentityNumber", is_searched=True),
    Column(_("E-mail for invoices"), "invoiceEmail"),
    Column(_("City"), "postalAddress.city"),
    Column(_("Country"), "postalAddress.countryCode"),
    Column(_("Address"), "postalAddress.address1", is_listed=False),
    Column(_("Address, second line"), "postalAddress.address2", is_listed=False),
    Column(_("Address, third line"), "postalAddress.address3", is_listed=False),
    Column(_("Postal code"), "postalAddress.zipCode", is_listed=False),
    Column(_("State"), "postalAddress.state", is_listed=False),
    Column(_("Customer number"), "number", is_listed=False),
)

STREAMS = (
    Stream(
        "customers",
        _("Customers"),
        "customers.list",
        PAGES,
        key="number",
        columns=CUSTOMERS,
        source="documentation: search customers",
    ),
)
