"""The calls that change invoices: create, replace, move from status to status, mark as paid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from flask import Flask, g

from connections.sandbox.procountor import fields, rights, sample_ledger
from connections.sandbox.procountor.catalogue import STREAMS
from connections.sandbox.procountor.reads import FORBIDDEN, NotAllowed, require
from connections.sandbox.procountor.validation import BLANK, Body, WrongBody
from connections.sandbox.procountor.writes import WRONG_STATUS, NotThere, Writing

SALES = frozenset({"SALES_INVOICE", "SALES_ORDER"})
OTHERS = frozenset({"PURCHASE_INVOICE", "PURCHASE_ORDER", "TRAVEL_INVOICE", "BILL_OF_CHARGES"})
ALIVE = ("UNFINISHED", "NOT_SENT", "SENT", "RECEIVED", "VERIFIED", "APPROVED", "PAYMENT_DENIED")


@dataclass(frozen=True)
class Action:
    """From which statuses a type may go where; `hidden`: a missing right shows as 404 (specification)."""

    steps: tuple[tuple[Collection[str], Collection[str], str], ...]
    in_open_year: bool = False
    hidden: bool = False


# The document tells the calls and some of the statuses; which status leads where else is inferred.
ACTIONS = {
    "approve": Action(
        (
            (SALES, ("UNFINISHED",), "NOT_SENT"),
            (OTHERS, ("UNFINISHED", "RECEIVED", "VERIFIED"), "APPROVED"),
        )
    ),
    "send": Action(((SALES, ("NOT_SENT", "SENT"), "SENT"),)),
    "verify": Action(((OTHERS, ("UNFINISHED", "RECEIVED"), "VERIFIED"),)),
    "sendToCirculation": Action(((OTHERS, ("UNFINISHED",), "RECEIVED"),), hidden=True),
    "reject": Action(((OTHERS, ("RECEIVED", "VERIFIED", "APPROVED"), "PAYMENT_DENIED"),), True, hidden=True),
    "invalidate": Action(((SALES | OTHERS, ALIVE, "INVALIDATED"),), in_open_year=True),
    "unfinished": Action(((SALES | OTHERS, (*ALIVE[1:], "INVALIDATED"), "UNFINISHED"),), in_open_year=True),
}
PAYABLE = ("NOT_SENT", "SENT", "RECEIVED", "VERIFIED", "APPROVED", "PARTLY_PAID")


def add_invoicing(app: Flask, writing: Writing) -> None:
    """All of `/invoices` that changes something."""
    records = writing.records

    def book(invoice: Body) -> int:
        """Make the ledger receipt of this invoice anew; its id is never the same again."""
        ident = records.next_id(writing.company, "ledger_receipts")
        listed = {**sample_ledger.receipt_of(invoice), "id": ident, "version": records.version()}
        receipt = {**sample_ledger.full_receipt(listed), "invoiceId": invoice["id"]}
        total = invoice["invoiceSumInfo"][0]["invoiceSumTotal"]
        for row, value in zip(receipt["transactions"], (total, -total), strict=True):
            row["accountingValue"] = value
        records.save(writing.company, "ledger_receipts", receipt)
        return ident

    def completed(body: Body) -> Body:
        """Cross-checked, with the sums of its rows. Raises WrongBody, NotThere."""
        require(STREAMS["invoices"], body["type"])
        if body["type"] in SALES and not body["language"]:
            raise WrongBody(("language", BLANK))
        payment = body["paymentInfo"]
        if payment["dueDate"] < body["date"]:
            raise WrongBody(("paymentInfo.dueDate", "DUE_DATE_BEFORE_BILL_DATE"))
        if body["partnerId"] and records.find(writing.company, "partners", body["partnerId"]) is None:
            raise NotThere
        writing.open_year(body["date"])
        again = {"dueDate": payment["dueDate"], "newDueDate": payment["newDueDate"], "isOffer": bool(body["isOffer"])}
        return {**body, **again, "invoiceSumInfo": [sums(body)]}

    def numbered(whole: Body) -> Body:
        for place, row in enumerate(whole["invoiceRows"], start=1):
            row["id"] = whole["id"] * 10 + place
        payment = whole["paymentInfo"]
        if payment["bankReferenceCode"] == "":  # an empty text asks for one, a missing one for none
            payment["bankReferenceCode"] = f"{whole['invoiceNumber']}0"
        return whole

    @app.post("/invoices")
    def add_invoice() -> Body:
        body = writing.new(fields.INVOICE)
        body = completed(body)
        with records.alone():
            ident = records.next_id(writing.company, "invoices")
            assigned = {"id": ident, "invoiceNumber": ident, "status": "UNFINISHED", "created": records.version()}
            assigned |= {"creatorId": g.session.user["id"], "paymentDate": None, "version": records.version()}
            whole = numbered({**body, **assigned})
            return writing.create("invoices", {**whole, "ledgerReceiptId": book(whole)})

    @app.put("/invoices/<int:number>")
    def replace_invoice(number: int) -> Body:
        with records.alone():
            entry, before = writing.find("invoices", number)
            raw = writing.raw()
            allowed = ("UNFINISHED",) if entry.kind in SALES else ("UNFINISHED", "RECEIVED")
            if before["status"] not in allowed:
                raise NotAllowed(WRONG_STATUS)
            writing.judge_version(raw.get("version"), before["version"])
            body = completed(writing.checked(raw, fields.INVOICE))
            if body["type"] != before["type"]:
                raise WrongBody(("type", "cannot be changed"))
            fixed = ("id", "invoiceNumber", "status", "created", "creatorId", "ledgerReceiptId")
            whole = numbered({**body, **{name: before[name] for name in fixed}, "paymentDate": None})
            whole["version"] = before["version"]
            if booked(whole) != booked(before):
                records.drop(writing.company, "ledger_receipts", before["ledgerReceiptId"])
                whole["ledgerReceiptId"] = book(whole)
            return writing.keep("invoices", before, whole)

    def act(number: int, action: str) -> Body:
        rule = ACTIONS[action]
        with records.alone():
            try:
                entry, before = writing.find("invoices", number)
            except NotAllowed as forbidden:
                raise (NotThere() if rule.hidden else forbidden) from forbidden
            for kinds, statuses, status in rule.steps:
                if entry.kind in kinds and before["status"] in statuses:
                    if rule.in_open_year:
                        writing.open_year(before["date"])
                    writing.keep("invoices", before, {**before, "status": status})
                    return {"message": f"Invoice {number} is now {status}"}
        raise NotAllowed(WRONG_STATUS)

    @app.put("/invoices/<int:number>/<any({}):action>".format(", ".join(ACTIONS)))
    def move_invoice(number: int, action: str) -> Body:
        return act(number, action)

    @app.put("/invoices/<int:number>/paymentevents/markpaid")
    def mark_paid(number: int) -> Body:
        with records.alone():
            _, before = writing.find("invoices", number)
            body = writing.checked(writing.raw(), fields.MARK_PAID)
            if before["status"] not in PAYABLE:
                raise NotAllowed(WRONG_STATUS)
            if body["currency"] != before["paymentInfo"]["currency"]:
                raise WrongBody(("currency", "must be the currency of the invoice"))
            writing.open_year(body["paymentDate"])
            event = {
                "id": records.next_id(writing.company, "payments"),
                "invoiceId": number,
                "type": "BANKTRANSFERELSEWHERE",
                "paymentDate": body["paymentDate"],
                "status": "MARKED_PAID",
                "amount": body["amount"],
                "currency": body["currency"],
                "description": body["description"],
                "paidAmount": body["amount"],
                "paidCurrency": body["currency"],
            }
            records.save(writing.company, "payments", event)
            records.note_created(writing.company, "payments", event)
            paid = sum(e["amount"] for e in events_of(number) if e["status"] == "MARKED_PAID")
            enough = paid >= before["invoiceSumInfo"][0]["invoiceSumTotal"]
            changes = {"status": "MARKED_PAID" if enough else "PARTLY_PAID", "paymentDate": body["paymentDate"]}
            writing.keep("invoices", before, {**before, **changes})
        return event

    def events_of(number: int) -> list[Body]:
        return [e.body for e in records.all(writing.company, "payments") if e.body["invoiceId"] == number]

    @app.get("/invoices/<int:number>/paymentevents")
    def payment_events(number: int) -> Body:
        entry = records.find(writing.company, "invoices", number)
        if entry is None:
            raise NotThere
        if not rights.opens(g.session.levels, STREAMS["invoices"].needed(entry.kind)):
            raise NotAllowed(FORBIDDEN)
        events = events_of(number)
        meta = {"pageNumber": 0, "pageSize": 50, "resultCount": len(events), "totalCount": len(events)}
        return {"results": events, "meta": meta}


def booked(whole: Body) -> tuple[object, ...]:
    """What re-creates the ledger receipt when it changes: tax, rows or currency (support articles)."""
    names = ("product", "quantity", "unit", "unitPrice", "discountPercent", "vatPercent", "vatStatus")
    rows = [[row[name] for name in names] for row in whole["invoiceRows"]]
    return rows, whole["paymentInfo"]["currency"], whole["vatStatus"], whole["discountPercent"]


def sums(body: Body) -> Body:
    """The invoice's totals from its rows, rounded once."""
    net = tax = Decimal()
    rest = 1 - Decimal(str(body["discountPercent"])) / 100
    for row in body["invoiceRows"]:
        rate = Decimal(str(row["vatPercent"])) / 100
        value = Decimal(str(row["quantity"])) * Decimal(str(row["unitPrice"])) * rest
        value *= 1 - Decimal(str(row["discountPercent"])) / 100
        value = value / (1 + rate) if body["extraInfo"]["unitPricesIncludeVat"] else value
        net, tax = net + value, tax + value * rate
    total, net = (value.quantize(Decimal("0.01"), ROUND_HALF_UP) for value in (net + tax, net))
    return {
        "currency": body["paymentInfo"]["currency"],
        "inAccountingCurrency": body["paymentInfo"]["currency"] == "EUR",
        "excludingVatTotal": float(net),
        "vatSumTotal": float(total - net),
        "invoiceSumTotal": float(total),
    }
