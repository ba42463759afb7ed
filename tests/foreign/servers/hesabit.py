"""Hesabit. Kept from its document: JSON at /oauth2/token, ten hours of life, a refresh without a new refresh token, the token in
the address, Content-Type on every call, `limit`. Everything else about lists is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.foreign.bodies import error
from tests.foreign.books import Collection, Entry
from tests.foreign.http_server import Request, Response
from tests.foreign.pages import Listing, Page
from tests.foreign.server import ForeignServer
from tests.foreign.servers.open_lists import TOTALS, enveloped
from tests.foreign.tokens import Endpoint

LISTS = ("customers", "invoices", "items")


class HesabitServer(ForeignServer):
    slug = "hesabit"
    keys: Mapping[str, str] = {}
    endpoint = Endpoint("/oauth2/token", ("json",), 36000.0, scope="write")
    records_on_a_page = 100

    def fill(self) -> None:
        self.total_name = self.rng.choice(TOTALS)
        for name, count in {"customers": self.large, "invoices": max(self.large // 3, 4), "items": 0}.items():
            self.fill_with(self.books.collection(name, self._made), count, open="yes")
        self.spoil(self.books.collections["customers"])

    def _made(self, number: int) -> dict[str, Any]:
        id_ = 900 + number if self.options.ids in ("", "mixed") else self.odd_id(number)
        created = str(1_700_000_000 + number) if number % 2 else 1_700_000_000 + number
        return {"id": id_, **self.fields(number), "created": created, "mobile": "\u06f0\u06f9\u06f1\u06f2"}

    def token_of(self, request: Request) -> str:
        return request.query.get("access_token", "")

    def _judged(self, request: Request) -> Response:
        if request.method == "GET" and "json" not in request.headers.get("content-type", ""):
            return error(415)
        return super()._judged(request)

    def listing(self, request: Request) -> Listing | None:
        name = request.path.removeprefix("/v1/").rstrip("/")
        if name not in LISTS:
            return None
        return Listing(self.books.collections[name], "page", default=20, most=100, place="page", name=name)

    def envelope(self, page: Page, records: list[str]) -> str:
        return enveloped(page, records, self.options, usual="bare", total_name=self.total_name)

    def other(self, request: Request) -> Any:
        return None

    def served(self, stream: str) -> Sequence[tuple[str, Collection, Callable[[Entry], bool]]]:
        return [("", self.books.collections[stream], lambda entry: True)]
