"""Invented business partners and invoices, the same at every start: shapes from the typed field lists, nobody real."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

Body = dict[str, Any]

# Visible partners, inactive partners on top (the list hides them), invoices; by company id and --records.
COUNTS = {
    "small": {10451: (250, 10, 450), 10452: (30, 2, 40), 10453: (12, 1, 9)},
    "demo": {10451: (1240, 50, 4860), 10452: (30, 2, 40), 10453: (12, 1, 9)},
}
FIRST_DAY = datetime.fromisoformat("2023-01-02T08:00:00")  # local time without a zone, as the API tells it
DAYS = 1080  # to mid December 2025, so that no record lies in the future

# fmt: off
FIRST_WORDS = ("Halla", "Kaarna", "Kanerva", "Routa", "Usva", "Lumme", "Pihlaja", "Tuohi", "Sammal", "Kuura", "Loiste",
               "Vaahtera", "Hämärä", "Syyssää", "Pöllö", "Kärppä", "Riimu", "Tyrsky", "Havu", "Myrsky")
SECOND_WORDS = ("kone", "puu", "metalli", "palvelu", "paino", "verkko", "kirja", "rakenne", "leipä", "sähkö", "huolto",
                "väri")
# fmt: on
FORMS = ("Oy", "Oy", "Oy", "Ky", "Tmi")
CITIES = (
    ("00001", "MALLILA"),
    ("00002", "ESIMERKKILÄ"),
    ("00003", "KEKSITTYLÄ"),
    ("00004", "KUVITELMA"),
    ("00005", "HARJOITUSVAARA"),
)
STREETS = ("Keksitty katu", "Harjoitustie", "Mallipolku", "Esimerkinkuja")
PEOPLE = ("Aatu Mallinen", "Bea Keksitty", "Eero Esimerkki", "Hilla Harjoitus", "Jade Kuvitelma")
PRODUCTS = ("Asiantuntijatyö", "Matkakorvaus", "Tarvike", "Kuukausimaksu", "Huoltokäynti")
SALES = ("UNFINISHED", "NOT_SENT", "SENT", "SENT", "PAID", "PAID", "PAID", "PARTLY_PAID", "INVALIDATED")
PURCHASES = ("RECEIVED", "VERIFIED", "APPROVED", "PAID", "PAID", "PAYMENT_QUEUED", "PAYMENT_SENT_TO_BANK")
CHANNELS = ("EMAIL", "ELECTRONIC_INVOICE", "ELECTRONIC_INVOICE", "MAIL", "NO_SENDING")


def partners(company: int, records: str) -> list[Body]:
    """List entries, oldest first; ids repeat in every company, as the document warns."""
    visible, inactive, _ = COUNTS[records][company]
    drawn = random.Random(f"partners of {company}")  # noqa: S311  # nosec B311 - invented data, the same at every start
    drawn_partners: list[Body] = []
    hidden_every = (visible + inactive) // inactive
    for number in range(visible + inactive):
        active = not (number % hidden_every == hidden_every - 1 and number // hidden_every < inactive)
        drawn_partners.append(_partner(drawn, number, total=visible + inactive, active=active))
    return drawn_partners


def _partner(drawn: random.Random, number: int, *, total: int, active: bool) -> Body:
    name = f"{drawn.choice(FIRST_WORDS)}{drawn.choice(SECOND_WORDS)} {number + 1} {drawn.choice(FORMS)}"
    kind = drawn.choices(("CUSTOMER", "SUPPLIER", "PERSON"), (6, 3, 1))[0]
    if kind == "PERSON":
        name = f"{drawn.choice(PEOPLE)} {number + 1}"
    code, city = drawn.choice(CITIES)
    street = f"{drawn.choice(STREETS)} {drawn.randint(1, 99)}"
    address = {
        "name": name,
        "specifier": None,
        "street": street,
        "zip": code,
        "city": city,
        "country": "FINLAND",
        "subdivision": None,
    }
    version = moment(drawn, number, total) + timedelta(minutes=drawn.randint(0, 20_000))
    return {
        "id": 700 + number * 3 + drawn.randint(0, 2),
        "name": name,
        "billingAddress": address,
        "invoicingInfo": {
            "customerNumber": str(10_000 + number) if kind == "CUSTOMER" else None,
            "identifier": None if kind == "PERSON" else f"{9_000_000 + number:07d}-X",
            "identifierType": None if kind == "PERSON" else "BUSINESS_ID",
        },
        "registryInfo": {"active": active},
        "type": kind,
        "version": version.isoformat(timespec="seconds"),
    }


def partner(company: int, number: int, total: int) -> Body:
    """One more visible partner, after those of `partners`."""
    drawn = random.Random(f"partner {number} of {company}")  # noqa: S311  # nosec B311 - the same at every start
    return _partner(drawn, number, total=total, active=True)


def invoices(company: int, records: str, creator: int, partners: list[Body]) -> list[Body]:
    """List entries, oldest first, for partners of the same company; `creator` is the user id that made them all."""
    count = COUNTS[records][company][2]
    drawn = random.Random(f"invoices of {company}")  # noqa: S311  # nosec B311 - invented data, the same at every start
    customers, suppliers = sides(partners)
    return [
        _invoice(drawn, number, total=count, creator=creator, customers=customers, suppliers=suppliers)
        for number in range(count)
    ]


def invoice(company: int, number: int, total: int, creator: int, partners: list[Body]) -> Body:
    """One more invoice, after those of `invoices`. There must be a partner of either side."""
    drawn = random.Random(f"invoice {number} of {company}")  # noqa: S311  # nosec B311 - the same at every start
    customers, suppliers = sides(partners)
    return _invoice(drawn, number, total=total, creator=creator, customers=customers, suppliers=suppliers)


def sides(partners: list[Body]) -> tuple[list[Body], list[Body]]:
    """Whom invoices go to, and whom they come from."""
    customers = [partner for partner in partners if partner["type"] != "SUPPLIER"]
    return customers, [partner for partner in partners if partner["type"] == "SUPPLIER"]


def _invoice(
    drawn: random.Random, number: int, *, total: int, creator: int, customers: list[Body], suppliers: list[Body]
) -> Body:
    purchase = drawn.random() < 0.35
    kind = "PURCHASE_INVOICE" if purchase else drawn.choices(("SALES_INVOICE", "SALES_ORDER"), (12, 1))[0]
    partner = drawn.choice(suppliers if purchase else customers)
    created = moment(drawn, number, total)
    billed = created.date()
    due = billed + timedelta(days=drawn.choice((7, 14, 14, 30)))
    net = drawn.randint(500, 900_000)
    tax = round(net * 0.255)
    version = created + timedelta(minutes=drawn.choice((0, 0, 35, 2_900, 11_000)))
    return {
        "id": 90_000 + number * 5 + drawn.randint(0, 4),
        "partnerId": partner["id"],
        "type": kind,
        "status": drawn.choice(PURCHASES if purchase else SALES),
        "invoiceNumber": 1000 + number,
        "originalInvoiceNumber": f"T-{drawn.randint(10_000, 99_999)}" if purchase else None,
        "invoiceChannel": drawn.choice(CHANNELS),
        "date": billed.isoformat(),
        "dueDate": due.isoformat(),
        "newDueDate": None,
        "created": created.isoformat(timespec="seconds"),
        "version": version.isoformat(timespec="seconds"),
        "invoiceSumInfo": [
            {
                "currency": "EUR",
                "inAccountingCurrency": True,
                "excludingVatTotal": net / 100,
                "vatSumTotal": tax / 100,
                "invoiceSumTotal": (net + tax) / 100,
            }
        ],
        "creatorId": creator,
        "counterParty": {
            "contactPersonName": None,
            "identifier": partner["invoicingInfo"]["identifier"],
            "customerNumber": partner["invoicingInfo"]["customerNumber"],
            "counterPartyAddress": partner["billingAddress"],
        },
        "isOffer": False,
    }


def moment(drawn: random.Random, number: int, total: int) -> datetime:
    """When number of total was made: evenly over the years, in office hours; what comes on top, on the last day."""
    return FIRST_DAY + timedelta(
        days=min(number, total) * DAYS // total, minutes=drawn.randint(0, 540), seconds=drawn.randint(0, 59)
    )


def full_partner(entry: Body) -> Body:
    """The partner as a single get tells it."""
    address, number = entry["billingAddress"], entry["id"]
    return {
        **entry,
        "address": address,
        "deliveryAddress": address,
        "invoicingInfo": {
            **entry["invoicingInfo"],
            "ovt": None,
            "invoiceChannel": CHANNELS[number % len(CHANNELS)],
            "contactPerson": PEOPLE[number % len(PEOPLE)],
            "language": "FINNISH",
            "email": f"partner{number}@example.com",
            "bccAddresses": [],
            "einvoiceAddress": None,
            "einvoiceOperator": None,
        },
        "attachments": [],
        "contactPersons": [],
        "additionalInfo": {},
        "paymentInfo": {
            "paymentMethod": "BANK_TRANSFER",
            "bankAccount": None,
            "paymentTermDays": "14",
            "penalInterestRate": 8.0,
            "discountPercentage": 0,
            "currency": "EUR",
            "bic": None,
        },
        "registryInfo": {
            **entry["registryInfo"],
            "phone": None,
            "mobilePhone": None,
            "section": None,
            "partnerGroups": [],
        },
    }


def full_invoice(entry: Body) -> Body:
    """The invoice as a single get tells it: one row that makes up its sum."""
    net = entry["invoiceSumInfo"][0]["excludingVatTotal"]
    row = {
        "id": entry["id"] * 10 + 1,
        "productId": None,
        "product": PRODUCTS[entry["id"] % len(PRODUCTS)],
        "productCode": None,
        "quantity": 1,
        "unit": "PIECE",
        "unitPrice": net,
        "discountPercent": 0,
        "vatPercent": 25.5,
        "vatStatus": 1,
        "comment": None,
    }
    return {
        **entry,
        "paymentInfo": {
            "paymentMethod": "BANK_TRANSFER",
            "currency": "EUR",
            "bankAccount": None,
            "dueDate": entry["dueDate"],
            "newDueDate": entry["newDueDate"],
            "currencyRate": 1,
            "bankReferenceCode": str(entry["invoiceNumber"]),
        },
        "extraInfo": {"accountingByRow": False, "unitPricesIncludeVat": False},
        "discountPercent": 0,
        "invoiceRows": [row],
        "billingAddress": entry["counterParty"]["counterPartyAddress"],
        "language": "FINNISH",
        "vatStatus": 1,
        "additionalInformation": None,
        "ledgerReceiptId": entry["id"] + 500_000,
        "notes": None,
        "attachments": [],
    }
