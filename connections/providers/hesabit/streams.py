"""What we read from Hesabit. How lists are paged is not described, so a list that may be cut is noticed and said."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.streams import Envelope, Numbered, Stream


def pages(name: str) -> Numbered:
    """`limit` is documented, `page` is not: where every page is the same, the list is whole, or it was cut."""
    return Numbered(
        size=100,
        envelope=Envelope(("data", "items", "results", name), bare=True),
        size_parameter="limit",
    )


STREAMS = (
    Stream(
        "customers",
        _("Customers"),
        "customers.list",
        pages("customers"),
        source="introduction: read the list of customers",
    ),
    Stream(
        "invoices", _("Invoices"), "invoices.list", pages("invoices"), source="request parameters: /invoices?limit"
    ),
    Stream("items", _("Items"), "items.list", pages("items"), source="path parameters: /items/{item_id}"),
)
