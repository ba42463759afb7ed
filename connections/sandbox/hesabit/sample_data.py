"""Invented customers, invoices and items, the same at every start, with the oddities a reader must survive."""

from __future__ import annotations

import random
from typing import Any

from connections.sandbox.hesabit.accounts import FIRST

Body = dict[str, Any]

STREAMS = ("customers", "invoices", "items")
STATUSES = ("draft", "unpaid", "paid", "overdue", "canceled")  # only paid is documented
COUNTS = {
    "small": {"customers": 180, "invoices": 320, "items": 120},
    "demo": {"customers": 1200, "invoices": 2800, "items": 1000},
}
OTHER_COUNTS = {"customers": 30, "invoices": 40, "items": 12}  # of the second shop, whatever the size
FIRST_IDS = {"customers": 20_001, "invoices": 90_001, "items": 4_001}
MADE_FROM = 500_000  # how far above the first id those lie that are made over the API
FIRST_SECOND, STEP, SPAN = 1_672_560_000, 28_800, 3_000  # January 2023, every eight hours, to September 2025

# fmt: off
GIVEN = ("سارا", "بهرام", "نیلوفر", "کیان", "یاسمن", "کاوه", "ملیکا", "رستم")
FAMILY = ("خیالی", "نمونه", "ساختگی", "فرضی", "آزمایشی", "پنداری‌نژاد")
FIRMS = ("شرکت خیالی", "بازرگانی نمونه", "کارگاه ساختگی", "پخش فرضی")
THINGS = ("کالای آزمایشی", "خدمت نمونه", "کتاب خیالی", "کیف فرضی", "چای ساختگی")
# fmt: on
PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC_LETTERS = str.maketrans("یک", "يك")
RIGHT_TO_LEFT_MARK = "\u200f"


def persian(text: object) -> str:
    return str(text).translate(PERSIAN_DIGITS)


def count(shop: int, stream: str, records: str) -> int:
    return (COUNTS[records] if shop == FIRST else OTHER_COUNTS)[stream]


def ident(shop: int, stream: str, serial: int) -> int:
    return FIRST_IDS[stream] + serial + (0 if shop == FIRST else 2 * MADE_FROM)


def record(shop: int, stream: str, serial: int, records: str) -> Body:
    """The serial-th record of a stream, from 0; the oldest first."""
    drawn = random.Random(f"{shop} {stream} {serial}")  # noqa: S311  # nosec B311 - invented data, the same at every start
    created = FIRST_SECOND + serial % SPAN * STEP + drawn.randint(0, STEP - 1)
    body: Body = {"id": ident(shop, stream, serial)}
    if stream == "customers":
        body |= _customer(drawn, serial)
    elif stream == "invoices":
        body |= _invoice(drawn, serial, shop, records, created)
    else:
        body |= _item(drawn, serial)
    updated = created + drawn.choice((0, 0, 4_000, 700_000))
    # By accident one instant is in milliseconds.
    created_text = str(created * 1000) if serial == 7 else moment(created, serial)
    return body | {"created": created_text, "updated": moment(updated, serial)}


def moment(seconds: int, serial: int) -> str | int:
    """An instant as this record tells it: mostly a text of seconds, sometimes a number or Persian digits."""
    if serial % 9 == 5:
        return seconds
    return persian(seconds) if serial % 11 == 4 else str(seconds)


def _customer(drawn: random.Random, serial: int) -> Body:
    name = f"{drawn.choice(GIVEN)} {drawn.choice(FAMILY)} {serial + 1}"
    company = f"{drawn.choice(FIRMS)} {persian(serial + 1)}" if serial % 3 else None
    if serial % 8 == 3:
        name = name.translate(ARABIC_LETTERS)
    if company and serial % 13 == 2:
        company = f"{RIGHT_TO_LEFT_MARK}{company}"
    mobile = f"0900000{serial % 10_000:04d}"
    return {
        "name": name,
        "email": f"moshtari{serial + 1}@example.com" if serial % 5 else None,
        "mobile": persian(mobile) if serial % 10 == 5 else mobile if serial % 5 != 2 else None,
        "address": f"شهر نمونه، خیابان خیالی، پلاک {persian(drawn.randint(1, 99))}",
        # A code that begins with 0 has lost it.
        "postal_code": (11_111_000 if serial % 7 == 4 else 1_111_100_000) + serial if serial % 4 else None,
        "company": company,
        "tel": 2_100_000_000 + serial,
        "fax": 2_100_000_000 + serial if serial % 6 == 0 else None,
        "registration_number": 900_000 + serial if company else None,
        # Typed as a number, but a text where it begins with 0.
        "economical_number": f"00{serial:010d}" if serial % 12 == 7 else 411_100_000_000 + serial if company else None,
    }


def _invoice(drawn: random.Random, serial: int, shop: int, records: str, created: int) -> Body:
    rows = []
    for _ in range(drawn.randint(1, 3)):
        thing = drawn.randrange(count(shop, "items", records))
        price = record(shop, "items", thing, records)["price"]
        row = {
            "item_id": ident(shop, "items", thing),
            "description": f"{drawn.choice(THINGS)} {persian(thing + 1)}",
            "price": price,
            "quantity": drawn.randint(1, 5),
        }
        rows.append(row)
    number = 1001 + serial
    return {
        "title": f"فاکتور فروش {persian(number)}",
        "number": persian(number) if serial % 5 == 2 else str(number),
        "date": moment(created, serial),
        "due": moment(created + drawn.choice((7, 14, 30)) * 86_400, serial + 1),
        "online_payment": "1" if serial % 7 == 3 else drawn.choice((0, 1, 1)),
        "note": "با تشكر از خريد شما" if serial % 6 == 1 else None,
        "theme_id": 1,
        "customer_id": ident(shop, "customers", drawn.randrange(count(shop, "customers", records))),
        "items": rows,
        "status": drawn.choice((*STATUSES, "paid", "paid", "unpaid")),
        "total": sum(row["price"] * row["quantity"] for row in rows),
    }


def _item(drawn: random.Random, serial: int) -> Body:
    title = f"{drawn.choice(THINGS)} {persian(serial + 1)}"
    return {
        "title": title.translate(ARABIC_LETTERS) if serial % 8 == 6 else title,
        "price": drawn.randint(5, 900) * 10_000,
        "description": "برای آزمایش؛ قابل خرید نیست" if serial % 3 == 0 else None,
    }
