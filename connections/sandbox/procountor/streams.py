"""The records of every company in memory, ready encoded, with their touches kept in the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import invented
from connections.sandbox.procountor.office import COMPANIES, FIRST_USER, Refused

STREAMS = ("partners", "invoices")
# The document gives date-times without a zone; that they are Finnish local time is inferred.
FINLAND = ZoneInfo("Europe/Helsinki")


@dataclass(frozen=True)
class Entry:
    """One record: what lists sort and filter by, and its encoded list form."""

    id: int
    kind: str
    status: str
    version: str
    billed: str
    active: bool
    creator: int
    body: dict[str, Any]
    encoded: bytes


def entry(body: dict[str, Any]) -> Entry:
    return Entry(
        id=body["id"],
        kind=body["type"],
        status=body.get("status", ""),
        version=body["version"],
        billed=body.get("date", ""),
        active=body.get("registryInfo", {}).get("active", True),
        creator=body.get("creatorId", 0),
        body=body,
        encoded=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    )


class Records:
    """All companies' streams; a touch replaces a whole list, so that a page being built never sees half a change."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._held: dict[tuple[int, str], list[Entry]] = {}
        self._base: dict[tuple[int, str], dict[int, dict[str, Any]]] = {}
        for number, (company, *_) in enumerate(COMPANIES):
            partners = invented.partners(company, kit.records)
            self._take(company, "partners", partners)
            self._take(company, "invoices", invented.invoices(company, kit.records, FIRST_USER + number, partners))

    def reset(self) -> None:
        """Take all touches back."""
        self._kit.store.write("DELETE FROM touched")
        for (company, stream), base in self._base.items():
            self._take(company, stream, list(base.values()))

    def _take(self, company: int, stream: str, bodies: list[dict[str, Any]]) -> None:
        base = self._base[company, stream] = {body["id"]: body for body in bodies}
        now = dict(base)
        for row in self._kit.store.rows("SELECT * FROM touched WHERE company_id = ? AND stream = ?", company, stream):
            if row["id"] in base:
                now[row["id"]] = self._after(row, base[row["id"]])
        self._held[company, stream] = [entry(body) for body in now.values()]

    @staticmethod
    def _after(row: Any, body: dict[str, Any]) -> dict[str, Any]:
        active = None if row["active"] is None else bool(row["active"])
        return invented.touched(body, stream=row["stream"], times=row["times"], version=row["version"], active=active)

    def all(self, company: int, stream: str) -> Sequence[Entry]:
        """Every record, hidden ones too, by id ascending."""
        return self._held[company, stream]

    def touch(self, company: int, stream: str, ids: Iterable[int], *, active: bool | None = None) -> str:
        """Change these records as if somebody had saved them now; returns their new version. Raises Refused."""
        base, wanted = self._base[company, stream], set(ids)
        if strange := wanted - set(base):
            raise Refused(
                field="ids",
                message=f"There is no record {sorted(strange)[0]} among the {stream} of company {company}.",
            )
        version = datetime.fromtimestamp(self._kit.clock.now(), tz=FINLAND).strftime("%Y-%m-%dT%H:%M:%S")
        sql = """INSERT INTO touched (company_id, stream, id, times, version, active) VALUES (?, ?, ?, 1, ?, ?)
            ON CONFLICT DO UPDATE SET times = times + 1, version = excluded.version,
                active = coalesce(excluded.active, active)
            RETURNING *"""
        with self._kit.store.transaction():
            changed = {}
            for number in wanted:
                row = self._kit.store.row(sql, company, stream, number, version, active)
                changed[number] = entry(self._after(row, base[number]))
            self._held[company, stream] = [changed.get(held.id, held) for held in self._held[company, stream]]
        return version

    def full(self, stream: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return invented.full_partner if stream == "partners" else invented.full_invoice
