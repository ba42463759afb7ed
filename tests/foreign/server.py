"""What all foreign servers have: a lock, a clock of their own, a token at the door, trouble, and lists."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.foreign import pages
from tests.foreign.bodies import dressed, error, page_of_html, waiting_time
from tests.foreign.books import Books, Collection, Entry, Literal, as_json
from tests.foreign.http_server import HttpServer, Request, Response
from tests.foreign.options import Options
from tests.foreign.pages import Listing, Page, Pager
from tests.foreign.tokens import Endpoint, Tokens

MOST_PAGES = 70  # of a list without end; by then whoever reads it reads without end, and is not let
NOTES = {
    "nul": "before\0after",
    "half": "cut \ud83d here",
    "reversed": "\ude00\ud83d",
    "controls": "\u0001\u007f\u2028\u0085",
    "astral": "\U0001f600 \u0633\u0644\u0627\u0645 \u0142",
}
NUMBERS = {
    "": "1250.50",
    "long": "12345678901234567.89",
    "huge": "98765432109876543210987654321",
    "tiny": "0.1000000000000000055511151231257827021181583404541015625",
    "fine": "-0.10",
}


class ForeignServer(ABC):
    """One company's server. `options` may be exchanged while it runs; `now` is its own clock, in seconds."""

    slug: str
    endpoint: Endpoint
    client: Mapping[str, str] = {"client_id": "pilotage-client", "client_secret": "client-secret-of-ours"}
    keys: Mapping[str, str]  # what a request with keys alone must bring
    records_on_a_page: int  # as documented, at most

    def __init__(
        self,
        options: Options,
        rng: random.Random,
        now: Callable[[], float],
        certificate: str,
        large: int,
        auth_method: str,
    ) -> None:
        self.options, self.rng, self.now, self.large, self.auth_method = options, rng, now, large, auth_method
        self.books = Books()
        self.tokens = Tokens(self.endpoint, self.client, self.keys, rng, now)
        self.requests = self.calls = 0
        self.log: list[str] = []
        self.trouble: list[str] = []
        self.waits: list[tuple[str, int]] = []
        self.waiting = ("", 0)  # the unit and the status of the time that somebody has to wait now
        self.held_until: float | None = None
        self._lock = threading.Lock()
        self._http = HttpServer(self._answer, certificate)
        self.address = f"https://127.0.0.1:{self._http.port}"
        self.pager = Pager(rng, self.address)
        self.fill()
        self.books.is_open = True

    # -- for the trial -----------------------------------------------------------------------------------------------

    @abstractmethod
    def fill(self) -> None:
        """The books as they are on the first day."""

    @abstractmethod
    def listing(self, request: Request) -> Listing | None:
        """The list that is asked for, None where it is none."""

    @abstractmethod
    def other(self, request: Request) -> Any:
        """What else is known at this address, as a value; None for nothing."""

    @abstractmethod
    def envelope(self, page: Page, records: list[str]) -> str:
        """The documented body of a list."""

    @abstractmethod
    def served(self, stream: str) -> Sequence[tuple[str, Collection, Callable[[Entry], bool]]]:
        """What a stream of ours is made of: (what its ids begin with, the collection, which of its entries)."""

    def behave(self, options: Options) -> None:
        with self._lock:
            self.options = options
            self.trouble = list(options.trouble)
            self.waits = list(options.waits)
            self.tokens.trouble = list(options.token_trouble)
            self.held_until, self.calls, self.tokens.given = None, 0, 0

    def heal(self) -> None:
        """From now on it is well, and so are its records; what is odd about them by right stays."""
        self.behave(Options())
        self.tokens.heal()
        self.pager.endless.clear()
        for collection in self.books.collections.values():
            for entry in list(collection.entries):
                entry.marks.pop("bad", None)
                if "invented" in entry.marks:
                    collection.remove(entry)

    def work(self) -> None:
        """A day at the company: something of each kind is changed, taken away and added."""
        with self._lock:
            for collection in self.books.collections.values():
                if len(collection.entries) > 2:
                    collection.change(collection.entries[0], name="Changed since")
                    collection.remove(collection.entries[-1])
                    collection.add(**collection.entries[0].marks)

    def stop(self) -> None:
        self._http.stop()

    def consent(self, url: str) -> dict[str, str]:
        """What the login page sends back with the browser, after a person said yes."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code", "response_type"
        assert asked["client_id"] == self.client["client_id"], "client_id"
        return {"code": self.tokens.new_code(), "state": asked.get("state", "")}

    # -- answering -----------------------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        with self._lock:
            self.requests += 1
            answer = self._judged(request)
            answer.headers += self.headers()
            query = {name: value for name, value in request.query.items() if name != "access_token"}
            self.log.append(f"{request.method} {request.path}?{urlencode(query)} {answer.status}")
            return answer

    def headers(self) -> list[tuple[str, str]]:
        """On every answer."""
        return []

    def _judged(self, request: Request) -> Response:
        if request.path == self.endpoint.path and request.method == "POST":
            return self.tokens.answer(request, self.options)
        if not self.tokens.accepts(self.token_of(request)):
            return self.unauthorized()
        self.calls += 1
        if (instead := self._instead()) is not None:
            return instead
        listing = self.listing(request)
        if listing is not None:
            return self._list(listing, request)
        found = self.other(request)
        return self._missing(request) if found is None else self._dressed(as_json(found))

    def _missing(self, request: Request) -> Response:
        return error(404)

    def token_of(self, request: Request) -> str:
        kind, _space, token = request.headers.get("authorization", "").partition(" ")
        return token if kind.lower() == "bearer" else ""

    def unauthorized(self) -> Response:
        return error(401)

    def _instead(self) -> Response | None:
        """What comes in place of an answer: a wait, or trouble."""
        if self.waits and (self.held_until is None or self.held_until <= self.now()):
            self.waiting = self.waits.pop(0)
            self.held_until = self.now() + self.options.wait_seconds
        if self.held_until is not None and (left := self.held_until - self.now()) > 0:
            unit, status = self.waiting
            answer = error(status)
            answer.headers += waiting_time(unit, left)
            return answer
        what = self.trouble.pop(0) if self.trouble else ""
        return self._troubled(what) if what else None

    def _troubled(self, what: str) -> Response:
        match what:
            case "cut":
                return Response(200, b"[" * 400, [("Content-Type", "application/json")], is_cut=True)
            case "half":
                return error(200, '[{"id": 1, "name": "half an ans')
            case "maintenance":
                return page_of_html(200)
            case "good-error":
                return error(200, '{"error": "server_busy", "message": "..."}')
            case "502-html" | "404-html" | "403-html":
                return page_of_html(int(what[:3]))
        return error(int(what))

    def _list(self, listing: Listing, request: Request) -> Response:
        if (refused := self.refused(listing)) is not None:
            return refused
        page = self.pager.page(listing, request, self.options)
        options = self.options
        if self.pager.endless[listing.collection.name] > MOST_PAGES:
            return error(500)
        if options.large_page and min(len(page.entries), page.size) > options.large_page:
            return error(504)
        if not page.entries and options.empty != "list" and options.status != 202:
            return self._nothing(options.empty)
        text = self.envelope(page, pages.rendered(page, options, self.rng))
        answer = self._dressed(text, status=options.status)
        answer.headers += page.headers
        if options.status == 206:
            answer.headers.append(("Content-Range", f"items 0-{len(page.entries)}/{len(page.entries) * 2}"))
        return answer

    def refused(self, listing: Listing) -> Response | None:
        """A list that is closed."""
        return None

    def _nothing(self, how: str) -> Response:
        match how:
            case "204":
                return Response(204)
            case "body":
                return Response(200, b"", [("Content-Type", "application/json")])
            case "404":
                return error(404, '{"message": "nothing found"}')
        text = {"null": "null", "object": "{}", "null-list": f'{{"{self.list_name()}": null}}'}[how]
        return self._dressed(text)

    def list_name(self) -> str:
        return "items"

    def _dressed(self, text: str, status: int = 200) -> Response:
        return dressed(text, self.options, status=status, content_type="application/json")

    # -- making records --------------------------------------------------------------------------------------------------

    def fields(self, number: int) -> dict[str, Any]:
        """What every kind of record has a little of: text beyond ASCII, and a number."""
        options = self.options
        odd = number % 5 == 2
        return {
            "name": f"Fr\u00e9d\u00e9ric & S\u00f6ner {number}",
            "note": NOTES[options.text] if odd and options.text else "line\nend \u20ac" if odd else None,
            "amount": Literal(NUMBERS[options.numbers] if odd else f"{number}.{number % 100:02d}"),
            "is_open": number % 2 == 0,
        }

    def fill_with(self, collection: Collection, count: int, **marks: str) -> None:
        for _ in range(count):
            collection.add(**marks)

    def spoil(self, collection: Collection) -> None:
        """One record of this collection is bad, where that is drawn."""
        if self.options.bad_record and collection.entries:
            entry = collection.entries[len(collection.entries) // 2]
            entry.marks["bad"] = self.options.bad_record

    def odd_id(self, number: int) -> Any:
        """A text id in the drawn manner."""
        match self.options.ids:
            case "odd":
                return f"K/{number} \u00c5&?#%{number}"
            case "long":
                return f"{'long-' * 20}{number:012d}"
            case "case":
                return f"{'k' if number % 2 else 'K'}{(number + 1) // 2}"
            case "zeros":
                return f"{'0' * (number % 3)}{(number + 2) // 3}"
            case "text":
                return f"text-{number}"
            case "big":
                return 2**53 + number
        return f"K{100420 + number}"


def object_around(records: list[str], name: str, more: Mapping[str, Any]) -> str:
    """`{"name": [...], ...}`; dots lead into objects of their own."""
    outer, _dot, inner = name.partition(".")
    body = f"[{','.join(records)}]" if not inner else object_around(records, inner, {})
    rest = "".join(f",{as_json(key)}:{as_json(value)}" for key, value in more.items() if value is not ...)
    return f'{{"{outer}":{body}{rest}}}'
