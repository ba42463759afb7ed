"""The lists of the API: where each stands, what it can be asked for, and which right opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INVOICE_TYPES = frozenset(
    [
        "SALES_INVOICE",
        "SALES_ORDER",
        "PURCHASE_INVOICE",
        "PURCHASE_ORDER",
        "TRAVEL_INVOICE",
        "BILL_OF_CHARGES",
        "PERIODIC_TAX_RETURN",
    ]
)
RECEIPT_TYPES = INVOICE_TYPES | frozenset(
    [
        "JOURNAL",
        "VAT_FORM",
        "SALARY",
        "EMPLOYER_CONTRIBUTION",
        "BANK_STATEMENT_AS_RECEIPT",
        "RECEIPT_FOR_OPENING_ACCOUNTS",
        "REFERENCE_PAYMENT",
        "TRACKING_PERIOD_OPENING_RECEIPT",
        "VAT_SUMMARY",
    ]
)
BANK = ("payments.bankStatementAndReferencePayment",)
REPORTS = ("accounting.accountingReports",)


@dataclass(frozen=True)
class Stream:
    """One list. `opened_by`: rights by the record's type ("" = any other), one of which is enough.

    `equal`, `within` map query parameters to fields that must equal or contain them; `days`, `moments` map the first
    half of a pair of parameters (`start` for startDate and endDate) to a field; `orders` maps to what is ordered by.
    `said` are the fields in which a client's own reference may stand. Which right opens what is inferred: Procountor
    lists rights and calls apart.
    """

    name: str
    path: str
    opened_by: Mapping[str, tuple[str, ...]]
    kind_parameter: str = ""
    kinds: frozenset[str] = frozenset()
    equal: Mapping[str, str] = field(default_factory=dict)
    within: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, str] = field(default_factory=dict)
    moments: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    paged: bool = True
    only_previous_id: bool = False
    ascending: bool = False
    many_by_id: bool = False
    reference_fields: tuple[str, ...] = ()

    def needed(self, kind: str) -> tuple[str, ...]:
        return self.opened_by.get(kind, self.opened_by.get("", ()))


CHANGED = {"version": "version"}
BY_VERSION = {"orderByVersion": "version"}
CREATED = {"version": "version", "created": "created"}
SALES, PURCHASES = ("sales.salesInvoiceSearch",), ("purchases.purchaseInvoiceSearch",)

STREAMS = {
    stream.name: stream
    for stream in (
        Stream(
            "partners",
            "/businesspartners",
            {
                "CUSTOMER": ("sales.customerRegister",),
                "SUPPLIER": ("purchases.supplierRegister",),
                "PERSON": ("sales.customerRegister", "purchases.supplierRegister"),
            },
            kind_parameter="type",
            kinds=frozenset({"CUSTOMER", "SUPPLIER", "PERSON"}),
            equal={"customerNumber": "invoicingInfo.customerNumber", "identifierType": "invoicingInfo.identifierType"},
            headers={"name": "name", "identifier": "invoicingInfo.identifier"},
            moments=CHANGED,
            many_by_id=True,
            reference_fields=("name", "invoicingInfo.customerNumber", "invoicingInfo.identifier"),
        ),
        Stream(
            "products",
            "/products",
            {"": ("sales.productRegister",)},
            kind_parameter="type",
            kinds=frozenset({"SALES", "PURCHASE", "TRAVEL"}),
            equal={"group": "productGroupId", "active": "active"},
            within={"name": "name", "code": "code"},
            moments=CHANGED,
            orders=BY_VERSION,
            only_previous_id=True,
            ascending=True,
            many_by_id=True,
            reference_fields=("name", "code"),
        ),
        Stream(
            "invoices",
            "/invoices",
            {
                "SALES_INVOICE": SALES,
                "SALES_ORDER": SALES,
                "PURCHASE_INVOICE": PURCHASES,
                "PURCHASE_ORDER": PURCHASES,
            },
            kind_parameter="types",
            kinds=INVOICE_TYPES,
            equal={
                "status": "status",
                "businessPartnerId": "partnerId",
                "invoiceNumber": "invoiceNumber",
                "originalInvoiceNumber": "originalInvoiceNumber",
                "invoiceChannel": "invoiceChannel",
            },
            days={"start": "date", "dueStart": "dueDate"},
            moments=CREATED,
            orders={**BY_VERSION, "orderByDate": "date", "orderByCreated": "created"},
            many_by_id=True,
            reference_fields=("originalInvoiceNumber", "orderReference", "additionalInformation", "notes"),
        ),
        Stream(
            "ledger_receipts",
            "/ledgerreceipts",
            {"": ("accounting.journalReceiptSearch",)},
            kind_parameter="types",
            kinds=RECEIPT_TYPES,
            equal={"status": "status"},
            days={"start": "receiptDate"},
            moments=CREATED,
            orders={**BY_VERSION, "orderByDate": "receiptDate", "orderByCreated": "created"},
            many_by_id=True,
            reference_fields=("name", "accountantsNotes", "invoiceNotes", "transactionDescription"),
        ),
        Stream(
            "payments",
            "/payments",
            {"": BANK},
            equal={"invoiceId": "invoiceId"},
            days={"start": "paymentDate"},
            reference_fields=("description",),
        ),
        Stream(
            "reference_payments",
            "/referencepayments",
            {"": BANK},
            headers={"accountNumber": "accountNumber"},
            days={"start": "valueDate"},
        ),
        Stream(
            "bank_statements",
            "/bankstatements",
            {"": BANK},
            headers={"accountNumber": "accountNumber"},
            days={"start": "endDate"},
            orders={"orderByStartDate": "startDate"},
        ),
        Stream("bank_accounts", "/bankaccounts", {"": BANK}, orders={"orderByOrderNo": "orderNo"}, ascending=True),
        Stream("dimensions", "/dimensions", {"": REPORTS}, paged=False),
        Stream("accounts", "/coa", {"": REPORTS}, paged=False),
        Stream("fiscal_years", "/fiscalyears", {"": REPORTS}, paged=False),
    )
}


def at(body: Mapping[str, object] | None, place: str) -> object:
    """The value at `section.name`, or None where there is nothing."""
    value: object = body
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
