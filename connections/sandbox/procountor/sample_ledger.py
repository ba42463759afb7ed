"""Invented products, ledger receipts, accounts, dimensions and fiscal years; each record depends on its number alone."""

from __future__ import annotations

import calendar
import random
from datetime import date, timedelta
from typing import Any

from connections.sandbox.procountor.sample_data import PRODUCTS, moment

Body = dict[str, Any]

FIRST_ACCOUNT, ACCOUNTS = 1000, 160
FIRST_YEAR, YEARS, CLOSED_UNTIL = 2020, 10, 2024
BEYOND_INT32 = 3_000_000_000  # a product's id is int64
RECEIPT_OF_INVOICE = 500_000  # added to an invoice's id
UNITS = ("PIECE", "HOUR", "DAY", "KILOGRAM", "KILOMETER", "NO_UNIT")
AREAS = ("Rahat", "Saamiset", "Varasto", "Velat", "Myynti", "Ostot", "Palkat", "Kulut")
PLACES = ("Kustannuspaikka", "Projekti", "Tuoteryhmä", "Toimipaikka", "Asiakasryhmä", "Kausi")


def drawn_for(stream: str, company: int, number: int) -> random.Random:
    return random.Random(f"{stream} {number} of {company}")  # noqa: S311  # nosec B311 - the same at every start


def product(company: int, number: int, total: int) -> Body:
    """Most are SALES; every 25th is TRAVEL, which a list shows only when asked; the newest tenth has large ids."""
    drawn = drawn_for("products", company, number)
    kind = "TRAVEL" if number % 25 == 24 else drawn.choices(("SALES", "PURCHASE"), (3, 1))[0]
    version = moment(drawn, number, total) + timedelta(minutes=drawn.choice((0, 70, 9_000)))
    small = number < total - total // 10
    return {
        "id": 4_000 + number * 4 + drawn.randint(0, 3) + (0 if small else BEYOND_INT32),
        "type": kind,
        "name": f"{drawn.choice(PRODUCTS)} {number + 1}",
        "code": None if number % 17 == 16 else f"T{number + 1:05d}",
        "unit": drawn.choice(UNITS),
        "discount": drawn.choice((0, 0, 0, 5, 12.5)),
        "price": drawn.randint(100, 250_000) / 100,
        "vat": drawn.choice((25.5, 25.5, 14, 10, 0)),
        "active": number % 12 != 11,
        "defaultAccount": str(FIRST_ACCOUNT + drawn.randint(0, ACCOUNTS - 1)),
        "vatStatus": 1,
        "currency": "EUR",
        "productLocalizations": [],
        "productGroupId": drawn.randint(1, 6),
        "startDate": "2025-01-01" if kind == "TRAVEL" else None,
        "endDate": "2025-12-31" if kind == "TRAVEL" else None,
        "bookkeepingAccount": None,
        "version": version.isoformat(timespec="seconds"),
    }


def journal(company: int, number: int, total: int) -> Body:
    """The list entry of a JOURNAL."""
    drawn = drawn_for("ledger_receipts", company, number)
    created = moment(drawn, number, total)
    return {
        "id": 400_000 + number * 3 + drawn.randint(0, 2),
        "type": "JOURNAL" if number % 9 else "SALARY",
        "status": drawn.choice(("UNFINISHED", "APPROVED", "APPROVED", "APPROVED")),
        "name": f"Muistiotosite {number + 1}",
        "receiptDate": created.date().isoformat(),
        "receiptNumber": 1 + number,
        "invoiceNumber": None,
        "serialNumber": None,
        "created": created.isoformat(timespec="seconds"),
        "version": (created + timedelta(minutes=drawn.choice((0, 5, 4_000)))).isoformat(timespec="seconds"),
    }


def receipt_of(invoice: Body) -> Body:
    """The list entry of the receipt that an invoice made."""
    return {
        "id": invoice["id"] + RECEIPT_OF_INVOICE,
        "type": invoice["type"],
        "status": invoice["status"],
        "name": invoice["counterParty"]["counterPartyAddress"]["name"],
        "receiptDate": invoice["date"],
        "receiptNumber": invoice["invoiceNumber"],
        "invoiceNumber": invoice["invoiceNumber"],
        "serialNumber": None,
        "created": invoice["created"],
        "version": invoice["version"],
    }


def full_receipt(entry: Body) -> Body:
    """The receipt as a single get tells it: two rows that cancel out."""
    amount = round((entry["id"] % 90_000) / 100 + 10, 2)
    rows = [
        {
            "id": entry["id"] * 10 + place,
            "transactionType": "ENTRY",
            "account": str(FIRST_ACCOUNT + (entry["id"] * place) % ACCOUNTS),
            "accountingValue": amount if place == 1 else -amount,
            "vatPercent": 0,
            "vatType": "SALES",
            "vatStatus": 1,
            "description": None,
            "balanceCode": None,
            "partnerId": None,
            "dimensionItemValues": [],
            "vatDeductionPercent": None,
            "startDate": None,
            "endDate": None,
        }
        for place in (1, 2)
    ]
    of_invoice = entry["id"] >= RECEIPT_OF_INVOICE
    return {
        **entry,
        "vatType": "PURCHASE" if entry["type"].startswith("PURCHASE") else "SALES",
        "vatStatus": 1,
        "invoiceId": entry["id"] - RECEIPT_OF_INVOICE if of_invoice else None,
        "partnerId": None,
        "partnerCode": None,
        "accountantsNotes": None,
        "invoiceNotes": None,
        "transactionDescription": None,
        "receiptValidity": None,
        "periodStartDate": None,
        "periodEndDate": None,
        "vatDate": entry["receiptDate"],
        "depreciation": None,
        "transactions": rows,
        "attachments": [],
    }


def account(company: int, number: int, total: int) -> Body:
    area = AREAS[number * len(AREAS) // total % len(AREAS)]
    body: Body = {
        "ledgerAccountCode": str(FIRST_ACCOUNT + number),
        "name": f"{area} {number + 1}",
        "active": number % 20 != 19,
    }
    # An account without translations has no such list at all.
    return body | (
        {"translations": [{"languageCode": "en", "translation": f"Account {number + 1}"}]} if number % 2 else {}
    )


def dimension(company: int, number: int, total: int) -> Body:
    items = [
        {
            "id": 10_000 + number * 100 + place,
            "codeName": f"{number + 1}.{place + 1}",
            "status": "N" if place == 7 else "Y",
            "description": f"Keksitty kohde {place + 1}",
        }
        for place in range(3 + number % 6)
    ]
    return {"id": 300 + number, "name": f"{PLACES[number % len(PLACES)]} {number // len(PLACES) + 1}", "items": items}


def fiscal_year(company: int, number: int, total: int) -> Body:
    """A calendar year with months; the older ones are closed."""
    year = FIRST_YEAR + number
    closed = year <= CLOSED_UNTIL
    periods = [
        {
            "id": year * 100 + month,
            "startDate": date(year, month, 1).isoformat(),
            "endDate": date(year, month, calendar.monthrange(year, month)[1]).isoformat(),
            "status": "CLOSED" if closed else "OPEN",
            "modified": f"{year}-{month:02d}-05T09:00:00",
        }
        for month in range(1, 13)
    ]
    return {
        "id": year,
        "startDate": f"{year}-01-01",
        "endDate": f"{year}-12-31",
        "modified": f"{year}-01-03T09:00:00",
        "trackingPeriods": periods,
        "isOpen": not closed,
    }
