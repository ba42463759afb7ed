"""The collections of this API: path, scope, right, and every field with its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LANGUAGES = ("de", "en", "es", "fr", "it")
DISCOUNTS = ("P", "A")


@dataclass(frozen=True)
class Field:
    """One field: kind is text, int, float, bool, date, moment, email, currency, enum, enums, object or list.

    `read` fields are told and never written; `inner` are the fields of an object or of each member of a list.
    """

    kind: str
    choices: tuple[str, ...] = ()
    required: bool = False
    read: bool = False
    inner: Mapping[str, Field] = field(default_factory=dict)


Fields = Mapping[str, Field]


@dataclass(frozen=True)
class Collection:
    """One list of the API. `fields` stand in every answer, `parts` only when `with` asks for them."""

    stream: str
    path: str
    entity: str
    scope: str
    right: str
    fields: Fields
    parts: Fields
    feature: str = "api"
    statuses: tuple[str, ...] = ()

    @property
    def document(self) -> bool:
        return bool(self.statuses)


def _fields(kind: str, names: str) -> dict[str, Field]:
    return {name: Field(kind) for name in names.split()}


def _needed(kind: str, names: str) -> dict[str, Field]:
    return {name: Field(kind, required=True) for name in names.split()}


def _told(kind: str, names: str) -> dict[str, Field]:
    return {name: Field(kind, read=True) for name in names.split()}


HEAD = {"id": Field("int", read=True), "number": Field("text")}
CUSTOM = {"custom_fields": Field("list"), "permissions": Field("list", read=True)}

ADDRESS: Fields = {
    **_told("int", "id"),
    **_fields("bool", "default hide_on_documents default_prepage"),
    **_needed("text", "country street postcode city"),
    **_fields("text", "street_no street2"),
}

CONTACT: Fields = {
    **HEAD,
    "relation": Field("enums", ("CL", "CR"), required=True),
    "type": Field("enum", ("C", "P"), required=True),
    "gender": Field("enum", ("M", "F")),
    "gender_salutation_active": Field("bool"),
    **_needed("text", "name"),
    **_fields("text", "name_addition salutation phone fax"),
    "email": Field("email"),
    **_fields("text", "website notes"),
    "communication_language": Field("enum", LANGUAGES),
    "communication_channel": Field("enum", ("U", "E", "P")),
    "communication_newsletter": Field("enum", ("A", "M", "N")),
    "currency": Field("currency"),
    "vat_identification": Field("text"),
    **_fields("float", "vat_rate discount_rate"),
    "discount_type": Field("enum", DISCOUNTS),
    "payment_grace": Field("int"),
    "hourly_rate": Field("float"),
    "ebill_account_id": Field("text"),
    **_told("moment", "created"),
    **_told("int", "main_address_id"),
}

POSITION: Fields = {
    "type": Field("enum", ("N", "T", "PB", "H", "SI", "SNI"), required=True),
    "catalog_type": Field("enum", ("P", "S")),
    **_fields("text", "number name description"),
    **_fields("float", "price vat amount"),
    "unit_id": Field("int"),
    "discount_rate": Field("float"),
    "discount_type": Field("enum", DISCOUNTS),
    "total": Field("float", read=True),
    "show_only_total": Field("bool"),
}

DOCUMENT: Fields = {
    **HEAD,
    **_needed("int", "contact_id contact_address_id"),
    **_fields("int", "contact_prepage_address_id contact_person_id"),
    **_needed("date", "date"),
    "currency": Field("currency", required=True),
    "language": Field("enum", LANGUAGES, required=True),
    **_told("float", "total"),
    "vat_included": Field("bool"),
    "discount_rate": Field("float"),
    "discount_type": Field("enum", DISCOUNTS),
    **_fields("int", "bank_account_id signature_id layout_id"),
    **_told("int", "page_amount"),
    "notes": Field("text"),
    **_told("moment", "created"),
    **_told("text", "status"),
}

INVOICE: Fields = {
    **DOCUMENT,
    **_needed("date", "due"),
    **_fields("date", "period_from period_to"),
    "period_text": Field("text"),
    **_told("float", "total_paid"),
    **_told("date", "paid_date"),
    "cash_discount_rate": Field("int"),
    "cash_discount_date": Field("date"),
    "isr_id": Field("int"),
    "isr_position": Field("enum", ("A", "F", "L")),
    "isr_reference_number": Field("text"),
    **_fields("bool", "payment_link_paypal payment_link_postfinance payment_link_payrexx payment_link_smartcommerce"),
    **_told("text", "payment_link_paypal_url payment_link_postfinance_url"),
    **_told("text", "payment_link_payrexx_url payment_link_smartcommerce_url"),
}

DOCUMENT_PARTS: Fields = {
    **_told("object", "contact"),
    **_told("text", "contact_name"),
    **_told("object", "contact_address contact_prepage_address contact_person bank_account isr"),
    "positions": Field("list", required=True, inner=POSITION),
    **_fields("list", "texts free_texts"),
    **_told("list", "workflow"),
    **CUSTOM,
}

SERVICE: Fields = {
    **HEAD,
    **_needed("text", "name"),
    **_fields("text", "description notes"),
    "category_id": Field("int"),
    "including_vat": Field("bool"),
    "vat": Field("float"),
    "unit_id": Field("int"),
    **_fields("float", "price default_amount"),
    **_told("moment", "created"),
}
PRODUCT: Fields = {**SERVICE, **_fields("float", "price_purchase inventory_available inventory_reserved")}
CATALOG_PARTS: Fields = {**_told("text", "category_name unit_name"), **CUSTOM}

BANK_ACCOUNT: Fields = {
    **_told("int", "id"),
    "default": Field("bool"),
    **_needed("text", "description"),
    **_fields("text", "bank_name number iban bic post_account"),
    "auto_sync": Field("enum", ("active", "inactive", "requested")),
    "auto_sync_direction": Field("enum", ("in", "out")),
}

PAYMENT: Fields = {
    **_told("int", "id"),
    "type": Field("enum", ("N", "C", "D", "W")),
    "channel": Field("enum", ("T", "C", "PP", "PF", "CC", "PR", "SC")),
    **_needed("float", "amount"),
    **_needed("date", "date"),
    "notes": Field("text"),
    **_told("moment", "created"),
}

CONTACTS = Collection(
    "contacts", "/contacts", "contact", "contact", "contacts", CONTACT,
    {"main_address": Field("object", required=True, inner=ADDRESS), "groups": Field("list", read=True), **CUSTOM},
)  # fmt: skip
INVOICES = Collection(
    "invoices", "/receivables/invoices", "invoice", "invoice", "receivables", INVOICE, DOCUMENT_PARTS,
    statuses=("DR", "S", "P", "PP", "R1", "R2", "R3", "R", "DC", "C", "D"),
)  # fmt: skip
OFFERS = Collection(
    "offers", "/receivables/offers", "offer", "offer", "receivables", DOCUMENT, DOCUMENT_PARTS,
    feature="offers", statuses=("DR", "S", "DE", "A", "B", "D"),
)  # fmt: skip
ORDER_CONFIRMATIONS = Collection(
    "order_confirmations", "/receivables/order-confirmations", "order_confirmation", "order_confirmation",
    "receivables", DOCUMENT, DOCUMENT_PARTS, feature="order_confirmations", statuses=("DR", "S", "B", "D"),
)  # fmt: skip
PRODUCTS = Collection(
    "products", "/catalog/products", "product", "catalog", "catalog", PRODUCT, CATALOG_PARTS
)  # fmt: skip
SERVICES = Collection(
    "services", "/catalog/services", "service", "catalog", "catalog", SERVICE, CATALOG_PARTS
)  # fmt: skip
BANK_ACCOUNTS = Collection(
    "bank_accounts", "/configuration/bank-accounts", "bank_account", "configuration", "configuration", BANK_ACCOUNT, {}
)
PAYMENTS = Collection(
    "payments", "/receivables/invoices/<id>/payments", "payment", "invoice", "receivables", PAYMENT, {}
)  # fmt: skip

COLLECTIONS = (CONTACTS, INVOICES, OFFERS, ORDER_CONFIRMATIONS, PRODUCTS, SERVICES, BANK_ACCOUNTS)
STREAMS = {collection.stream: collection for collection in (*COLLECTIONS, PAYMENTS)}
