"""Invented customers of an invented printing house, the same at every start: nobody real."""

from __future__ import annotations

import random
from typing import Any

Body = dict[str, Any]

PRINTING_HOUSE = "Tryckhuset Påhitt AB"
COUNTS = {"small": 230, "demo": 1480}
ADDRESS = ("address1", "address2", "address3", "city", "zipCode", "state", "countryCode")

# fmt: off
FIRST_WORDS = ("Björk", "Ljung", "Hav", "Skog", "Älv", "Ström", "Sten", "Åker", "Sjö", "Örn", "Fjäll", "Vinter", "Kust",
               "Måne", "Dal", "Rönn")
SECOND_WORDS = ("bageri", "optik", "kontor", "teater", "bokhandel", "möbler", "trädgård", "förlag", "skola", "cykel",
                "kaffe", "hotell")
# fmt: on
FORMS = ("AB", "AB", "AB", "HB", "Ekonomisk förening")
STREETS = ("Påhittade gatan", "Exempelvägen", "Övningsgränd", "Mallstigen")
TOWNS = (("000 01", "Exempelstad"), ("000 02", "Påhittköping"), ("00003", "Övningsby"), ("000 04", "Mallvik"))
NORWEGIAN_TOWNS = (("0001", "Eksempelvik"), ("0002", "Oppdiktet"))


def number(series: int) -> str:
    """The customer number at this place of GKS's own series; the form is the document's (K100421)."""
    return f"K{100_000 + series}"


def customer(series: int) -> Body:
    """A customer as the API tells it; some with nulls, foreign numbers, and the same number in another writing."""
    drawn = random.Random(f"customer {series}")  # noqa: S311  # nosec B311 - invented data, the same at every start
    norwegian = series % 23 == 0
    name = f"{drawn.choice(FIRST_WORDS)}{drawn.choice(SECOND_WORDS)} {series} {'AS' if norwegian else drawn.choice(FORMS)}"
    return {
        "name": f"  {name}" if series % 41 == 0 else name,
        "number": number(series),
        "invoiceEmail": None if series % 7 == 0 else f"faktura{series}@kund.example",
        "postalAddress": None if series % 31 == 0 else _address(drawn, series, norwegian),
        "corporateIdentityNumber": _identity(series, norwegian),
    }


def _address(drawn: random.Random, series: int, norwegian: bool) -> Body:
    zip_code, city = drawn.choice(NORWEGIAN_TOWNS if norwegian else TOWNS)
    return {
        "address1": f"{drawn.choice(STREETS)} {drawn.randint(1, 99)}",
        "address2": "c/o Påhittade ekonomer" if series % 13 == 0 else None,
        "address3": None,
        "city": city,
        "zipCode": zip_code,
        "state": None,
        "countryCode": "NO" if norwegian else "SE",
    }


def _identity(series: int, norwegian: bool) -> str:
    """Nobody's number: the third digit of a Swedish one is 2 or more, a Norwegian one begins with 8 or 9.

    Every eighth customer has the number of the one before it, as a second office of the same company has.
    """
    if norwegian:
        return f"000 {series // 1000:03d} {series % 1000:03d}"
    digits = f"000{series - 1 if series % 8 == 0 else series:07d}"
    return digits if series % 5 == 0 else f"{digits[:6]}-{digits[6:]}"


def edited(body: Body, times: int) -> Body:
    """The customer after somebody corrected the address for invoices for the nth time."""
    return {**body, "invoiceEmail": f"ny{times}.{body['number'].casefold()}@kund.example"}
