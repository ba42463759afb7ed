"""Invented contacts, documents and articles, each drawn from its number alone: the same at every start, nobody real."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

Body = dict[str, Any]

# Account owners' ids, which the API tells as the id of owner and profile.
COMPANIES = (418_000_101, 418_000_202)
# How many records the first and the second company have, by --records.
COUNTS = {
    "small": {
        "contacts": (220, 130),
        "invoices": (320, 140),
        "offers": (120, 100),
        "order_confirmations": (110, 100),
        "products": (160, 100),
        "services": (105, 100),
        "bank_accounts": (4, 2),
    },
    "demo": {
        "contacts": (2200, 1000),
        "invoices": (3000, 1200),
        "offers": (1100, 1000),
        "order_confirmations": (1000, 1000),
        "products": (1400, 1000),
        "services": (1000, 1000),
        "bank_accounts": (4, 2),
    },
}
KINDS = (*COUNTS["small"], "payments", "addresses", "people")
SERIALS_A_KIND = 10_000_000
MADE_FROM = 5_000_000  # serials of records made over the API
FIRST_DAY = datetime.fromisoformat("2022-01-03T07:30:00")  # Swiss local time without a zone, as the API tells it
DAYS = 1400
BROKEN_MOMENT = "-0001-11-30 00:00:00"

# fmt: off
FIRST_WORDS = ("Alp", "See", "Föhn", "Enzian", "Murmel", "Gletscher", "Arven", "Nebel", "Bären", "Käse", "Uhren",
               "Zwetschgen", "Größen", "L’Étoile-", "Ticino")
SECOND_WORDS = ("werk", "druck", "garten", "bau", "technik", "handel", "stube", "licht", "& Söhne", "<Labor>")
FORMS = ("AG", "AG", "GmbH", "GmbH", "Sàrl", "KlG")
PEOPLE = (("Nina", "Erfunden"), ("Urs", "Beispieler"), ("Chiara", "Finzione"), ("Loïc", "Imaginaire"), ("Reto", "Muster"))
CITIES = (("0001", "Musterlingen"), ("0002", "Beispielwil"), ("0003", "Erfundental"), ("0004", "Fictif-sur-Lac"))
STREETS = ("Erfundene Gasse", "Musterweg", "Beispielstrasse", "Chemin imaginaire")
ARTICLES = ("Stundenansatz", "Pauschale", "Kabeltrommel", "Bergkäse (halb)", "Wartung", "Schraube M8 “inox”", "Fahrspesen")
INVOICE_STATUSES = ("DR", "S", "S", "P", "P", "P", "PP", "R1", "R2", "R3", "DC")
# fmt: on

UNITS = {
    1: {"de": "Stunde", "fr": "heure", "it": "ora", "es": "hora", "en": "hour"},
    2: {"de": "Stück", "fr": "pièce", "it": "pezzo", "es": "pieza", "en": "piece"},
    7: {"de": "Pauschale", "fr": "forfait", "it": "forfait", "es": "tarifa", "en": "flat rate"},
}
CATEGORIES = {11: "Werkstatt", 12: "Büro", 13: "Verschiedenes / Divers"}
GROUPS = ({"id": 21, "name": "Stammkunden"}, {"id": 22, "name": "Lieferanten"})


def ident(company: int, kind: str, serial: int) -> int:
    """Nine digits, unique over companies and kinds, without any order."""
    place = COMPANIES.index(company) * len(KINDS) + KINDS.index(kind)
    # The factor has no divisor in common with the modulus, so no two numbers meet.
    return 100_000_000 + (place * SERIALS_A_KIND + serial + 137) * 611_953_177 % 900_000_000


def count(company: int, kind: str, records: str) -> int:
    return COUNTS[records][kind][COMPANIES.index(company)]


def record(company: int, kind: str, serial: int, records: str) -> Body:
    """The plain fields of one record; `parts` has the others."""
    body = _MAKERS[kind](_drawn(company, kind, serial), company, serial, records)
    return {"id": ident(company, kind, serial), **body}


def parts(company: int, kind: str, serial: int) -> Body:
    """What stands only in answers that ask for it, as far as it is kept with the record."""
    if kind == "contacts":
        return _contact_parts(company, serial)
    if kind in ("products", "services"):
        return {"custom_fields": []}
    return {
        "positions": _positions(_drawn(company, f"positions of {kind}", serial)),
        "texts": [],
        "free_texts": [],
        "custom_fields": [],
    }


def payment(company: int, serial: int, invoice: Body) -> Body:
    """How the generated invoice of this serial was paid."""
    return {
        "id": ident(company, "payments", serial),
        "type": "N",
        "channel": "T",
        "amount": invoice["total_paid"],
        "date": invoice["paid_date"],
        "notes": None,
        "created": f"{invoice['paid_date']} 06:00:00",
    }


def totalled(positions: list[Body], *, vat_included: bool) -> float:
    """Sets every position's total and returns their sum with VAT."""
    whole = 0.0
    for position in positions:
        if position["type"] != "N":
            position["total"] = None
            continue
        total = position["price"] * position["amount"]
        discount = position.get("discount_rate") or 0.0
        total -= discount if position.get("discount_type") == "A" else total * discount / 100
        position["total"] = round(total, 2)
        whole += total if vat_included else total * (1 + position["vat"] / 100)
    return round(whole, 2)


