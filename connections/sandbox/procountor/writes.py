"""The calls that change business partners, products and ledger receipts, and what all changes have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping

from flask import Flask, Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import fields, validation
from connections.sandbox.procountor.catalogue import STREAMS
from connections.sandbox.procountor.reads import NotAllowed, require
from connections.sandbox.procountor.records import Entry, Records
from connections.sandbox.procountor.validation import BLANK, Body, Field, WrongBody

CLOSED = "CLOSED_FISCAL_PERIOD"
WRONG_STATUS = "Invalid status"
# Told by Procountor; a client that reads, changes and writes back sends them along.
READ_ONLY = frozenset(
    [
        "id",
        "version",
        "status",
        "created",
        "creatorId",
        "invoiceNumber",
        "ledgerReceiptId",
        "invoiceSumInfo",
        "paymentDate",
        "dueDate",
        "newDueDate",
        "receiptNumber",
        "serialNumber",
        "invoiceId",
        "partnerId",
    ]
)


class NotThere(Exception):
    """A call about something that does not exist."""


class WrongVersion(Exception):
    """A write with an old version."""


class Writing:
    """What every write does: read and check the body, find the record, judge the version, keep the result."""

    def __init__(self, kit: Kit, records: Records) -> None:
        self.kit, self.records = kit, records

    @property
    def company(self) -> int:
        company: int = g.session.company["id"]
        return company

    def raw(self) -> Body:
        """The JSON object that was sent. Raises WrongBody, also for characters outside Windows-1252."""
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise WrongBody((None, "The request body must be a JSON object"))
        if wrong := validation.outside_windows_1252(body):
            raise WrongBody(*wrong)
        return body

    def checked(self, body: Body, allowed: Mapping[str, Field]) -> Body:
        """The writable fields, those left out cleared. Raises WrongBody."""
        writable = {name: value for name, value in body.items() if name in allowed or name not in READ_ONLY}
        return validation.checked(writable, allowed, strange=self.kit.switches["unknown_request_fields"] == "refused")

    def new(self, allowed: Mapping[str, Field]) -> Body:
        """The checked body of a POST. Raises WrongBody."""
        body = self.raw()
        if "version" in body and self.kit.switches["version_in_post"] == "refused":
            raise WrongBody(("version", "must not be sent"))
        return self.checked(body, allowed)

    def find(self, stream: str, number: int) -> tuple[Entry, Body]:
        """The record of this company and its whole form, once the user may change it. Raises NotThere, NotAllowed."""
        entry = self.records.find(self.company, stream, number)
        if entry is None:
            raise NotThere
        require(STREAMS[stream], entry.kind)
        return entry, self.records.whole(stream, entry)

    def judge_version(self, version: object, current: str) -> None:
        """The version must be sent and be the newest. Raises WrongBody, WrongVersion."""
        if not isinstance(version, str) or not version:
            raise WrongBody(("version", BLANK))
        if version != current:
            raise WrongVersion

    def open_year(self, on: str) -> None:
        """Raises NotAllowed when no open fiscal year has this day."""
        years = self.records.all(self.company, "fiscal_years")
        if not any(e.body["isOpen"] and e.body["startDate"] <= on <= e.body["endDate"] for e in years):
            raise NotAllowed(CLOSED)

    def create(self, stream: str, body: Body) -> Body:
        """Keep a new record under a version of its own, and an id unless it has one, and count it."""
        with self.records.alone():
            ident = body.get("id") or self.records.next_id(self.company, stream)
            whole = {"id": ident, **body, "version": self.records.version()}
            self.records.save(self.company, stream, whole)
            self.records.note_created(self.company, stream, whole)
        return whole

    def keep(self, stream: str, before: Body, body: Body) -> Body:
        """Keep a changed record under a new version."""
        whole = {**body, "version": self.records.version(before["version"])}
        self.records.save(self.company, stream, whole)
        return whole


def add_writing(app: Flask, writing: Writing) -> None:
    """POST, PUT, PATCH and DELETE of partners, products and ledger receipts."""
    _add_partners(app, writing)
    _add_products(app, writing)
    _add_receipts(app, writing)


def _add_partners(app: Flask, writing: Writing) -> None:
    def completed(body: Body) -> Body:
        if body["type"] == "CUSTOMER" and not body["address"]:
            raise WrongBody(("address", BLANK))
        require(STREAMS["partners"], body["type"])
        registry = body["registryInfo"] or dict.fromkeys(fields.PARTNER["registryInfo"].inside or {})
        active = registry["active"] is not False  # left out: active (assumed)
        billing = body["billingAddress"] or body["address"]
        return {**body, "billingAddress": billing, "registryInfo": {**registry, "active": active}}

    @app.post("/businesspartners")
    def add_partner() -> Body:
        body = completed(writing.new(fields.PARTNER))
        if body["type"] == "PERSON":
            raise WrongBody(("type", "must be CUSTOMER or SUPPLIER"))
        return writing.create("partners", body)

    @app.put("/businesspartners/<int:number>")
    def replace_partner(number: int) -> Body:
        with writing.records.alone():
            _, before = writing.find("partners", number)
            body = completed(writing.checked(writing.raw(), fields.PARTNER))
            return writing.keep("partners", before, {"id": number, **body})

    @app.patch("/businesspartners/<int:number>")
    def change_partner(number: int) -> Body:
        with writing.records.alone():
            entry, before = writing.find("partners", number)
            raw = writing.raw()
            if entry.kind == "PERSON":
                raise WrongBody(("type", "must be CUSTOMER or SUPPLIER"))
            writing.judge_version(raw.get("version") or request.args.get("version"), before["version"])
            some = {name: fields.PARTNER[name] for name in fields.PARTNER_PATCH if name in raw}
            body = writing.checked({name: value for name, value in raw.items() if name in some}, some)
            return writing.keep("partners", before, completed({**before, **body}))


def _add_products(app: Flask, writing: Writing) -> None:
    @app.post("/products")
    def add_product() -> Body:
        body = writing.new(fields.PRODUCT)
        require(STREAMS["products"], body["type"])
        return writing.create("products", body)

    @app.put("/products/<int:number>")
    def replace_product(number: int) -> Body:
        with writing.records.alone():
            _, before = writing.find("products", number)
            body = writing.checked(writing.raw(), fields.PRODUCT)
            return writing.keep("products", before, {"id": number, **body})

    @app.delete("/products/<int:number>")
    def remove_product(number: int) -> Response:
        with writing.records.alone():
            entry, _ = writing.find("products", number)
            if entry.kind == "TRAVEL":
                raise WrongBody(("type", "A product of type TRAVEL cannot be removed"))
            writing.records.drop(writing.company, "products", number)
        return Response(status=204)


def _add_receipts(app: Flask, writing: Writing) -> None:
    def completed(body: Body) -> Body:
        """Accounts exist, ids are given, and the rows come to nothing."""
        accounts = {e.body["ledgerAccountCode"] for e in writing.records.all(writing.company, "accounts")}
        wrong: validation.Wrong = [
            (f"transactions[{place}].account", "is not in the chart of accounts")
            for place, row in enumerate(body["transactions"])
            if row["account"] not in accounts
        ]
        if wrong:
            raise WrongBody(*wrong)
        rest = round(math.fsum(row["accountingValue"] for row in body["transactions"]), 2)
        if rest:
            if request.args.get("createReconciliation") != "true":
                raise WrongBody(("transactions", "The sum of the transactions must be zero"))
            filler = dict.fromkeys(fields.TRANSACTION) | {"transactionType": "RECONCILIATION_ENTRY"}
            filler |= {"account": min(accounts), "accountingValue": -rest, "vatPercent": 0, "dimensionItemValues": []}
            body["transactions"].append(filler)
        return body

    def numbered(whole: Body) -> Body:
        for place, row in enumerate(whole["transactions"], start=1):
            row["id"] = whole["id"] * 10 + place
        return whole

    @app.post("/ledgerreceipts")
    def add_receipt() -> Body:
        body = writing.new(fields.RECEIPT)
        require(STREAMS["ledger_receipts"], body["type"])
        if body["type"] != "JOURNAL":
            raise WrongBody(("type", "Only JOURNAL can be created"))
        writing.open_year(body["receiptDate"])
        with writing.records.alone():
            assigned: Body = {"status": "UNFINISHED", "created": writing.records.version(), "invoiceId": None}
            ident = writing.records.next_id(writing.company, "ledger_receipts")
            assigned |= {"id": ident, "receiptNumber": ident, "invoiceNumber": None, "serialNumber": None}
            return writing.create("ledger_receipts", numbered({**completed(body), **assigned}))

    @app.put("/ledgerreceipts/<int:number>")
    def replace_receipt(number: int) -> Body:
        with writing.records.alone():
            _, before = writing.find("ledger_receipts", number)
            raw = writing.raw()
            writing.judge_version(raw.get("version"), before["version"])
            body = completed(writing.checked(raw, fields.RECEIPT))
            if body["type"] != before["type"]:
                raise WrongBody(("type", "cannot be changed"))
            writing.open_year(before["receiptDate"])
            writing.open_year(body["receiptDate"])
            fixed = ("id", "status", "created", "invoiceId", "receiptNumber", "invoiceNumber", "serialNumber")
            assigned = {name: before[name] for name in fixed}
            return writing.keep("ledger_receipts", before, numbered({**body, **assigned}))

    def act(number: int, allowed: tuple[str, ...], status: str) -> Body:
        with writing.records.alone():
            entry, before = writing.find("ledger_receipts", number)
            if entry.kind != "JOURNAL" or before["status"] not in allowed:
                raise NotAllowed(WRONG_STATUS)
            writing.open_year(before["receiptDate"])
            writing.keep("ledger_receipts", before, {**before, "status": status})
        return {"message": f"Ledger receipt {number} is now {status}"}

    @app.put("/ledgerreceipts/<int:number>/approve")
    def approve_receipt(number: int) -> Body:
        return act(number, ("UNFINISHED",), "APPROVED")

    @app.put("/ledgerreceipts/<int:number>/invalidate")
    def invalidate_receipt(number: int) -> Body:
        return act(number, ("UNFINISHED", "APPROVED"), "INVALIDATED")

    @app.put("/ledgerreceipts/<int:number>/unfinished")
    def reopen_receipt(number: int) -> Body:
        return act(number, ("APPROVED", "INVALIDATED"), "UNFINISHED")
