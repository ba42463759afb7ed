"""Simutek GKS4. Kept from its document: a form at /connect/token without a scope, Content-Type on every call, pages from 1 of 50
to 100 customers, text numbers. Envelope, order, totals and errors are open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.foreign.bodies import error
from tests.foreign.books import Collection, Entry
from tests.foreign.http_server import Request, Response
from tests.foreign.pages import Listing, Page
from tests.foreign.server import ForeignServer
from tests.foreign.servers.open_lists import TOTALS, enveloped
from tests.foreign.tokens import Endpoint


class SimutekServer(ForeignServer):
    slug = "simutek"
    keys = {"client_id": "theirs", "client_secret": "secret-of-the-customer"}
    endpoint = Endpoint("/connect/token", ("form",), 3600.0, prefix="eyJ")
    records_on_a_page = 100

    def fill(self) -> None:
        self.total_name = self.rng.choice(TOTALS)
        customers = self.books.collection("customers", self._customer, key="number")
        if self.options.empty == "list" or self.large % 2:
            self.fill_with(customers, self.large)
        self.spoil(customers)

    def _customer(self, number: int) -> dict[str, Any]:
        address = {"address1": f"Gatan {number}", "address2": None, "city": "Ume\u00e5", "zipCode": "903 47"}
        return {"number": self.odd_id(number), **self.fields(number), "invoiceEmail": None, "postalAddress": address}

    def _judged(self, request: Request) -> Response:
        if request.method == "GET" and "json" not in request.headers.get("content-type", ""):
            return error(415)
        return super()._judged(request)

    def listing(self, request: Request) -> Listing | None:
        if request.path != "/api/v1/companies":
            return None
        customers = self.books.collections["customers"]
        return Listing(customers, "page", most=100, size="pageSize", place="page", name="companies")

    def envelope(self, page: Page, records: list[str]) -> str:
        return enveloped(page, records, self.options, usual="items", total_name=self.total_name)

    def other(self, request: Request) -> Any:
        wanted = request.path.removeprefix("/api/v1/customers/")
        found = [each for each in self.books.collections["customers"].entries if str(each.id) == wanted]
        return {"number": found[0].id, **found[0].fields} if found else None

    def served(self, stream: str) -> Sequence[tuple[str, Collection, Callable[[Entry], bool]]]:
        return [("", self.books.collections["customers"], lambda entry: True)]
