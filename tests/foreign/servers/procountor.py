"""Procountor. Kept from its document: paths and versions, `results` and `meta`, previousId, page size 50 to 200, lists that
are not paged, account numbers in headers, inactive partners and travel products that are hidden unless asked for, form
bodies at /oauth/token, an hour of life, refresh tokens that stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.foreign.bodies import error
from tests.foreign.books import Collection, Entry, Literal
from tests.foreign.http_server import Request, Response
from tests.foreign.pages import Listing, Page
from tests.foreign.server import ForeignServer, object_around
from tests.foreign.tokens import Endpoint

PREFIX = re.compile(r"/(?:latest|supported|v\d{4})?/?api(?=/)")
FINLAND = ZoneInfo("Europe/Helsinki")
PAGED = {
    "/businesspartners": "partners",
    "/products": "products",
    "/invoices": "invoices",
    "/ledgerreceipts": "ledger_receipts",
    "/payments": "payments",
    "/bankaccounts": "bank_accounts",
    "/referencepayments": "reference_payments",
    "/bankstatements": "bank_statements",
}
WHOLE = {"/dimensions": "dimensions", "/coa": "accounts", "/fiscalyears": "fiscal_years"}
OF_ACCOUNTS = ("reference_payments", "bank_statements")
COMPANY = {"companyId": 5501, "name": "Aamu Oy", "country": "FINLAND", "productVersion": "FINANCIALS", "userId": 77}
RIGHTS = {
    "sales": ("salesInvoiceSearch", "customerRegister", "productRegister"),
    "purchases": ("purchaseInvoiceSearch", "supplierRegister"),
    "accounting": ("journalReceiptSearch", "accountingReports"),
    "payments": ("bankStatementAndReferencePayment",),
}


class ProcountorServer(ForeignServer):
    slug = "procountor"
    keys = {**ForeignServer.client, "api_key": "eyJ-an-api-key-of-a-technical-user"}
    endpoint = Endpoint("/latest/api/oauth/token", ("form",), 3600.0, has_type=False, prefix="", refusal=401)
    records_on_a_page = 200

    def fill(self) -> None:
        make = {name: self.books.collection(name, self._maker(name)) for name in PAGED.values()}
        make["bank_accounts"].make = self._account
        make |= {name: self.books.collection(name, self._maker(name)) for name in ("dimensions", "fiscal_years")}
        make["accounts"] = self.books.collection("accounts", self._ledger_account, key="ledgerAccountCode")
        for collection in make.values():
            collection.stamp = lambda: {"version": self._version(0)}
        for number in range(max(self.large // 4, 5)):
            make["partners"].add(active="false" if number % 4 == 3 else "true")
        for number in range(max(self.large // 2, 6)):
            make["products"].add(type=("SALES", "PURCHASE")[number % 2])
        if self.options.has_hidden:
            self.fill_with(make["products"], 3, type="TRAVEL")
        self.fill_with(make["invoices"], self.large)
        for name, count in {
            "ledger_receipts": 3,
            "bank_accounts": 4,
            "dimensions": 3,
            "fiscal_years": 2,
            "accounts": 4,
        }.items():
            self.fill_with(make[name], count)
        for number, account in enumerate(make["bank_accounts"].entries):
            part = str(account.fields["accountNumber"])
            self.fill_with(make["bank_statements"], 2 + number, part=part)
            self.fill_with(make["reference_payments"], number % 3, part=part)
        self.spoil(make["invoices"])

    def _maker(self, name: str) -> Callable[[int], dict[str, Any]]:
        def make(number: int) -> dict[str, Any]:
            base = 10_000 + 7 * number
            return {"id": base, **self.fields(number), "version": self._version(number % 40)}

        return make

    def _account(self, number: int) -> dict[str, Any]:
        return {"id": 40 + number, "accountNumber": f"FI21 1234 5600 0007 {number:02d}", **self.fields(number)}

    def _ledger_account(self, number: int) -> dict[str, Any]:
        return {"ledgerAccountCode": str(1000 + 10 * number), **self.fields(number)}

    @staticmethod
    def _version(days: int) -> str:
        return (datetime.now(FINLAND) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")

    def _judged(self, request: Request) -> Response:
        path = PREFIX.sub("", request.path)
        if path == request.path:
            return error(404)
        if path == "/oauth/token" and request.method == "POST":
            return self.tokens.answer(request, self.options)
        return super()._judged(Request(request.method, path, request.query, request.headers, request.body))

    def listing(self, request: Request) -> Listing | None:
        if name := WHOLE.get(request.path):
            return Listing(self.books.collections[name], name=name)
        name = PAGED.get(request.path, "")
        if not name:
            return None
        part = request.headers.get("accountnumber", "") if name in OF_ACCOUNTS else ""
        is_descending = name != "products" and request.query.get("orderById", "DESC") != "ASC"
        return Listing(
            self.books.collections[name],
            "after",
            size="size",
            place="previousId",
            name=name,
            select=self._selected(name, part, request),
            part=part + request.query.get("active", "") + request.query.get("type", ""),
            is_descending=is_descending,
        )

    @staticmethod
    def _selected(name: str, part: str, request: Request) -> Callable[[Entry], bool]:
        since = request.query.get("versionStartDate", "")
        active = request.query.get("active", "true")
        kinds = [request.query["type"]] if request.query.get("type") else ["SALES", "PURCHASE"]

        def select(entry: Entry) -> bool:
            if since and str(entry.fields.get("version", "")) < since:
                return False
            if name == "partners":
                return entry.marks.get("active", "true") == active
            if name == "products":
                return entry.marks.get("type", "SALES") in kinds
            return not part or entry.marks.get("part") == part

        return select

    def refused(self, listing: Listing) -> Response | None:
        is_closed = listing.name in OF_ACCOUNTS and listing.part[-1:] in "13579" and listing.part
        return error(self.options.closed) if self.options.closed and is_closed else None

    def envelope(self, page: Page, records: list[str]) -> str:
        if page.listing.name == "dimensions":
            return f"[{','.join(records)}]"
        if page.listing.mode == "whole":
            name = {"accounts": "ledgerAccounts", "fiscal_years": "fiscalYears"}[page.listing.name]
            return object_around(records, name, {})
        total = ... if page.total is None else page.total
        number = page.start // page.size
        meta = {"pageNumber": number, "pageSize": page.size, "resultCount": len(page.entries), "totalCount": total}
        told = {name: value for name, value in meta.items() if value is not ...}
        return object_around(records, "results", {"meta": {**told, **page.links}})

    def list_name(self) -> str:
        return "results"

    def other(self, request: Request) -> Any:
        match request.path:
            case "/users/rights":
                return {
                    "role": "CUSTOM",
                    "rights": {part: dict.fromkeys(names, "ALL_RIGHTS") for part, names in RIGHTS.items()},
                }
            case "/sessioninfo":
                return {**COMPANY, "userName": "pilotage api"}
            case "/company":
                return {"id": COMPANY["companyId"], "name": COMPANY["name"], "rate": Literal("1.0")}
            case "/logout":
                return {}
        return None

    def served(self, stream: str) -> Sequence[tuple[str, Collection, Callable[[Entry], bool]]]:
        accounts = {str(each.fields["accountNumber"]) for each in self.books.collections["bank_accounts"].entries}

        def is_open(entry: Entry) -> bool:
            if stream not in OF_ACCOUNTS:
                return True
            part = entry.marks["part"]  # of an account that is gone, nobody can ask for anything
            return part in accounts and not (self.options.closed and part[-1] in "13579")

        return [("", self.books.collections[stream], is_open)]