def _drawn(company: int, kind: str, serial: int) -> random.Random:
    return random.Random(f"{kind} {serial} of {company}")  # noqa: S311  # nosec B311 - invented data


def _moment(drawn: random.Random, serial: int) -> datetime:
    return FIRST_DAY + timedelta(
        days=serial * 7919 % DAYS, minutes=drawn.randint(0, 600), seconds=drawn.randint(0, 59)
    )


def _contact(drawn: random.Random, company: int, serial: int, _: str) -> Body:
    private = drawn.random() < 0.2
    first, last = drawn.choice(PEOPLE)
    name = f"{first} {last} {serial + 1}" if private else (
        f"{drawn.choice(FIRST_WORDS)}{drawn.choice(SECOND_WORDS)} {serial + 1} {drawn.choice(FORMS)}"
    )  # fmt: skip
    return {
        "number": f"{1000 + serial}",
        "relation": drawn.choice((["CL"], ["CL"], ["CL"], ["CR"], ["CL", "CR"])),
        "type": "P" if private else "C",
        "gender": drawn.choice("MF") if private else None,
        "gender_salutation_active": private,
        "name": name,
        "name_addition": drawn.choice((None, "", "Abteilung Erfindung")),
        "salutation": None,
        "phone": drawn.choice((None, f"+41 00 000 {serial % 100:02d} {drawn.randint(0, 99):02d}")),
        "fax": None,
        "email": drawn.choice((None, f"kontakt{serial}@example.com")),
        "website": None,
        "notes": None,
        "communication_language": drawn.choice(("de", "de", "fr", "it", "en")),
        "communication_channel": drawn.choice("UEP"),
        "communication_newsletter": drawn.choice("AMN"),
        "currency": drawn.choice(("CHF", "CHF", "CHF", "EUR")),
        "vat_identification": None if private else f"CHE-000.000.{serial % 1000:03d} MWST",
        "vat_rate": drawn.choice((8.1, 8.1, 2.6, 0.0, None)),
        "discount_rate": drawn.choice((0.0, 0.0, 5.0)),
        "discount_type": "P",
        "payment_grace": drawn.choice((10, 30, 30, 60)),
        "hourly_rate": drawn.choice((None, 140.0)),
        "ebill_account_id": None,
        "created": BROKEN_MOMENT if serial == 7 else f"{_moment(drawn, serial)}",
        "main_address_id": ident(company, "addresses", serial),
    }


def _contact_parts(company: int, serial: int) -> Body:
    drawn = _drawn(company, "addresses", serial)
    postcode, city = drawn.choice(CITIES)
    address = {
        "id": ident(company, "addresses", serial),
        "default": True,
        "country": "CH",
        "street": drawn.choice(STREETS),
        "street_no": drawn.choice((None, "7a", str(drawn.randint(1, 99)))),
        "street2": None,
        "postcode": postcode,
        "city": city,
        "hide_on_documents": False,
        "default_prepage": False,
    }
    return {"main_address": address, "groups": [drawn.choice(GROUPS)] if serial % 3 else [], "custom_fields": []}


def _positions(drawn: random.Random) -> list[Body]:
    positions: list[Body] = []
    for _ in range(drawn.randint(1, 3)):
        name = drawn.choice(ARTICLES)
        position = {
            "type": "N",
            "catalog_type": drawn.choice((None, "P", "S")),
            "number": None,
            "name": name,
            "description": None,
            "price": drawn.randint(5, 40_000) / 20,
            "vat": drawn.choice((8.1, 8.1, 2.6, 0.0)),
            "amount": drawn.choice((1.0, 1.0, 2.5, 12.0)),
            "unit_id": drawn.choice(tuple(UNITS)),
            "discount_rate": 0.0,
            "discount_type": "P",
            "total": None,
            "show_only_total": False,
        }
        positions.append(position)
    if drawn.random() < 0.2:
        positions.append({"type": "T", "name": None, "description": "Vielen Dank für nichts.", "total": None})
    totalled(positions, vat_included=False)
    return positions


