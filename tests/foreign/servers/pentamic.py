"""Pentamic. Kept from its document: a form at /connect/token with the scope, customers as a bare list in one answer, tax codes
as bare digits that may begin with 0, JSON and XML, 403 with a code for what is not there, a certificate signed by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from tests.foreign.bodies import dressed, error
from tests.foreign.books import Collection, Entry, Literal, as_json
from tests.foreign.http_server import Request, Response
from tests.foreign.pages import Listing, Page, fields_of
from tests.foreign.server import ForeignServer
from tests.foreign.servers.open_lists import enveloped
from tests.foreign.tokens import Endpoint

INVOICES = re.compile(r"/api/customers/([^/]+)/invoices")
NAMESPACE = (
    'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://schemas.datacontract.org/2004/07/Books.Api"'
)
MOST_PARENTS = 12


class PentamicServer(ForeignServer):
    slug = "pentamic"
    keys = {"client_id": "theirs", "client_secret": "secret-of-the-customer", "scope": "books"}
    endpoint = Endpoint("/connect/token", ("form",), 3600.0, prefix="eyJh")
    records_on_a_page = 10**6
    _is_xml = False

    def fill(self) -> None:
        if self.auth_method == "xml" and self.options.text not in ("", "astral"):
            self.options = replace(self.options, text="astral")  # XML has no way to write the others
        customers = self.books.collection("customers", self._customer)
        invoices = self.books.collection("invoices", self._invoice)
        self.fill_with(customers, min(self.large, MOST_PARENTS))
        for number, customer in enumerate(customers.entries):
            for _ in range((0, 3, 1)[number % 3]):
                invoices.add(part=str(customer.id))
        self.spoil(customers)

    def _customer(self, number: int) -> dict[str, Any]:
        code, phone = Literal(f"0{312345678 + number}"), f"028{number:07d}"
        made = {"id": 204_410 + number, **self.fields(number), "taxCode": code, "phone": phone}
        if self.options.ids == "text":
            made["id"] = f"KH-{number}"
        elif self.options.ids == "big":
            made["id"] = 2**53 + number
        if not self.options.elements or self.auth_method != "xml":
            return made
        match self.options.elements:
            case "two" if number == 3:
                made["phone"] = ["0281", "0282"]
            case "one-of-two":
                made["lines"] = {"line": ["a", "b"] if number % 2 else ["c"]}
            case "nested":
                lines = [{"no": str(each), "sum": f"{number}.{each}0"} for each in range(1, 2 + number % 3)]
                made["lines"] = {"line": lines}
        return made

    def _invoice(self, number: int) -> dict[str, Any]:
        return {"id": number, "number": f"HD{number:05d}", **self.fields(number), "date": "2026-03-05T00:00:00"}

    def listing(self, request: Request) -> Listing | None:
        path = request.path.rstrip("/")
        if path == "/api/customers":
            return Listing(self.books.collections["customers"], name="customers")
        if (found := INVOICES.fullmatch(path)) and self._find(found[1]):
            part = str(self._find(found[1]).id)  # type: ignore[union-attr]
            return Listing(
                self.books.collections["invoices"],
                name="invoices",
                part=part,
                select=lambda entry: entry.marks.get("part") == part,
            )
        return None

    def _missing(self, request: Request) -> Response:
        if not INVOICES.fullmatch(request.path.rstrip("/")):
            return error(404)
        if self._is_xml:
            return error(403, "<Error><error>ID_NOTFOUND</error></Error>", "application/xml")
        return error(403, json.dumps({"error": "ID_NOTFOUND"}))

    def _find(self, given: str) -> Entry | None:
        wanted = given.removesuffix(".0")
        return next((each for each in self.books.collections["customers"].entries if str(each.id) == wanted), None)

    def _judged(self, request: Request) -> Response:
        self._is_xml = "xml" in request.headers.get("accept", "")
        return super()._judged(request)

    def other(self, request: Request) -> Any:
        return None

    def refused(self, listing: Listing) -> Response | None:
        is_closed = listing.name == "invoices" and listing.part[-1] in "13579"
        return error(self.options.closed) if self.options.closed and is_closed else None

    def envelope(self, page: Page, records: list[str]) -> str:
        if not self._is_xml:
            if self.options.has_capitals:
                values = [fields_of(each, "id", self.options, self.rng) for each in page.entries]
                records = [as_json(_capitals(each)) for each in values]
            return enveloped(page, records, self.options, usual="bare", total_name="total")
        kind = {"customers": "Customer", "invoices": "Invoice"}[page.listing.name]
        values = [fields_of(each, "id", self.options, self.rng) for each in page.entries]
        inner = "".join(_element(kind, each) for each in values)
        charset = self.options.charset or "utf-8"
        return f'<?xml version="1.0" encoding="{charset}"?><ArrayOf{kind} {NAMESPACE}>{inner}</ArrayOf{kind}>'

    def _nothing(self, how: str) -> Response:
        if self._is_xml and how not in ("204", "body", "404"):
            return self._dressed(f"<ArrayOfCustomer {NAMESPACE}/>")
        return super()._nothing(how)

    def _dressed(self, text: str, status: int = 200) -> Response:
        content_type = "application/xml" if self._is_xml else "application/json"
        return dressed(text, self.options, status=status, content_type=content_type)

    def served(self, stream: str) -> Sequence[tuple[str, Collection, Callable[[Entry], bool]]]:
        customers, invoices = self.books.collections["customers"], self.books.collections["invoices"]
        if stream == "customers":
            return [("", customers, lambda entry: True)]
        # Of a customer that is gone, or whose id nobody is told, nobody can ask for anything.
        asked = {str(each.id) for each in customers.entries if "bad" not in each.marks}
        if self.options.closed:
            asked = {each for each in asked if each[-1] not in "13579"}
        return [
            (f"{each.id}/", invoices, _of(str(each.id), is_asked=str(each.id) in asked)) for each in customers.known()
        ]

    def unauthorized(self) -> Response:
        return error(401, json.dumps({"Message": "Authorization has been denied for this request."}))


def _of(part: str, *, is_asked: bool) -> Callable[[Entry], bool]:
    return lambda entry: is_asked and entry.marks.get("part") == part


def _capitals(value: Any) -> Any:
    return {name[:1].upper() + name[1:]: each for name, each in value.items()} if isinstance(value, dict) else value


def _element(name: str, value: Any) -> str:
    """Names with a capital, in alphabetical order, a list as its element again and again."""
    match value:
        case list():
            return "".join(_element(name, each) for each in value)
        case dict():
            inner = "".join(_element(key[:1].upper() + key[1:], value[key]) for key in sorted(value))
            return f"<{name}>{inner}</{name}>"
        case None:
            return f'<{name} i:nil="true"/>'
        case bool():
            return f"<{name}>{str(value).lower()}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"
