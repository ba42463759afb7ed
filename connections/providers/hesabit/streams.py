"""What we read from Hesabit. How lists are paged is not described, so a list that may be cut is noticed and said."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.streams import Column, ColumnKind, Envelope, Numbered, Stream


def pages(name: str) -> Numbered:
    """`limit` is documented, `page` is not: where every page is the same, the list is whole, or it was cut."""
    return Numbered(
        size=100,
        envelope=Envelope(("data", "items", "results", name), bare=True),
        size_parameter="limit",
    )


CREATED = Column(_("Created"), "created", ColumnKind.SECONDS, is_listed=False)
UPDATED = Column(_("Changed in Hesabit"), "updated", ColumnKind.SECONDS, is_listed=False)
CUSTOMERS = (
    Column(_("Name"), "name", is_searched=True),
    Column(_("Company"), "company", is_searched=True),
    Column(_("Mobile"), "mobile"),
    Column(_("E-mail"), "email"),
    Column(_("Address"), "address", is_listed=False),
    Column(_("Postal code"), "postal_code", is_listed=False),
    Column(_("Telephone"), "tel", is_listed=False),
    Column(_("Fax"), "fax", is_listed=False),
    Column(_("Registration number"), "registration_number", is_listed=False),
    Column(_("Economic number"), "economical_number", is_listed=False),
    CREATED,
    UPDATED,
)
INVOICES = (
    Column(_("Number"), "number", is_searched=True),
    Column(_("Title"), "title"),
    Column(_("Customer id"), "customer_id", is_searched=True),
    Column(_("Status"), "status"),
    Column(_("Date"), "date", ColumnKind.SECONDS),
    Column(_("Due"), "due", ColumnKind.SECONDS),
    Column(_("Total"), "total", ColumnKind.AMOUNT),
    Column(_("Paid online"), "online_payment", ColumnKind.FLAG, is_listed=False),
    Column(_("Items"), "items", is_listed=False),
    Column(_("Note"), "note", is_listed=False),
    CREATED,
    UPDATED,
)
ITEMS = (
    Column(_("Title"), "title", is_searched=True),
    Column(_("Price"), "price", ColumnKind.AMOUNT),
    Column(_("Description"), "description", is_listed=False),
    CREATED,
    UPDATED,
)

STREAMS = (
    Stream(
        "customers",
        _("Customers"),
        "customers.list",
        pages("customers"),
        columns=CUSTOMERS,
        source="introduction: read the list of customers",
    ),
    Stream(
        "invoices",
        _("Invoices"),
        "invoices.list",
        pages("invoices"),
        columns=INVOICES,
        source="request parameters: /invoices?limit",
    ),
    Stream(
        "items",
        _("Items"),
        "items.list",
        pages("items"),
        columns=ITEMS,
        source="path parameters: /items/{item_id}",
    ),
)
