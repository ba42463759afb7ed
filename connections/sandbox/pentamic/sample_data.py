"""Invented customers and invoices, the same at every start: Vietnamese in sound and spelling, nobody real."""

from __future__ import annotations

import random
import unicodedata
from datetime import datetime, timedelta
from typing import NamedTuple

# Customers of each company, by --records; every customer has some invoices, two on the average.
COUNTS = {"small": {501: 180, 502: 30}, "demo": {501: 1200, 502: 30}}
INVOICES = (0, 1, 1, 2, 2, 3, 5)
FIRST_DAY = datetime.fromisoformat("2023-01-03T08:00:00")  # Vietnamese local time, told without a zone
DAYS = 1070  # to December 2025, so that no invoice lies in the future

FORMS = ("Công ty TNHH", "Công ty Cổ phần", "Hộ kinh doanh", "Doanh nghiệp tư nhân")
FIRST_WORDS = ("Mây Tím", "Gió Lặng", "Trăng Khuyết", "Đường Mòn", "Nắng Xế", "Sương Đục", "Lá Ướt", "Sóng Ngược")
SECOND_WORDS = ("Tưởng Tượng", "Ví Dụ", "Thử Nghiệm", "Không Có Thật", "Bịa Đặt")
PEOPLE = ("Nguyễn Thị Ví Dụ", "Trần Văn Mẫu", "Lê Thử Nghiệm", "Phạm Tưởng Tượng", "Đặng Không Thật")
STREETS = ("đường Tưởng Tượng", "phố Ví Dụ", "ngõ Thử Nghiệm", "hẻm Bịa Đặt")
TOWNS = ("Thành phố Mẫu", "Thị xã Ví Dụ", "Huyện Không Có Thật")
# Legal text that looks like the JSON it travels in: what repairs the numbers must leave it alone.
TRAPS = ('Kho "taxCode":0312, Mẫu', "Quầy \\ 007, 08: Ví Dụ", "Tổ [01,02] {Thử}: 0311")
OFFICES = ("03", "01", "37", "02", "45", "31")
WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)


class Customer(NamedTuple):
    name: str
    tax_code: str
    address: str | None
    phone: str | None


class Invoice(NamedTuple):
    number: str | None
    billed: str  # YYYY-MM-DDTHH:MM:SS
    total: float  # dong
    paid: bool


def customer(company: int, number: int) -> Customer:
    """The customer with this running number; every kind of oddity comes round within forty."""
    drawn = random.Random(f"customer {number} of {company}")  # noqa: S311  # nosec B311 - the same at every start
    name = f"{drawn.choice(FORMS)} {drawn.choice(FIRST_WORDS)} {drawn.choice(SECOND_WORDS)} {number}"
    if number % 5 == 4:
        name = f"{drawn.choice(PEOPLE)} {number}"
    if number % 20 == 7:
        name = f"{TRAPS[number // 20 % len(TRAPS)]} {number}"
    if number % 40 == 9:
        name = unicodedata.normalize("NFD", name)
    address = f"{drawn.randint(1, 400)} {drawn.choice(STREETS)}, {drawn.choice(TOWNS)}"
    phone = f"0000{drawn.randint(0, 999_999):06d}"
    return Customer(
        name=name,
        # Two customers share one code, as two branches entered by hand would.
        tax_code=tax_code(number - 1 if number == 31 else number),
        address={3: None, 8: ""}.get(number % 10, address),
        phone=None if number % 9 == 4 else phone,
    )


def tax_code(number: int) -> str:
    """Ten digits with a check digit that is never right, so that nobody has it; some a branch's, some short of a zero."""
    digits = f"{OFFICES[number % len(OFFICES)]}{number:07d}"
    right = 10 - sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11
    code = f"{digits}{(right + 3) % 10}"
    if number % 12 == 11:
        return f"{code}-{number % 3 + 1:03d}"
    return code.lstrip("0") if number % 25 == 12 else code


def invoices(company: int, number: int) -> list[Invoice]:
    """The invoices of the customer with this running number."""
    drawn = random.Random(f"invoices of {number} of {company}")  # noqa: S311  # nosec B311 - the same at every start
    return [invoice(drawn, f"{number:05d}/{each + 1}") for each in range(drawn.choice(INVOICES))]


def invoice(drawn: random.Random, number: str) -> Invoice:
    billed = FIRST_DAY + timedelta(days=drawn.randrange(DAYS), seconds=drawn.randrange(32_000))
    total = drawn.randint(50, 90_000) * 1000 + drawn.choice((0, 0, 0, 0.5))
    printed_number = None if drawn.random() < 0.05 else f"HD-{number}"
    return Invoice(number=printed_number, billed=billed.isoformat(), total=total, paid=drawn.random() < 0.7)
