"""What we read from SmartBusiness. Nothing tells what changed, so every pass is a full one, compared record by record."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.providers.smartbusiness import columns
from connections.spec.streams import Envelope, Offset, Stream

# API introduction and vendor's library: limit at most 200; ids are sorted, as rows move while pages are read.
PAGES = Offset(size=200, envelope=Envelope(("items",), total=("pagination", "total")), order={"sort": "id"})
POSITIONS = {"with": "positions"}

STREAMS = (
    Stream(
        "contacts",
        _("Contacts"),
        "contacts.list",
        PAGES,
        query={"with": "main_address"},
        columns=columns.CONTACTS,
        source="S; contacts",
    ),
    Stream(
        "invoices",
        _("Invoices"),
        "invoices.list",
        PAGES,
        query=POSITIONS,
        columns=columns.INVOICES,
        source="S; receivables/invoices",
    ),
    Stream("products", _("Products"), "products.list", PAGES, columns=columns.PRODUCTS, source="S; catalog/products"),
    Stream("services", _("Services"), "services.list", PAGES, columns=columns.SERVICES, source="S; catalog/services"),
    Stream(
        "offers",
        _("Offers"),
        "offers.list",
        PAGES,
        query=POSITIONS,
        columns=columns.OFFERS,
        source="S; receivables/offers",
    ),
    Stream(
        "order_confirmations",
        _("Order confirmations"),
        "order_confirmations.list",
        PAGES,
        query=POSITIONS,
        columns=columns.ORDER_CONFIRMATIONS,
        source="S; receivables/order-confirmations",
    ),
    Stream(
        "bank_accounts",
        _("Bank accounts"),
        "bank_accounts.list",
        PAGES,
        columns=columns.BANK_ACCOUNTS,
        source="S; configuration/bank-accounts",
    ),
)
