"""One list of each provider, behind a real socket, kept by a server that differs wherever the document leaves it open.

Written from the providers' documents; it shares no code with the engine or the simulators.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connections.providers.registry import all_providers

RIGHTS = {
    area: dict.fromkeys(names, "ALL_RIGHTS")
    for area, names in {
        "sales": ("customerRegister", "salesInvoiceSearch", "productRegister"),
        "purchases": ("supplierRegister", "purchaseInvoiceSearch"),
        "payments": ("bankStatementAndReferencePayment",),
        "accounting": ("accountingReports", "journalReceiptSearch"),
    }.items()
}
TOKEN = {"access_token": "tok-0123456789", "token_type": "Bearer", "expires_in": 3600}


@dataclass(frozen=True)
class Dialect:
    """How a provider's lists are asked for, by its document: `slug`, the stream tried, its path, key and paging."""

    slug: str
    stream: str
    path: str
    key: str
    paging: str  # after, number, offset, whole
    name: str  # where its list stands; "" for a bare one
    total: str = ""  # where its document puts the total


DIALECTS = {
    each.slug: each
    for each in (
        Dialect("procountor", "invoices", "/invoices", "id", "after", "results", "meta.totalCount"),
        Dialect("smartbusiness", "contacts", "/contacts", "id", "offset", "items", "pagination.total"),
        Dialect("simutek", "customers", "/companies", "number", "number", "items"),
        Dialect("hesabit", "customers", "/customers", "id", "number", ""),
        Dialect("pentamic", "customers", "/customers", "id", "whole", ""),
    )
}


def paging_of(slug: str) -> Any:
    """How the engine asks for this list."""
    return all_providers()[slug].stream(DIALECTS[slug].stream).paging


@dataclass
class ListServer:
    """`rows` are served in their order; the switches say how. `asked` keeps the query of every list call."""

    dialect: Dialect
    rows: list[dict[str, Any]] = field(default_factory=list)
    holds: int = 10**9  # of a page, whatever is asked for
    total: Any = None  # a number, or a function of the rows shown; None tells none
    beside: dict[str, Any] = field(default_factory=dict)  # more at the top of the answer
    ignores_paging: bool = False
    before: Callable[[int], None] = lambda number: None  # is told the number of each list call
    instead: Callable[[int, dict[str, str], str], tuple[int, bytes] | None] = lambda number, query, path: None
    wrap: Callable[[Any], Any] = lambda body: body
    headers: dict[str, str] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)  # answers to other paths
    asked: list[dict[str, str]] = field(default_factory=list)

    def fill(self, count: int) -> None:
        self.rows = [self.row(number) for number in range(1, count + 1)]

    def row(self, number: int) -> dict[str, Any]:
        value: Any = f"K{number:06}" if self.dialect.key == "number" else number
        return {self.dialect.key: value, "name": f"n{number}"}

    def drop(self, number: int) -> None:
        gone = self.row(number)[self.dialect.key]
        self.rows = [row for row in self.rows if row[self.dialect.key] != gone]

    def behave(self, line: Any) -> None:
        url = urlsplit(line.asked.split()[1])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if line.asked.startswith("POST"):
            line.answer(200, TOKEN)
        elif url.path.endswith("/users/rights"):
            line.answer(200, {"rights": RIGHTS})
        elif url.path.endswith(self.dialect.path):
            self.asked.append(query)
            number = len(self.asked)
            self.before(number)
            found = self.instead(number, query, line.head.decode())
            status, body = found if found else (200, json.dumps(self.page(query)).encode())
            line.answer(status, body, Content_Type="application/json", **self.headers)
        else:
            name = next((name for name in self.others if url.path.endswith(name)), None)
            found = self.others[name](line) if name else (404, b"{}")
            line.answer(*found, Content_Type="application/json")

    def page(self, query: dict[str, str]) -> Any:
        shown = self.shown(query)
        told = self.total(shown) if callable(self.total) else self.total
        body: dict[str, Any] = dict(self.beside)
        if self.dialect.total and told is not None:
            outer, inner = self.dialect.total.split(".")
            body[outer] = {inner: told}
        elif told is not None:
            body["totalCount"] = told
        if not self.dialect.name and not body:
            return self.wrap(shown)
        body[self.dialect.name or "data"] = shown
        return self.wrap(body)

    def shown(self, query: dict[str, str]) -> list[dict[str, Any]]:
        size = int(query.get("size") or query.get("limit") or query.get("pageSize") or 10**9)
        size, rows = min(size, self.holds), self.rows
        if self.dialect.paging == "whole":
            return rows
        if self.ignores_paging:
            return rows[: self.holds]
        if self.dialect.paging == "after":
            rows = [row for row in rows if row["id"] > int(query.get("previousId", 0))]
            return rows[:size]
        begin = int(query["offset"]) if self.dialect.paging == "offset" else (int(query["page"]) - 1) * size
        return rows[begin : begin + size]
