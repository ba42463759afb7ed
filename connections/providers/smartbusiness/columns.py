"""Which fields of SmartBusiness's records people see in a list, and find them by; the names as its API documents them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.streams import Column, ColumnKind

CREATED = Column(_("Created"), "created", ColumnKind.MOMENT, is_listed=False)
CONTACT = Column(_("Contact id"), "contact_id", is_searched=True)
NOTES = Column(_("Notes"), "notes", is_listed=False)

CONTACTS = (
    Column(_("Number"), "number", is_searched=True),
    Column(_("Name"), "name", is_searched=True),
    Column(_("Relation"), "relation"),
    Column(_("Type"), "type"),
    Column(_("Postcode"), "main_address.postcode"),
    Column(_("City"), "main_address.city"),
    Column(_("E-mail"), "email"),
    Column(_("Phone"), "phone", is_listed=False),
    Column(_("Street"), "main_address.street", is_listed=False),
    Column(_("Street number"), "main_address.street_no", is_listed=False),
    Column(_("Country"), "main_address.country", is_listed=False),
    Column(_("VAT identification"), "vat_identification", is_listed=False),
    Column(_("Language"), "communication_language", is_listed=False),
    Column(_("Currency"), "currency", is_listed=False),
    Column(_("Days to pay"), "payment_grace", is_listed=False),
    NOTES,
    CREATED,
)
_DOCUMENT = (
    Column(_("Number"), "number", is_searched=True),
    CONTACT,
    Column(_("Status"), "status"),
    Column(_("Date"), "date", ColumnKind.DATE),
    Column(_("Total"), "total", ColumnKind.AMOUNT),
    Column(_("Currency"), "currency"),
    Column(_("VAT included"), "vat_included", ColumnKind.FLAG, is_listed=False),
    Column(_("Language"), "language", is_listed=False),
    Column(_("Positions"), "positions", is_listed=False),
    NOTES,
    CREATED,
)
INVOICES = (
    *_DOCUMENT,
    Column(_("Due"), "due", ColumnKind.DATE),
    Column(_("Paid"), "total_paid", ColumnKind.AMOUNT),
    Column(_("Paid on"), "paid_date", ColumnKind.DATE, is_listed=False),
)
OFFERS = _DOCUMENT
ORDER_CONFIRMATIONS = _DOCUMENT
SERVICES = (
    Column(_("Number"), "number", is_searched=True),
    Column(_("Name"), "name", is_searched=True),
    Column(_("Price"), "price", ColumnKind.AMOUNT),
    Column(_("VAT %"), "vat", ColumnKind.AMOUNT),
    Column(_("VAT included"), "including_vat", ColumnKind.FLAG),
    Column(_("Description"), "description", is_listed=False),
    Column(_("Default amount"), "default_amount", ColumnKind.AMOUNT, is_listed=False),
    NOTES,
    CREATED,
)
PRODUCTS = (
    *SERVICES,
    Column(_("In stock"), "inventory_available", ColumnKind.AMOUNT),
    Column(_("Reserved"), "inventory_reserved", ColumnKind.AMOUNT, is_listed=False),
    Column(_("Purchase price"), "price_purchase", ColumnKind.AMOUNT, is_listed=False),
)
BANK_ACCOUNTS = (
    Column(_("Description"), "description", is_searched=True),
    Column(_("IBAN"), "iban", is_searched=True),
    Column(_("Bank"), "bank_name"),
    Column(_("Default"), "default", ColumnKind.FLAG),
    Column(_("Account number"), "number", is_listed=False),
    Column(_("BIC"), "bic", is_listed=False),
)
