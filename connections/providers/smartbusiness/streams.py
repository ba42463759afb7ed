"""What we read from SmartBusiness. Nothing tells what changed, so every pass is a full one, compared record by record."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.streams import Envelope, Offset, Stream

# API introduction and vendor's library: limit at most 200; ids are sorted, as rows move while pages are read.
PAGES = Offset(size=200, envelope=Envelope(("items",), total=("pagination", "total")), order={"sort": "id"})
POSITIONS = {"with": "positions"}

STREAMS = (
    Stream("contacts", _("Contacts"), "contacts.list", PAGES, query={"with": "main_address"}, source="S; contacts"),
    Stream("invoices", _("Invoices"), "invoices.list", PAGES, query=POSITIONS, source="S; receivables/invoices"),
    Stream("products", _("Products"), "products.list", PAGES, source="S; catalog/products"),
    Stream("services", _("Services"), "services.list", PAGES, source="S; catalog/services"),
    Stream("offers", _("Offers"), "offers.list", PAGES, query=POSITIONS, source="S; receivables/offers"),
    Stream(
        "order_confirmations",
        _("Order confirmations"),
        "order_confirmations.list",
        PAGES,
        query=POSITIONS,
        source="S; receivables/order-confirmations",
    ),
    Stream("bank_accounts", _("Bank accounts"), "bank_accounts.list", PAGES, source="S; configuration/bank-accounts"),
)
