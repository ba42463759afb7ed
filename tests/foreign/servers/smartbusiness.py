"""SmartBusiness. Kept from its document: `items` and `pagination`, limit 1 to 200 and offset, sort, what may be asked `with`,
rate and request id headers on every answer, JSON at /auth/access-tokens, refresh tokens that work once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from tests.foreign.bodies import error
from tests.foreign.books import Collection, Entry
from tests.foreign.http_server import Request, Response
from tests.foreign.pages import Listing, Page
from tests.foreign.server import ForeignServer, object_around
from tests.foreign.tokens import Endpoint

LISTS = {
    "/v2/contacts": "contacts",
    "/v2/receivables/invoices": "invoices",
    "/v2/catalog/products": "products",
    "/v2/catalog/services": "services",
    "/v2/receivables/offers": "offers",
    "/v2/receivables/order-confirmations": "order_confirmations",
    "/v2/configuration/bank-accounts": "bank_accounts",
}
COUNTS = {"products": 4, "services": 0, "offers": 3, "order_confirmations": 0, "bank_accounts": 2}
SORTED_BY = ("id", "number", "name", "created")


class SmartBusinessServer(ForeignServer):
    slug = "smartbusiness"
    keys = {"client_id": "own-client", "client_secret": "secret-of-the-customer"}
    endpoint = Endpoint("/v2/auth/access-tokens", ("json", "form"), 43200.0, rotates=True, status=201)
    records_on_a_page = 200

    def fill(self) -> None:
        for name in LISTS.values():
            collection = self.books.collection(name, self._made)
            self.fill_with(collection, COUNTS.get(name, self.large if name == "invoices" else max(self.large // 5, 5)))
        self.spoil(self.books.collections["contacts"])

    def _made(self, number: int) -> dict[str, Any]:
        return {"id": 418_000_000 + 13 * number, "number": f"R-{number}", **self.fields(number)}

    def headers(self) -> list[tuple[str, str]]:
        held = self.held_until is not None and self.held_until > self.now()
        left = int((self.held_until or 0) - self.now()) + 1 if held else 3600
        return [
            ("X-Rate-Limit-Limit", "1000"),
            ("X-Rate-Limit-Remaining", "0" if held else "999"),
            ("X-Rate-Limit-Reset", str(left)),
            ("X-Request-Id", str(uuid.UUID(int=self.rng.getrandbits(128), version=4))),
            ("Access-Control-Allow-Origin", "*"),
        ]

    def unauthorized(self) -> Response:
        body = {
            "code": 0,
            "message": "Unauthorized",
            "meta": {"error_type": "access_denied", "hint": "The token is invalid"},
        }
        return error(401, json.dumps(body))

    def _judged(self, request: Request) -> Response:
        if request.path in LISTS and (refusal := self._refusal(request)):
            return error(400, json.dumps({"code": refusal, "message": "Bad request", "meta": {}}))
        return super()._judged(request)

    @staticmethod
    def _refusal(request: Request) -> int:
        limit, offset = request.query.get("limit", "100"), request.query.get("offset", "0")
        if request.query.get("sort", "id").lstrip("-") not in SORTED_BY:
            return 2102
        if not limit.isdigit() or not 1 <= int(limit) <= 200:
            return 2103
        return 0 if offset.isdigit() else 2104

    def listing(self, request: Request) -> Listing | None:
        name = LISTS.get(request.path)
        if name is None:
            return None
        return Listing(self.books.collections[name], "offset", default=100, first=0, name=name)

    def envelope(self, page: Page, records: list[str]) -> str:
        pagination: dict[str, Any] = {"page": page.start // page.size + 1, **page.links}
        if page.total is not None:
            pagination["total"] = page.total
        path = f"{self.address}/v2/list?limit={page.size}&offset="
        pagination |= {"first": f"{path}0"}
        if page.has_next and not page.links:
            pagination["next"] = f"{path}{page.start + page.size}"
        return object_around(records, "items", {"pagination": pagination})

    def other(self, request: Request) -> Any:
        if request.path == "/v2/auth/profile":
            return {"item": {"id": 311, "name": "Meier", "email": "m@example.com", "company_name": "Aamu Oy"}}
        return {"item": {"id": 311, "name": "Meier"}} if request.path == "/v2/auth/owner" else None

    def served(self, stream: str) -> Sequence[tuple[str, Collection, Callable[[Entry], bool]]]:
        return [("", self.books.collections[stream], lambda entry: True)]
