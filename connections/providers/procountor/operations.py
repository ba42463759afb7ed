"""The calls we make to Procountor. An update replaces everything; a creation is found again by our own reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from connections.providers.procountor.encoding import windows_1252, with_version
from connections.providers.procountor.moments import instant
from connections.providers.procountor.samples import INVOICE, MARK_PAID, PARTNER, PAYMENTS, PRODUCT, RECEIPT, WEBHOOK
from connections.spec.operations import Arguments, FollowUp, LookUp, Operation, Parameter, ParameterPlace
from connections.spec.text import Text

ID = Parameter("id", ParameterPlace.PATH, required=True)
IDS = Parameter("ids", ParameterPlace.PATH, required=True)
PAGED = (Parameter("size", example="50"), Parameter("previousId"), Parameter("orderById", choices=("", "ASC", "DESC")))
CHANGED = (Parameter("versionStartDate"), Parameter("versionEndDate"))
DATES = (Parameter("startDate"), Parameter("endDate"))
ACCOUNT = Parameter(
    "accountNumber", ParameterPlace.HEADER
)  # certification 7: some filters are private, and go in a header
REFERENCE = "API reference (26.04)"

CONFIRMED = FollowUp(
    "mfa.result",
    "id",
    "transactionIdentifier",
    {
        403: _("The confirmation belongs to somebody else, or the right for it was taken away."),
        404: _("Procountor does not know this confirmation any more."),
        406: _("It was rejected in the Procountor Key app."),
        408: _("Nobody confirmed it within five minutes."),
        409: _("It has been processed already."),
    },
)


def by(operation: str, field: str, parameter: str, *, created: str) -> LookUp:
    """A lost creation is looked up by one of its own fields (dotted), with the list's filter for it.

    `created`: where the list tells its age. Only invoices have the moment of their creation; others have that of their
    last change, which is no earlier.
    """

    def arguments(sent: Arguments) -> Arguments | None:
        value = _at(sent.body, field)
        if not isinstance(value, str) or not value:
            return None
        return Arguments(query={parameter: value, "size": "50"})

    def matches(answer: Any, sent: Arguments) -> Sequence[Any]:
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list):
            return []
        return [each for each in results if _at(each, field) == _at(sent.body, field)]

    return LookUp(operation, arguments, matches, created=lambda thing: instant(_at(thing, created)))


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _reads(
    name: str, path: str, label: Text, *filters: Parameter, one: bool = True, many: bool = False
) -> list[Operation]:
    troubles = [
        Operation(f"{name}.list", "GET", path, format_lazy("{}: {}", _("List"), label), filters, source=REFERENCE)
    ]
    if many:
        # Several ids give an array, one id an object; unknown ids are missing without a word; at most 200.
        troubles.append(
            Operation(
                f"{name}.batch", "GET", f"{path}/{{ids}}", format_lazy("{}: {}", _("Read up to 200"), label), (IDS,),
                source="certification 7; API requests, batch",
            )
        )  # fmt: skip
    if one:
        troubles.append(
            Operation(
                f"{name}.get",
                "GET",
                f"{path}/{{id}}",
                format_lazy("{}: {}", _("Read one"), label),
                (ID,),
                source=REFERENCE,
            )
        )
    return troubles


def _action(action: str, label: Text) -> Operation:
    """Answers a message; 403 may mean a wrong state as well as a missing right. Never repeated."""
    return Operation(
        f"invoices.{action}", "PUT", f"/invoices/{{id}}/{action}", label, (ID,), retried=False, source=REFERENCE
    )


OPERATIONS = (
    Operation("session", "GET", "/sessioninfo", _("Company and user of the session"), source=REFERENCE),
    Operation("rights", "GET", "/users/rights", _("Rights of the user"), source=REFERENCE),
    Operation("company", "GET", "/company", _("Company"), source=REFERENCE),
    Operation("logout", "POST", "/logout", _("End the session"), retried=True, source="certification 3"),
    *_reads(
        "partners", "/businesspartners", _("business partners"), *PAGED, *CHANGED,
        Parameter("type", choices=("", "CUSTOMER", "SUPPLIER", "PERSON")), Parameter("active", choices=("", "true", "false")),
        Parameter("name", ParameterPlace.HEADER), Parameter("identifier", ParameterPlace.HEADER),
        Parameter("customerNumber"), many=True,
    ),
    Operation(
        "partners.create", "POST", "/businesspartners", _("Create: business partner"), (), PARTNER, check=windows_1252,
        # By the number and not by the name, which several may have.
        look_up=by("partners.list", "invoicingInfo.customerNumber", "customerNumber", created="version"), source=REFERENCE,
    ),
    Operation(
        "partners.update", "PUT", "/businesspartners/{id}", _("Replace: business partner"), (ID,), PARTNER,
        check=windows_1252, source=REFERENCE,
    ),
    *_reads(
        "products", "/products", _("products"), *PAGED[:2], *CHANGED, Parameter("name"), Parameter("code"),
        Parameter("type", choices=("", "SALES", "PURCHASE", "TRAVEL")), many=True,
    ),
    Operation(
        "products.create", "POST", "/products", _("Create: product"), (), PRODUCT, check=windows_1252,
        look_up=by("products.list", "code", "code", created="version"), source=REFERENCE,
    ),
    Operation(
        "products.update", "PUT", "/products/{id}", _("Replace: product"), (ID,), PRODUCT, check=windows_1252, source=REFERENCE
    ),
    Operation("products.delete", "DELETE", "/products/{id}", _("Delete: product"), (ID,), source=REFERENCE),
    *_reads(
        "invoices", "/invoices", _("invoices"), *PAGED, *CHANGED, *DATES, Parameter("status"), Parameter("types"),
        Parameter("originalInvoiceNumber"), many=True,
    ),
    Operation(
        "invoices.create", "POST", "/invoices", _("Create: invoice"), (), INVOICE, check=windows_1252,
        look_up=by("invoices.list", "originalInvoiceNumber", "originalInvoiceNumber", created="created"), source=REFERENCE,
    ),
    Operation(
        "invoices.update", "PUT", "/invoices/{id}", _("Replace: invoice"), (ID,), INVOICE, check=with_version, source=REFERENCE
    ),
    _action("approve", _("Approve an invoice")),
    _action("verify", _("Verify an invoice")),
    _action("send", _("Send an invoice")),
    _action("sendToCirculation", _("Send an invoice to circulation")),
    _action("reject", _("Reject an invoice")),
    _action("invalidate", _("Invalidate an invoice")),
    _action("unfinished", _("Make an invoice unfinished again")),
    Operation(
        "invoices.mark_paid", "PUT", "/invoices/{id}/paymentevents/markpaid", _("Mark an invoice as paid"), (ID,), MARK_PAID,
        retried=False, check=windows_1252, source=REFERENCE,
    ),
    Operation(
        "invoices.payment_events", "GET", "/invoices/{id}/paymentevents", _("List: payment events of an invoice"), (ID,),
        source=REFERENCE,
    ),
    *_reads("ledger_receipts", "/ledgerreceipts", _("ledger receipts"), *PAGED, *CHANGED, *DATES, many=True),
    Operation(
        "ledger_receipts.create", "POST", "/ledgerreceipts", _("Create: ledger receipt"), (), RECEIPT, check=windows_1252,
        source=REFERENCE,
    ),
    Operation(
        "ledger_receipts.update", "PUT", "/ledgerreceipts/{id}", _("Replace: ledger receipt"), (ID,), RECEIPT,
        check=with_version, source=REFERENCE,
    ),
    *_reads("payments", "/payments", _("payments"), *PAGED, *DATES),
    Operation(
        "payments.create", "POST", "/payments", _("Create: payments, confirmed in the Procountor Key app"), (), PAYMENTS,
        retried=False, follow_up=CONFIRMED, check=windows_1252, source="certification 3.2; two-factor endpoints",
    ),
    Operation(
        "payments.delete", "DELETE", "/payments/{id}", _("Delete: payment, confirmed in the Procountor Key app"), (ID,),
        retried=False, follow_up=CONFIRMED, source="certification 3.2; two-factor endpoints",
    ),
    Operation(
        "mfa.result", "GET", "/mfatransactionresult/{id}", _("Outcome of a confirmation"), (ID,), source=REFERENCE
    ),
    *_reads("reference_payments", "/referencepayments", _("reference payments"), *PAGED, *DATES, ACCOUNT, one=False),
    *_reads("bank_statements", "/bankstatements", _("bank statements"), *PAGED, *DATES, ACCOUNT, one=False),
    *_reads("bank_accounts", "/bankaccounts", _("bank accounts"), *PAGED),
    *_reads("dimensions", "/dimensions", _("dimensions")),
    *_reads("accounts", "/coa", _("ledger accounts"), one=False),
    *_reads("fiscal_years", "/fiscalyears", _("fiscal years"), one=False),
    *_reads("webhooks", "/webhooks", _("webhooks"), Parameter("url"), Parameter("eventType"), one=False),
    Operation("webhooks.create", "POST", "/webhooks", _("Create: webhook"), (), WEBHOOK, source="certification 6; webhooks"),
    Operation(
        "webhooks.update", "PUT", "/webhooks/{id}", _("Replace: webhook"), (ID,), WEBHOOK, source="certification 6; webhooks"
    ),
    Operation(
        "webhooks.delete", "DELETE", "/webhooks/{id}", _("Delete: webhook"), (ID,), source="certification 6; webhooks"
    ),
    Operation(
        "activation.show", "GET", "/integrations/{id}", _("What an activation asks for"), (ID,), source="integration setup"
    ),
    Operation(
        "activation.decide", "PUT", "/integrations/{id}", _("Answer an activation"), (ID,), {"approve": [], "reject": []},
        retried=False, source="integration setup",
    ),
)  # fmt: skip
