"""Invented bank accounts, statements, reference payments and payment transactions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connections.sandbox.procountor.sample_data import FIRST_WORDS, PEOPLE, moment
from connections.sandbox.procountor.sample_ledger import drawn_for

Body = dict[str, Any]

ACCOUNTS = 6
LARGE = 5_000_000_000  # the ids of statements and reference payments are int64
METHODS = ("BANKTRANSFERELSEWHERE", "BANKSTATEMENT", "REFERENCEPAYMENT", "INVOICE_TO_INVOICE")
STATES = ("PAID", "PAID", "PAID", "PAYMENT_QUEUED", "PAYMENT_SENT_TO_BANK", "UNFINISHED", "MARKED_PAID")


def account_number(company: int, number: int) -> str:
    """No check digits fit, so that nobody has this account."""
    return f"FI00{company:06d}{number % ACCOUNTS:08d}"


def bank_account(company: int, number: int, total: int) -> Body:
    drawn = drawn_for("bank_accounts", company, number)
    iban = f"FI00{company:06d}{number:08d}"
    return {
        "id": 600 + number,
        "accountNumber": iban,
        "iban": iban,
        "bic": "XXXXFIH0",
        "bankName": f"{FIRST_WORDS[number % len(FIRST_WORDS)]}pankki",
        "currency": "EUR" if number % 4 else "SEK",
        "defaultForInvoice": number == 1,
        "defaultForPayment": number == 1,
        "status": "ACTIVE" if number % 5 else "PASSIVE",
        "orderNo": number + 1,
        "associatedAccounts": [],
        "version": moment(drawn, number, total).isoformat(timespec="seconds"),
    }


def bank_statement(company: int, number: int, total: int) -> Body:
    """One day of one account; every seventh event holds child events, and some are not allocated."""
    drawn = drawn_for("bank_statements", company, number)
    on = moment(drawn, number, total).date().isoformat()
    ident = LARGE + number * 2 + drawn.randint(0, 1)
    events = [_event(drawn, ident, place, on) for place in range(1 + number % 4)]
    sums = [event["sum"] for event in events]
    begin = drawn.randint(10_000, 9_000_000) / 100
    return {
        "id": ident,
        "accountNumber": account_number(company, number),
        "startDate": on,
        "endDate": on,
        "currency": "EUR",
        "numberOfDeposits": sum(1 for value in sums if value > 0),
        "depositSum": round(sum(value for value in sums if value > 0), 2),
        "numberOfWithdrawals": sum(1 for value in sums if value < 0),
        "withdrawalSum": round(sum(value for value in sums if value < 0), 2),
        "startBalance": begin,
        "endBalance": round(begin + sum(sums), 2),
        "statementNumber": number + 1,
        "events": events,
    }


def _event(drawn: Any, statement: int, place: int, on: str, *, child: bool = False) -> Body:
    allocated = drawn.random() < 0.7
    body: Body = {
        "id": statement % 100_000_000 * 10 + place,
        "payDate": on,
        "valueDate": on,
        "sum": drawn.choice((-1, 1, 1)) * drawn.randint(100, 500_000) / 100,
        "accountNumber": None,
        "name": drawn.choice(PEOPLE),
        "explanationCode": drawn.choice((700, 705, 710)),
        "archiveCode": f"KEKSITTY{statement % 100_000:05d}{place}",
        "message": None if allocated else "Keksitty viesti\nkahdella rivillä",
        "reference": str(1000 + place) if allocated else None,
        "allocated": allocated,
        "invoiceId": None,
        "productId": None,
        "endToEndId": None,
        "attachments": [],
    }
    if not child and statement % 7 == 0:
        body["events"] = [_event(drawn, statement, 5 + place, on, child=True)]
    return body


def reference_payment(company: int, number: int, total: int) -> Body:
    drawn = drawn_for("reference_payments", company, number)
    at = moment(drawn, number, total)
    return {
        "id": LARGE + number * 3 + drawn.randint(0, 2),
        "accountNumber": account_number(company, number),
        "valueDate": at.date().isoformat(),
        "paymentDate": (at - timedelta(days=drawn.choice((0, 1)))).date().isoformat(),
        "sum": drawn.randint(100, 800_000) / 100,
        "name": drawn.choice(PEOPLE),
        "bankReference": str(100_000 + number),
        "archiveId": f"KEKSITTY{number:06d}",
        "allocated": number % 5 != 0,
        "invoiceId": None,
        "attachments": [],
    }


def payment(company: int, number: int, total: int, *, invoice: int | None = None) -> Body:
    """A payment transaction; the document gives no fields for it, so it has those of a payment event (inferred)."""
    drawn = drawn_for("payments", company, number)
    amount = drawn.randint(500, 900_000) / 100
    return {
        "id": 7_000 + number * 2 + drawn.randint(0, 1),
        "invoiceId": invoice,
        "type": drawn.choice(METHODS),
        "paymentDate": moment(drawn, number, total).date().isoformat(),
        "status": drawn.choice(STATES),
        "amount": amount,
        "currency": "EUR",
        "description": None,
        "paidAmount": amount,
        "paidCurrency": "EUR",
    }
