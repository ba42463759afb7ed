"""What writing does to the kept records: creating, updating, deleting, and the actions of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness import sample_data, validation
from connections.sandbox.smartbusiness.catalogue import ADDRESS, PAYMENTS, Collection, Field, Fields
from connections.sandbox.smartbusiness.errors import not_found
from connections.sandbox.smartbusiness.records import Entry, Records
from connections.sandbox.smartbusiness.sample_data import Body
from connections.sandbox.smartbusiness.validation import Form

# The document gives moments without a zone; that they are Swiss local time is inferred.
ZURICH = ZoneInfo("Europe/Zurich")
LETTERS = {"invoices": "R-", "offers": "O-", "order_confirmations": "AB-", "contacts": ""}
STATUS: Fields = {"status": Field("text", required=True), "date_time": Field("text")}
MAIL: Fields = {
    "subject": Field("text", required=True),
    "body": Field("text", required=True),
    "from": Field("email", required=True),
    "receipt": Field("bool"),
    "recipients": Field(
        "list", required=True, inner={"email": Field("email", required=True), "name": Field("text")}
    ),
}  # fmt: skip


class Writing:
    """Every method raises Trouble; a refused call changes nothing."""

    def __init__(self, kit: Kit, records: Records) -> None:
        self._kit, self._records = kit, records

    def now(self) -> str:
        return datetime.fromtimestamp(self._kit.clock.now(), tz=ZURICH).strftime("%Y-%m-%d %H:%M:%S")

    def create(self, company: int, shape: Collection, body: Mapping[str, Any]) -> Entry:
        with self._kit.store.transaction():
            values = self._judged(company, shape, body, before=None)
            record: Body = dict.fromkeys(shape.fields) | values | {"created": self.now()}
            if shape.stream in LETTERS and not record["number"]:
                record["number"] = self._next_number(company, shape.stream)
            if shape.stream == "contacts":
                record["main_address"] = dict.fromkeys(ADDRESS) | record["main_address"] | {"default": True}
            if shape.document:
                record |= {"status": "DR", "vat_included": bool(record["vat_included"]), "page_amount": 1}
                record["total"] = sample_data.totalled(record["positions"], vat_included=record["vat_included"])
            if shape.stream == "invoices":
                record["total_paid"] = 0.0
            return self._records.make(company, shape.stream, record)

    def update(self, company: int, shape: Collection, entry: Entry, body: Mapping[str, Any]) -> Entry:
        with self._kit.store.transaction():
            before = {**entry.body, **entry.parts}
            changed = before | self._judged(company, shape, body, before=before)
            if shape.stream == "contacts":
                changed["main_address"] = {**changed["main_address"], "id": before["main_address_id"]}
            if shape.document:
                changed["total"] = sample_data.totalled(
                    changed["positions"], vat_included=bool(changed["vat_included"])
                )
            self._records.keep(company, shape.stream, changed)
            return self._records.shelf(company, shape.stream).by_id[entry.id]

    def _judged(
        self, company: int, shape: Collection, body: Mapping[str, Any], *, before: Mapping[str, Any] | None
    ) -> Body:
        form = Form(self._kit.switches)
        whole = before is None or self._kit.switches["update"] == "full"
        values = form.read(body, {**shape.fields, **shape.parts}, whole=whole)
        if before is not None and body.get("id", before["id"]) != before["id"]:
            form.wrong("id", validation.FIXED)
        now = {**(before or {}), **values}
        if shape.stream == "contacts" and now.get("type") == "P" and not now.get("gender"):
            form.wrong("gender", validation.REQUIRED)
        rule = self._kit.switches["unique_number"]
        if values.get("number") and rule != "none" and (rule == "all" or shape.stream == "contacts"):
            others = self._records.shelf(company, shape.stream).entries
            if any(
                e.body.get("number") == values["number"] and (before is None or e.id != before["id"]) for e in others
            ):
                form.wrong("number", validation.EXISTS)
        if shape.document and isinstance(now.get("contact_id"), int):
            address = self._records.address(company, now["contact_id"])
            if address is None and "contact_id" in values:
                form.wrong("contact_id", validation.VALUE)
            elif address is not None and now.get("contact_address_id") not in (None, address["id"]):
                form.wrong("contact_address_id", validation.VALUE)
        form.close()
        return values

    def _next_number(self, company: int, stream: str) -> str:
        letters = LETTERS[stream]
        numbers = {str(entry.body["number"]) for entry in self._records.shelf(company, stream).entries}
        number = 20_000 + len(numbers)
        while f"{letters}{number}" in numbers:
            number += 1
        return f"{letters}{number}"

    def delete(self, company: int, shape: Collection, ids: Sequence[int]) -> None:
        """One or several; what happens when one of several is not there is a switch."""
        with self._kit.store.transaction():
            shelf = self._records.shelf(company, shape.stream)
            there = [number for number in ids if number in shelf.by_id]
            if not there or (len(there) < len(ids) and self._kit.switches["bulk_delete"] == "nothing"):
                raise not_found(shape.entity)
            if shape.document and self._kit.switches["deleted_documents"] == "status_d":
                for number in there:
                    self._set_status(company, shape, shelf.by_id[number], "D")
            else:
                self._records.remove(company, shape.stream, there)

    def _set_status(self, company: int, shape: Collection, entry: Entry, status: str) -> None:
        self._records.keep(company, shape.stream, {**entry.body, **entry.parts, "status": status})

    def change_status(self, company: int, shape: Collection, entry: Entry, body: Mapping[str, Any]) -> None:
        form = Form(self._kit.switches)
        values = form.read(body, STATUS, whole=True)
        if not form.errors and values["status"] not in shape.statuses:
            form.wrong("status", validation.VALUE)
        form.close()
        self._set_status(company, shape, entry, values["status"])

    def send_by_email(self, company: int, shape: Collection, entry: Entry, body: Mapping[str, Any]) -> None:
        """Nothing is sent; that it would have been is counted."""
        form = Form(self._kit.switches)
        values = form.read(body, MAIL, whole=True)
        form.close()
        with self._kit.store.transaction():
            self._records.mail(company, shape.stream, entry, len(values["recipients"]))
            if entry.body["status"] == "DR":
                self._set_status(company, shape, entry, "S")

    def pay(self, company: int, shape: Collection, invoice: Entry, body: Mapping[str, Any]) -> Entry:
        """A payment, and what it does to its invoice."""
        form = Form(self._kit.switches)
        values = form.read(body, PAYMENTS.fields, whole=True)
        form.close()
        with self._kit.store.transaction():
            record: Body = {
                **dict.fromkeys(PAYMENTS.fields),
                "type": "N",
                "channel": "T",
                **values,
                "created": self.now(),
            }
            payment = self._records.make(company, "payments", record, parent=invoice.id)
            paid = round(invoice.body["total_paid"] + values["amount"], 2)
            status = "P" if paid >= invoice.body["total"] else "PP"
            changed = {"total_paid": paid, "paid_date": values["date"], "status": status}
            self._records.keep(company, shape.stream, {**invoice.body, **invoice.parts, **changed})
            return payment
