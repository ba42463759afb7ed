"""What a created or edited record must look like, field by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connections.sandbox.hesabit.accounts import Shop
from connections.sandbox.hesabit.errors import invalid
from connections.sandbox.hesabit.records import Records
from connections.sandbox.hesabit.sample_data import Body
from connections.sandbox.kit import Kit

_MOBILE = re.compile(r"09[0-9]{9}")  # eleven digits, as documented
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_INSTANT = re.compile(r"[0-9]{9,10}")  # seconds, as a number or as a text of digits

TEXT = "این مقدار باید متن باشد."
MOBILE = "شماره موبایل باید ۱۱ رقم باشد و با ۰۹ شروع شود."
EMAIL = "ایمیل درست نیست."
FLAG = "این مقدار باید ۰ یا ۱ باشد."
NUMBER = "این مقدار باید عدد صحیح باشد."
INSTANT = "این مقدار باید Timestamp باشد."
ONE_OF_TWO = "ایمیل یا موبایل را وارد کنید."
UNKNOWN = "چنین موردی وجود ندارد."
NEEDED = "این مقدار لازم است."
ROWS = "فاکتور حداقل یک ردیف با شرح، مبلغ و تعداد لازم دارد."
PACKAGE = "پرداخت آنلاین به بستهٔ فعال نیاز دارد."
TAKEN = "این شماره قبلاً استفاده شده است."


class Wrong(ValueError):
    """What is wrong with one field, in Persian."""


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(TEXT)
    return value


def whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Wrong(NUMBER)
    return value


def mobile(value: Any) -> str:
    if not _MOBILE.fullmatch(text(value)):
        raise Wrong(MOBILE)
    return str(value)


def email(value: Any) -> str:
    if not _EMAIL.fullmatch(text(value)):
        raise Wrong(EMAIL)
    return str(value)


def instant(value: Any) -> str:
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _INSTANT.fullmatch(digits):
        raise Wrong(INSTANT)
    return digits


def flag(value: Any) -> int:
    if value not in (0, 1, "0", "1"):  # true and false are equal to these
        raise Wrong(FLAG)
    return int(value)


Check = Callable[[Any], Any]

CHECKS: dict[str, dict[str, Check]] = {
    "customers": {
        "name": text,
        "email": email,
        "mobile": mobile,
        "address": text,
        "postal_code": whole,
        "company": text,
        "tel": whole,
        "fax": whole,
        "registration_number": whole,
        "economical_number": whole,
    },
    "invoices": {
        "title": text,
        "number": text,
        "date": instant,
        "due": instant,
        "online_payment": flag,
        "note": text,
        "theme_id": whole,
        "customer_id": whole,
    },
    "items": {"title": text, "price": whole, "description": text},
}
# What a new record has where nothing is sent.
BLANKS: dict[str, Body] = {
    "customers": dict.fromkeys(CHECKS["customers"]),
    "invoices": dict.fromkeys(CHECKS["invoices"])
    | {"online_payment": 0, "theme_id": 1, "items": [], "status": "unpaid", "total": 0},
    "items": dict.fromkeys(CHECKS["items"]),
}


class Writing:
    """Judges what was sent; unknown fields are ignored, null and empty texts count as not sent."""

    def __init__(self, kit: Kit, records: Records) -> None:
        self._kit, self._records = kit, records

    def create(self, shop: Shop, stream: str, values: Mapping[str, Any]) -> Body:
        """The new record. Raises Trouble."""
        return self._judge(shop, stream, BLANKS[stream], values)

    def edit(self, shop: Shop, stream: str, body: Body, values: Mapping[str, Any]) -> Body:
        """The record as it is then: fields that are not sent stay, or are emptied, as the switch says. Raises Trouble."""
        before = body
        if self._kit.switches["edit"] == "replaces":
            fixed = ("id", "created", "number", "status")
            before = BLANKS[stream] | {name: body[name] for name in fixed if name in body}
        return self._judge(shop, stream, before, values)

    def _judge(self, shop: Shop, stream: str, before: Body, values: Mapping[str, Any]) -> Body:
        errors: dict[str, list[str]] = {}
        filled = {name: value for name, value in values.items() if value not in (None, "")}
        emptied = {name: BLANKS[stream][name] for name in CHECKS[stream] if name in values and name not in filled}
        emptied.pop("number", None)  # one that was assigned stays
        record = before | emptied
        for name, check in CHECKS[stream].items():
            if name in filled:
                try:
                    record[name] = check(filled[name])
                except Wrong as wrong:
                    errors[name] = [str(wrong)]
        if stream == "customers" and not (record["email"] or record["mobile"]) and not errors:
            errors = {"email": [ONE_OF_TWO], "mobile": [ONE_OF_TWO]}
        if stream == "items" and not record["title"]:
            errors.setdefault("title", [NEEDED])
        if stream == "invoices":
            errors |= self._judge_invoice(shop, record, filled)
        if errors:
            raise invalid(self._kit, errors)
        return record

    def _judge_invoice(self, shop: Shop, record: Body, filled: Mapping[str, Any]) -> dict[str, list[str]]:
        errors: dict[str, list[str]] = {}
        if "customer_id" in filled and record["customer_id"] not in self._records.shelf(shop.id, "customers").by_id:
            errors["customer_id"] = [UNKNOWN]
        if "items" in filled:
            try:
                record["items"] = self._rows(shop, filled["items"])
            except Wrong as wrong:
                errors["items"] = [str(wrong)]
            else:
                record["total"] = round(sum(row["price"] * row["quantity"] for row in record["items"]))
        if self._kit.switches["invoice_needs"] == "customer_and_rows":
            if record["customer_id"] is None:
                errors.setdefault("customer_id", [NEEDED])
            if not record["items"]:
                errors.setdefault("items", [ROWS])
        if "online_payment" in filled and record["online_payment"] == 1 and not shop.package:
            errors["online_payment"] = [PACKAGE]
        if "number" in filled and self._kit.switches["same_number"] == "refused":
            others = self._records.shelf(shop.id, "invoices").entries
            if any(each.body["number"] == record["number"] and each.id != record.get("id") for each in others):
                errors["number"] = [TAKEN]
        return errors

    def _rows(self, shop: Shop, values: Any) -> list[Body]:
        """An invoice's rows: a description, or an item to take it from, a price and a quantity. Raises Wrong."""
        if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
            raise Wrong(ROWS)
        rows, items = [], self._records.shelf(shop.id, "items").by_id
        for row in values:
            item_id = None if row.get("item_id") is None else whole(row["item_id"])
            if item_id is not None and item_id not in items:
                raise Wrong(UNKNOWN)
            quantity = row.get("quantity")
            if not isinstance(quantity, int | float) or isinstance(quantity, bool) or quantity <= 0:
                raise Wrong(ROWS)
            description = row.get("description") or (items[item_id].body["title"] if item_id is not None else "")
            if not isinstance(description, str) or not description:
                raise Wrong(ROWS)
            price = whole(row.get("price"))
            rows.append({"item_id": item_id, "description": description, "price": price, "quantity": quantity})
        return rows
