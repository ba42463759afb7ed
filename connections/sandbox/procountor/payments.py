"""The calls about payments that a person has to confirm, and where their outcome is asked for."""

from __future__ import annotations

from flask import Flask, Response, g

from connections.sandbox.procountor import fields
from connections.sandbox.procountor.catalogue import STREAMS
from connections.sandbox.procountor.confirmations import Confirmations, Deed
from connections.sandbox.procountor.reads import NotAllowed, require
from connections.sandbox.procountor.records import Records
from connections.sandbox.procountor.tokens import trouble
from connections.sandbox.procountor.validation import Body, WrongBody
from connections.sandbox.procountor.writes import WRONG_STATUS, NotThere, Writing

REMOVABLE = ("UNFINISHED", "PAYMENT_DENIED", "PAYMENT_TRANSACTION_REMOVED")  # "not queued or paid"
QUEUED = "PAYMENT_QUEUED"


def payment_deeds(records: Records) -> dict[str, Deed]:
    """What can be confirmed; everything is looked at again, as minutes may have passed."""

    def payment(company: int, number: int, statuses: tuple[str, ...]) -> Body:
        entry = records.find(company, "payments", number)
        if entry is None or entry.body["status"] not in statuses:
            raise NotAllowed(WRONG_STATUS)
        return entry.body

    def pay(company: int, detail: Body) -> Body:
        payments = []
        invoices = {}
        for order in detail["payments"]:
            entry = records.find(company, "invoices", order["invoiceId"])
            if entry is None or entry.body["status"] != "APPROVED":
                raise NotAllowed(WRONG_STATUS)
            invoices[entry.id] = records.whole("invoices", entry)
        for order in detail["payments"]:
            currency = invoices[order["invoiceId"]]["paymentInfo"]["currency"]
            payments.append(
                {
                    "id": records.next_id(company, "payments"),
                    "invoiceId": order["invoiceId"],
                    "type": "BANKTRANSFERELSEWHERE",
                    "paymentDate": order["paymentDate"],
                    "status": QUEUED,
                    "amount": order["amount"],
                    "currency": currency,
                    "description": order["message"],
                    "paidAmount": order["amount"],
                    "paidCurrency": currency,
                }
            )
            records.note_created(company, "payments", payments[-1])
        records.save(company, "payments", *payments)
        for whole in invoices.values():
            records.save(
                company, "invoices", {**whole, "status": QUEUED, "version": records.version(whole["version"])}
            )
        return {"transactions": [{"paymentId": each["id"], "invoiceId": each["invoiceId"]} for each in payments]}

    def cancel(company: int, detail: Body) -> Body:
        body = payment(company, detail["id"], (QUEUED,))
        records.save(company, "payments", {**body, "status": "PAYMENT_TRANSACTION_REMOVED"})
        return {"message": f"Payment {body['id']} was cancelled"}

    def remove(company: int, detail: Body) -> Body:
        body = payment(company, detail["id"], REMOVABLE)
        records.drop(company, "payments", body["id"])
        return {"message": f"Payment {body['id']} was removed"}

    def remove_event(company: int, detail: Body) -> Body:
        body = payment(company, detail["id"], ("MARKED_PAID",))
        records.drop(company, "payments", body["id"])
        return {"message": f"Payment event {body['id']} was removed"}

    return {
        "pay": Deed(pay, "INVOICE_PAYMENT_CREATED"),
        "cancel": Deed(cancel, "PAYMENT_UPDATED"),
        "remove": Deed(remove, "PAYMENT_DELETED"),
        "remove_event": Deed(remove_event, "INVOICE_PAYMENTEVENTS_DELETED"),
    }


def add_paying(app: Flask, writing: Writing, confirmations: Confirmations) -> None:
    """All of `/payments` that changes something, and `/mfatransactionresult`."""
    records = writing.records

    def admit() -> None:
        confirmations.require_person(g.session)
        require(STREAMS["payments"], "")

    def of_payment(deed: str, number: int, statuses: tuple[str, ...], summary: str) -> tuple[Body, int]:
        admit()
        entry = records.find(writing.company, "payments", number)
        if entry is None:
            raise NotThere
        if entry.body["status"] not in statuses:
            raise NotAllowed(WRONG_STATUS)
        return confirmations.ask(g.session, deed, {"id": number}, f"{summary} {number}")

    @app.post("/payments")
    def pay() -> tuple[Body, int]:
        admit()
        body = writing.checked(writing.raw(), fields.PAYMENTS)
        for place, order in enumerate(body["payments"]):
            entry = records.find(writing.company, "invoices", order["invoiceId"])
            if entry is None:
                raise NotThere
            writing.judge_version(order["invoiceVersion"], entry.version)
            if not entry.kind.startswith("PURCHASE") or entry.body["status"] != "APPROVED":
                raise WrongBody((f"payments[{place}].invoiceId", "must be an approved purchase invoice"))
        count, amount = len(body["payments"]), sum(order["amount"] for order in body["payments"])
        summary = f"Pay {count} {'invoice' if count == 1 else 'invoices'}, {amount:.2f} in all"
        return confirmations.ask(g.session, "pay", body, summary)

    @app.delete("/payments/<int:number>")
    def remove(number: int) -> tuple[Body, int]:
        return of_payment("remove", number, REMOVABLE, "Remove payment")

    @app.put("/payments/<int:number>/cancel")
    def cancel(number: int) -> tuple[Body, int]:
        return of_payment("cancel", number, (QUEUED,), "Cancel payment")

    @app.delete("/invoices/<int:number>/paymentevents/<int:event>")
    def remove_event(number: int, event: int) -> tuple[Body, int]:
        entry = records.find(writing.company, "payments", event)
        if entry is None or entry.body["invoiceId"] != number:
            admit()
            raise NotThere
        return of_payment("remove_event", event, ("MARKED_PAID",), "Remove payment event")

    @app.get("/mfatransactionresult/<ident>")
    def result(ident: str) -> Response:
        confirmations.require_person(g.session)
        status, body = confirmations.outcome(g.session, ident)
        if status >= 400:
            return trouble(status, body["message"])
        answer: Response = g.json(body)
        answer.status_code = status
        return answer