def _document(drawn: random.Random, company: int, kind: str, serial: int, records: str, letter: str) -> Body:
    contact = drawn.randrange(count(company, "contacts", records))
    created = _moment(drawn, serial)
    return {
        "number": f"{letter}-{10_000 + serial}",
        "contact_id": ident(company, "contacts", contact),
        "contact_address_id": ident(company, "addresses", contact),
        "contact_prepage_address_id": None,
        "contact_person_id": None,
        "date": f"{created.date()}",
        "currency": drawn.choice(("CHF", "CHF", "CHF", "EUR")),
        "language": drawn.choice(("de", "de", "fr", "it")),
        "total": totalled(parts(company, kind, serial)["positions"], vat_included=False),
        "vat_included": False,
        "discount_rate": 0.0,
        "discount_type": "P",
        "bank_account_id": ident(company, "bank_accounts", 0),
        "signature_id": None,
        "layout_id": 1,
        "page_amount": drawn.choice((1, 1, 2)),
        "notes": drawn.choice((None, "", "Bitte nicht falten")),
        "created": f"{created}",
    }


def _invoice(drawn: random.Random, company: int, serial: int, records: str) -> Body:
    body = _document(drawn, company, "invoices", serial, records, "R")
    status = drawn.choice(INVOICE_STATUSES)
    due = date.fromisoformat(body["date"]) + timedelta(days=drawn.choice((10, 30, 30, 60)))
    paid = {"P": body["total"], "PP": round(body["total"] / 2, 2)}.get(status, 0.0)
    return {
        **body,
        "status": status,
        "due": f"{due}",
        "period_from": None,
        "period_to": None,
        "period_text": None,
        "total_paid": paid,
        "paid_date": f"{due}" if paid else None,
        "cash_discount_rate": 0,
        "cash_discount_date": None,
        "isr_id": None,
        "isr_position": None,
        "isr_reference_number": None,
        "payment_link_paypal": False,
        "payment_link_paypal_url": None,
        "payment_link_postfinance": False,
        "payment_link_postfinance_url": None,
        "payment_link_payrexx": False,
        "payment_link_payrexx_url": None,
        "payment_link_smartcommerce": False,
        "payment_link_smartcommerce_url": None,
    }


def _offer(drawn: random.Random, company: int, serial: int, records: str) -> Body:
    body = _document(drawn, company, "offers", serial, records, "O")
    return {**body, "status": drawn.choice(("DR", "S", "DE", "A", "B"))}


def _order_confirmation(drawn: random.Random, company: int, serial: int, records: str) -> Body:
    body = _document(drawn, company, "order_confirmations", serial, records, "AB")
    return {**body, "status": drawn.choice(("DR", "S", "B"))}


def _service(drawn: random.Random, _: int, serial: int, __: str) -> Body:
    return {
        "number": drawn.choice((None, f"A{serial:05d}")),
        "name": f"{drawn.choice(ARTICLES)} {serial + 1}",
        "description": drawn.choice((None, "", "Erfunden, nicht lieferbar")),
        "notes": None,
        "category_id": drawn.choice((None, *CATEGORIES)),
        "including_vat": drawn.random() < 0.3,
        "vat": drawn.choice((8.1, 2.6, 0.0)),
        "unit_id": drawn.choice(tuple(UNITS)),
        "price": drawn.randint(0, 20_000) / 20,
        "default_amount": 1.0,
        "created": BROKEN_MOMENT if serial == 3 else f"{_moment(drawn, serial)}",
    }


def _product(drawn: random.Random, company: int, serial: int, records: str) -> Body:
    body = _service(drawn, company, serial, records)
    inventory = drawn.choice((None, float(drawn.randint(-5, 500))))
    purchase = round(body["price"] * 0.6, 2)
    return {**body, "price_purchase": purchase, "inventory_available": inventory, "inventory_reserved": 0.0}


def _bank_account(_: random.Random, __: int, serial: int, ___: str) -> Body:
    return {
        "default": serial == 0,
        "description": f"Kontokorrent {serial + 1}",
        "bank_name": "Erfundene Kantonalbank",
        "number": None,
        "iban": f"CH00 0000 0000 0000 {serial:04d} 0",
        "bic": None,
        "post_account": None,
        "auto_sync": ("active", "inactive", "requested")[serial % 3],
        "auto_sync_direction": ("in", "out", None)[serial % 3],
    }


_MAKERS: dict[str, Callable[[random.Random, int, int, str], Body]] = {
    "contacts": _contact,
    "invoices": _invoice,
    "offers": _offer,
    "order_confirmations": _order_confirmation,
    "products": _product,
    "services": _service,
    "bank_accounts": _bank_account,
}
