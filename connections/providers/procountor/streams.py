"""What we read from Procountor, how its pages follow each other, and which rights make a list whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.providers.procountor import columns
from connections.providers.procountor.faults import RIGHT_MISSING
from connections.providers.procountor.rights import lacking, right_in_words
from connections.spec.operations import ParameterPlace
from connections.spec.streams import AfterId, Each, Envelope, Permission, Since, Stream, Whole

# Certification 7: default 50, at most 200 a page; `previousId` is the way that does not skip rows over changing data.
RESULTS = Envelope(("results",), total=("meta", "totalCount"))
PAGES = AfterId(size=200, envelope=RESULTS, order={"orderById": "ASC"})
# Products know previousId alone, and come in the order of their ids.
BY_ID = AfterId(size=200, envelope=RESULTS)

# Date-times carry no zone (Finnish local time): the overlap covers the hour of a clock change and ties.
CHANGED = Since("versionStartDate", "version", overlap=timedelta(hours=3))
REFERENCE = "API reference (26.04)"


def is_closed(account: Mapping[str, Any]) -> bool:
    """A bank account that is no longer in use: Procountor may know no statements of it (the words are assumed)."""
    return account.get("status") in ("PASSIVE", "INACTIVE", "CLOSED")


def needs(*rights: str) -> Permission:
    """Without these rights a list comes empty or cut: it is not read then."""
    return Permission("rights", rights, lacking, RIGHT_MISSING, right_in_words)


ACCOUNT = Each("bank_accounts", "accountNumber", "accountNumber", place=ParameterPlace.HEADER, closed=is_closed)
BANK = needs("payments.bankStatementAndReferencePayment")
REPORTS = needs("accounting.accountingReports")

STREAMS = (
    Stream(
        "partners",
        _("Business partners"),
        "partners.list",
        PAGES,
        since=CHANGED,
        # The list hides inactive ones unless they are asked for; a change of status is then a change, not a deletion.
        variants=({"active": "true"}, {"active": "false"}),
        permission=needs("sales.customerRegister", "purchases.supplierRegister"),
        columns=columns.PARTNERS,
        source=REFERENCE,
    ),
    Stream(
        "products",
        _("Products"),
        "products.list",
        BY_ID,
        since=CHANGED,
        # Without a type the list holds sales and purchase products alone (API reference).
        variants=({}, {"type": "TRAVEL"}),
        permission=needs("sales.productRegister"),
        columns=columns.PRODUCTS,
        source=REFERENCE,
    ),
    Stream(
        "invoices",
        _("Invoices"),
        "invoices.list",
        PAGES,
        since=CHANGED,
        permission=needs("sales.salesInvoiceSearch", "purchases.purchaseInvoiceSearch"),
        columns=columns.INVOICES,
        source="certification 7",
    ),
    Stream(
        "ledger_receipts",
        _("Ledger receipts"),
        "ledger_receipts.list",
        PAGES,
        since=CHANGED,
        permission=needs("accounting.journalReceiptSearch"),
        columns=columns.LEDGER_RECEIPTS,
        source="certification 7",
    ),
    Stream(
        "payments", _("Payments"), "payments.list", PAGES, permission=BANK, columns=columns.PAYMENTS, source=REFERENCE
    ),
    Stream(
        "bank_accounts",
        _("Bank accounts"),
        "bank_accounts.list",
        PAGES,
        permission=BANK,
        columns=columns.BANK_ACCOUNTS,
        source=REFERENCE,
    ),
    Stream(
        "reference_payments",
        _("Reference payments"),
        "reference_payments.list",
        PAGES,
        permission=BANK,
        each=ACCOUNT,
        columns=columns.REFERENCE_PAYMENTS,
        source="certification 7: the account number goes in a header",
    ),
    Stream(
        "bank_statements",
        _("Bank statements"),
        "bank_statements.list",
        PAGES,
        permission=BANK,
        each=ACCOUNT,
        columns=columns.BANK_STATEMENTS,
        source="certification 7: the account number goes in a header",
    ),
    Stream(
        "dimensions",
        _("Dimensions"),
        "dimensions.list",
        Whole(Envelope(bare=True)),
        permission=REPORTS,
        columns=columns.DIMENSIONS,
        source=REFERENCE,
    ),
    Stream(
        "accounts",
        _("Chart of accounts"),
        "accounts.list",
        Whole(Envelope(("ledgerAccounts",))),
        key="ledgerAccountCode",
        permission=REPORTS,
        columns=columns.ACCOUNTS,
        source=REFERENCE,
    ),
    Stream(
        "fiscal_years",
        _("Fiscal years"),
        "fiscal_years.list",
        Whole(Envelope(("fiscalYears",))),
        permission=REPORTS,
        columns=columns.FISCAL_YEARS,
        source=REFERENCE,
    ),
)
