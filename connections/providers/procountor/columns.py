"""Which fields of Procountor's records people see in a list, and find them by; the names as its API documents them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.streams import Column, ColumnKind

CREATED = Column(_("Created"), "created", ColumnKind.MOMENT, is_listed=False)
CHANGED_THERE = Column(_("Changed in Procountor"), "version", ColumnKind.MOMENT, is_listed=False)
ACCOUNT = Column(_("Bank account"), "accountNumber", is_searched=True)

PARTNERS = (
    Column(_("Name"), "name", is_searched=True),
    Column(_("Customer number"), "invoicingInfo.customerNumber"),
    Column(_("Business id"), "invoicingInfo.identifier", is_searched=True),
    Column(_("Type"), "type"),
    Column(_("City"), "billingAddress.city"),
    Column(_("Active"), "registryInfo.active", ColumnKind.FLAG),
    Column(_("Street"), "billingAddress.street", is_listed=False),
    Column(_("Postal code"), "billingAddress.zip", is_listed=False),
    Column(_("Country"), "billingAddress.country", is_listed=False),
    CHANGED_THERE,
)
PRODUCTS = (
    Column(_("Code"), "code", is_searched=True),
    Column(_("Name"), "name", is_searched=True),
    Column(_("Type"), "type"),
    Column(_("Unit"), "unit"),
    Column(_("Price"), "price", ColumnKind.AMOUNT),
    Column(_("Currency"), "currency"),
    Column(_("VAT %"), "vat", ColumnKind.AMOUNT),
    Column(_("Active"), "active", ColumnKind.FLAG),
    Column(_("Discount %"), "discount", ColumnKind.AMOUNT, is_listed=False),
    Column(_("Default account"), "defaultAccount", is_listed=False),
    Column(_("Valid from"), "startDate", ColumnKind.DATE, is_listed=False),
    Column(_("Valid until"), "endDate", ColumnKind.DATE, is_listed=False),
    CHANGED_THERE,
)
INVOICES = (
    Column(_("Number"), "invoiceNumber", is_searched=True),
    Column(_("Partner"), "counterParty.counterPartyAddress.name", is_searched=True),
    Column(_("Type"), "type"),
    Column(_("Status"), "status"),
    Column(_("Date"), "date", ColumnKind.DATE),
    Column(_("Due"), "dueDate", ColumnKind.DATE),
    Column(_("Total"), "invoiceSumInfo.0.invoiceSumTotal", ColumnKind.AMOUNT),
    Column(_("Currency"), "invoiceSumInfo.0.currency"),
    Column(_("Number at the supplier"), "originalInvoiceNumber", is_listed=False),
    Column(_("Channel"), "invoiceChannel", is_listed=False),
    Column(_("Partner's customer number"), "counterParty.customerNumber", is_listed=False),
    Column(_("Partner's business id"), "counterParty.identifier", is_listed=False),
    Column(_("Offer"), "isOffer", ColumnKind.FLAG, is_listed=False),
    CREATED,
    CHANGED_THERE,
)
LEDGER_RECEIPTS = (
    Column(_("Number"), "receiptNumber", is_searched=True),
    Column(_("Name"), "name", is_searched=True),
    Column(_("Type"), "type"),
    Column(_("Status"), "status"),
    Column(_("Date"), "receiptDate", ColumnKind.DATE),
    Column(_("Invoice number"), "invoiceNumber"),
    CREATED,
    CHANGED_THERE,
)
PAYMENTS = (
    Column(_("Date"), "paymentDate", ColumnKind.DATE),
    Column(_("Type"), "type"),
    Column(_("Status"), "status"),
    Column(_("Amount"), "amount", ColumnKind.AMOUNT),
    Column(_("Currency"), "currency"),
    Column(_("Invoice id"), "invoiceId", is_searched=True),
    Column(_("Amount paid"), "paidAmount", ColumnKind.AMOUNT, is_listed=False),
    Column(_("Currency paid in"), "paidCurrency", is_listed=False),
)
BANK_ACCOUNTS = (
    ACCOUNT,
    Column(_("Bank"), "bankName"),
    Column(_("BIC"), "bic"),
    Column(_("Currency"), "currency"),
    Column(_("Status"), "status"),
    Column(_("For invoices by default"), "defaultForInvoice", ColumnKind.FLAG, is_listed=False),
    Column(_("For payments by default"), "defaultForPayment", ColumnKind.FLAG, is_listed=False),
    CHANGED_THERE,
)
REFERENCE_PAYMENTS = (
    Column(_("Date"), "paymentDate", ColumnKind.DATE),
    Column(_("Payer"), "name", is_searched=True),
    Column(_("Reference"), "bankReference", is_searched=True),
    Column(_("Amount"), "sum", ColumnKind.AMOUNT),
    Column(_("Bank account"), "accountNumber"),
    Column(_("Allocated"), "allocated", ColumnKind.FLAG),
    Column(_("Value date"), "valueDate", ColumnKind.DATE, is_listed=False),
    Column(_("Archive id"), "archiveId", is_listed=False),
)
BANK_STATEMENTS = (
    Column(_("Number"), "statementNumber"),
    ACCOUNT,
    Column(_("From"), "startDate", ColumnKind.DATE),
    Column(_("To"), "endDate", ColumnKind.DATE),
    Column(_("Opening balance"), "startBalance", ColumnKind.AMOUNT),
    Column(_("Closing balance"), "endBalance", ColumnKind.AMOUNT),
    Column(_("Currency"), "currency"),
    Column(_("Deposits"), "depositSum", ColumnKind.AMOUNT, is_listed=False),
    Column(_("Number of deposits"), "numberOfDeposits", is_listed=False),
    Column(_("Withdrawals"), "withdrawalSum", ColumnKind.AMOUNT, is_listed=False),
    Column(_("Number of withdrawals"), "numberOfWithdrawals", is_listed=False),
)
DIMENSIONS = (Column(_("Name"), "name", is_searched=True),)
ACCOUNTS = (
    Column(_("Name"), "name", is_searched=True),
    Column(_("Active"), "active", ColumnKind.FLAG),
)
FISCAL_YEARS = (
    Column(_("From"), "startDate", ColumnKind.DATE),
    Column(_("To"), "endDate", ColumnKind.DATE),
    Column(_("Open"), "isOpen", ColumnKind.FLAG),
    Column(_("Changed in Procountor"), "modified", ColumnKind.MOMENT, is_listed=False),
)
