"""Writing invoices: sums, versions, states, payment events, receipts that change their id."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.procountor.conftest import Software, errors
from tests.sandbox_server import SandboxServer

ROW: dict[str, Any] = {
    "product": "Työ",
    "quantity": 3,
    "unit": "HOUR",
    "unitPrice": 33.33,
    "discountPercent": 10,
    "vatPercent": 25.5,
}
INVOICE: dict[str, Any] = {
    "type": "SALES_INVOICE",
    "date": "2026-03-02",
    "counterParty": {"counterPartyAddress": {"name": "Kivi Oy", "country": "FINLAND"}},
    "paymentInfo": {"paymentMethod": "BANK_TRANSFER", "currency": "EUR", "dueDate": "2026-03-16", "currencyRate": 1},
    "extraInfo": {"accountingByRow": False, "unitPricesIncludeVat": False},
    "discountPercent": 0,
    "invoiceRows": [ROW],
    "invoiceChannel": "EMAIL",
    "language": "FINNISH",
    "originalInvoiceNumber": "OUR-1",
}
PURCHASE = {**INVOICE, "type": "PURCHASE_INVOICE"}


def create(writer: Software, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = writer.call("POST", "/invoices", body or INVOICE)
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created


def status_of(writer: Software, number: int) -> str:
    return str(writer.ask(f"/invoices/{number}").json()["status"])


def test_a_new_invoice_is_unfinished_summed_up_and_listed(server: SandboxServer, writer: Software) -> None:
    invoice = create(writer)
    assert invoice["status"] == "UNFINISHED"
    (sums,) = invoice["invoiceSumInfo"]
    assert (sums["excludingVatTotal"], sums["vatSumTotal"], sums["invoiceSumTotal"]) == (89.99, 22.95, 112.94)
    listed = writer.ask("/invoices", originalInvoiceNumber="OUR-1").json()["results"]
    assert [one["id"] for one in listed] == [invoice["id"]]
    assert "invoiceRows" not in listed[0]
    assert writer.ask(f"/invoices/{invoice['id']}").json() == invoice
    receipt = writer.ask(f"/ledgerreceipts/{invoice['ledgerReceiptId']}").json()
    assert (receipt["invoiceId"], receipt["transactions"][0]["accountingValue"]) == (invoice["id"], 112.94)
    assert server.state()["created"] == {"invoices": 1}
    assert server.state()["created_saying"]["invoices"] == {"OUR-1": 1}
    including = create(writer, {**INVOICE, "extraInfo": {"accountingByRow": False, "unitPricesIncludeVat": True}})
    assert including["invoiceSumInfo"][0]["invoiceSumTotal"] == 89.99


def test_a_reference_code_is_made_for_an_empty_text_alone(writer: Software) -> None:
    payment = INVOICE["paymentInfo"]
    assert create(writer)["paymentInfo"]["bankReferenceCode"] is None
    assert create(writer, {**INVOICE, "paymentInfo": {**payment, "bankReferenceCode": ""}})["paymentInfo"][
        "bankReferenceCode"
    ]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"type": "PERIODIC_TAX_RETURN"}, "type"),
        ({"language": None}, "language"),
        ({"invoiceRows": []}, "invoiceRows"),
        ({"invoiceRows": [{**ROW, "unit": None}]}, "invoiceRows[0].unit"),
        ({"invoiceRows": [{**ROW, "comment": "x" * 513}]}, "invoiceRows[0].comment"),
        ({"counterParty": {"counterPartyAddress": {}}}, "counterParty.counterPartyAddress.name"),
        ({"paymentInfo": {**INVOICE["paymentInfo"], "dueDate": "2026-03-01"}}, "paymentInfo.dueDate"),
        ({"invoiceChannel": "PIGEON"}, "invoiceChannel"),
        ({"discountPercent": "0"}, "discountPercent"),
        ({"notes": "ą"}, "notes"),
    ],
)
def test_a_wrong_invoice_is_400_and_the_field_named(writer: Software, changed: dict[str, Any], field: str) -> None:
    messages = errors(writer.call("POST", "/invoices", {**INVOICE, **changed}))
    assert field in messages
    assert field != "paymentInfo.dueDate" or messages[field] == "DUE_DATE_BEFORE_BILL_DATE"


def test_unknown_partners_and_closed_years_are_refused(writer: Software) -> None:
    assert errors(writer.call("POST", "/invoices", {**INVOICE, "partnerId": 1}), 404)
    closed = {**INVOICE, "date": "2023-03-02"}
    assert errors(writer.call("POST", "/invoices", closed), 403) == {None: "CLOSED_FISCAL_PERIOD"}


def test_a_replacement_needs_the_newest_version(server: SandboxServer, writer: Software) -> None:
    before = create(writer)
    where = f"/invoices/{before['id']}"
    assert errors(writer.call("PUT", where, INVOICE)) == {"version": "cannot be blank"}
    after = writer.call("PUT", where, {**before, "originalInvoiceNumber": None}).json()
    assert (after["originalInvoiceNumber"], after["invoiceNumber"]) == (None, before["invoiceNumber"])
    assert after["ledgerReceiptId"] == before["ledgerReceiptId"], "neither tax nor rows nor currency changed"
    assert errors(writer.call("PUT", where, before)) == {"version": "The object was changed meanwhile"}
    server.switches(stale_version="409")
    assert errors(writer.call("PUT", where, before), 409)
    rows = [{**ROW, "quantity": 4}]
    again = writer.call("PUT", where, {**after, "invoiceRows": rows}).json()
    assert again["ledgerReceiptId"] != before["ledgerReceiptId"]
    assert errors(writer.ask(f"/ledgerreceipts/{before['ledgerReceiptId']}"), 404)
    assert errors(writer.call("PUT", where, {**again, "type": "SALES_ORDER"})).keys() == {"type"}


def test_a_sales_invoice_is_approved_sent_and_paid(server: SandboxServer, writer: Software) -> None:
    number = create(writer)["id"]
    where = f"/invoices/{number}"
    for wrong in ("send", "verify", "reject", "sendToCirculation"):
        assert errors(writer.call("PUT", f"{where}/{wrong}"), 403) == {None: "Invalid status"}
    assert set(writer.call("PUT", f"{where}/approve").json()) == {"message"}
    assert status_of(writer, number) == "NOT_SENT"
    assert errors(writer.call("PUT", f"{where}/approve"), 403)
    for _ in range(2):
        assert writer.call("PUT", f"{where}/send").status_code == 200
        assert status_of(writer, number) == "SENT"
    assert errors(writer.call("PUT", where, writer.ask(where).json()), 403) == {None: "Invalid status"}

    paid = {"paymentDate": "2026-03-10", "amount": 100, "currency": "EUR"}
    assert errors(writer.call("PUT", f"{where}/paymentevents/markpaid", {**paid, "currency": "SEK"})).keys() == {
        "currency"
    }
    assert errors(writer.call("PUT", f"{where}/paymentevents/markpaid", {"amount": 1})).keys() == {
        "paymentDate",
        "currency",
    }
    event = writer.call("PUT", f"{where}/paymentevents/markpaid", paid).json()
    assert (event["invoiceId"], event["amount"], event["status"]) == (number, 100, "MARKED_PAID")
    assert status_of(writer, number) == "PARTLY_PAID"
    writer.call("PUT", f"{where}/paymentevents/markpaid", {**paid, "amount": 12.94})
    assert status_of(writer, number) == "MARKED_PAID"
    assert errors(writer.call("PUT", f"{where}/paymentevents/markpaid", paid), 403)
    assert [e["amount"] for e in writer.ask(f"{where}/paymentevents").json()["results"]] == [100, 12.94]
    assert [e["id"] for e in writer.ask("/payments", invoiceId=number).json()["results"]][-1] == event["id"]


def test_a_purchase_invoice_walks_through_circulation(server: SandboxServer, writer: Software) -> None:
    number = create(writer, PURCHASE)["id"]
    where = f"/invoices/{number}"
    steps = (("sendToCirculation", "RECEIVED"), ("verify", "VERIFIED"), ("reject", "PAYMENT_DENIED"),
             ("unfinished", "UNFINISHED"), ("approve", "APPROVED"), ("invalidate", "INVALIDATED"))  # fmt: skip
    for action, status in steps:
        assert writer.call("PUT", f"{where}/{action}").status_code == 200, action
        assert status_of(writer, number) == status
    assert errors(writer.call("PUT", f"{where}/send"), 403)
    assert errors(writer.call("PUT", f"{where}/dance"), 404)
    assert errors(writer.call("PUT", "/invoices/1/approve"), 404)
    received = create(writer, PURCHASE)
    writer.call("PUT", f"/invoices/{received['id']}/sendToCirculation")
    whole = writer.ask(f"/invoices/{received['id']}").json()
    assert writer.call("PUT", f"/invoices/{received['id']}", whole).status_code == 200


def test_nothing_moves_in_a_closed_fiscal_year(server: SandboxServer, writer: Software) -> None:
    old = next(i for i in server.records("invoices") if i["status"] == "SENT" and i["date"] < "2024-12-31")
    for action in ("invalidate", "unfinished"):
        assert errors(writer.call("PUT", f"/invoices/{old['id']}/{action}"), 403) == {None: "CLOSED_FISCAL_PERIOD"}


def test_a_missing_right_shows_as_404_for_two_of_the_actions(server: SandboxServer, software: Software) -> None:
    software.enter(server.setup_company(preset="all-needed")["api_key"])
    purchase = next(i["id"] for i in server.records("invoices") if i["type"] == "PURCHASE_INVOICE")
    for action, status in (("reject", 404), ("sendToCirculation", 404), ("approve", 403), ("verify", 403)):
        assert software.call("PUT", f"/invoices/{purchase}/{action}").status_code == status
    assert errors(software.call("POST", "/invoices", INVOICE), 403)
