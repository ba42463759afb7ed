"""What we read from Pentamic, and the calls we make. Its lists come whole, without a word of what changed."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.providers.pentamic.faults import ID_NOT_FOUND
from connections.spec.operations import Operation, Parameter, ParameterPlace
from connections.spec.streams import Column, ColumnKind, Each, Envelope, Stream, Whole

CUSTOMER = {"name": "Cong ty Vi du", "taxCode": "0000000000", "address": "So 1, Duong Vi du", "phone": "0000000000"}
ID = Parameter("id", ParameterPlace.PATH, required=True)
LISTS = Whole(Envelope(("data", "items", "results", "customers", "invoices"), bare=True))


OPERATIONS = (
    Operation(
        "customers.list", "GET", "/customers", _("List customers"), (Parameter("orderBy", example="name"),),
        source="API reference, customers",
    ),
    Operation(
        "customers.create", "POST", "/customers", _("Create a customer"), (), CUSTOMER,
        # Not looked up: a customer has neither a reference of ours nor an age, so one that was there before looks the same.
        source="API reference, customers; 200 with the customer",
    ),
    Operation(
        "customers.update", "PUT", "/customers/{id}", _("Replace a customer"), (ID,), CUSTOMER,
        source="API reference, customers; every field again",
    ),
    Operation(
        "customers.delete", "DELETE", "/customers/{id}", _("Delete a customer"), (ID,), source="API reference, customers"
    ),
    Operation(
        "invoices.list", "GET", "/customers/{id}/invoices", _("List a customer's invoices"), (ID,),
        source="API reference, customers",
    ),
)  # fmt: skip

CUSTOMERS = (
    Column(_("Name"), "name", is_searched=True),
    Column(_("Tax code"), "taxCode", is_searched=True),
    Column(_("Address"), "address"),
    Column(_("Phone"), "phone"),
)
# The document shows no invoice: these names are inferred, and what has others is shown under its own.
INVOICES = (
    Column(_("Number"), "number", is_searched=True),
    Column(_("Customer id"), "customerId", is_searched=True),
    Column(_("Date"), "date", ColumnKind.MOMENT),
    Column(_("Total"), "total", ColumnKind.AMOUNT),
    Column(_("Paid"), "paid", ColumnKind.FLAG),
)

STREAMS = (
    Stream(
        "customers", _("Customers"), "customers.list", LISTS, columns=CUSTOMERS, source="API reference, customers"
    ),
    # Whether an invoice's id is unique beyond its customer nobody says: it is kept with the customer's.
    Stream(
        "invoices", _("Invoices"), "invoices.list", LISTS,
        each=Each("customers", "id", "id", prefixed=True, gone=(ID_NOT_FOUND.code,)),
        columns=INVOICES,
        source="API reference, customers: invoices of a customer",
    ),
)  # fmt: skip
