"""The records of both shops: generated ones in memory, with every change kept in the store over them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connections.sandbox.hesabit import sample_data
from connections.sandbox.hesabit.errors import encode
from connections.sandbox.hesabit.sample_data import STREAMS, Body
from connections.sandbox.hesabit.serializers import Style, serialize
from connections.sandbox.kit import Kit

TOUCHED = {"customers": "address", "invoices": "note", "items": "description"}
EDITED = "ویرایش"


class Entry:
    """One record and its encoded forms, each made when it is first served."""

    __slots__ = ("_encoded", "body", "id", "stream")

    def __init__(self, stream: str, body: Body) -> None:
        self.id: int = body["id"]
        self.stream, self.body = stream, body
        self._encoded: dict[Style, bytes] = {}

    def encoded(self, style: Style) -> bytes:
        if style not in self._encoded:
            self._encoded[style] = encode(serialize(self.stream, self.body, style))
        return self._encoded[style]


@dataclass(frozen=True)
class Shelf:
    """One shop's stream as it stands now, by id; a change makes a new one, so that a page never sees half of it."""

    by_id: dict[int, Entry]
    entries: list[Entry]


class Records:
    """Reads and changes all shelves; each is generated when it is first asked for."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._store = kit, kit.store
        self._generated: dict[tuple[int, str], list[Entry]] = {}
        self._shelves: dict[tuple[int, str], Shelf] = {}

    def reset(self) -> None:
        """Every record as on the first day."""
        with self._store.transaction():
            for emptied in ("DELETE FROM changed", "DELETE FROM counted", "DELETE FROM made"):
                self._store.write(emptied)
            self._shelves.clear()

    # -- reading ---------------------------------------------------------------------------------------------------

    def shelf(self, shop: int, stream: str) -> Shelf:
        shelf = self._shelves.get((shop, stream))
        if shelf is None:
            with self._store.transaction():
                shelf = self._shelves.get((shop, stream)) or self._put_up(shop, stream)
        return shelf

    def _put_up(self, shop: int, stream: str) -> Shelf:
        generated = self._generated.setdefault((shop, stream), [])
        count = self._count(shop, stream)
        for serial in range(len(generated), count):
            generated.append(Entry(stream, sample_data.record(shop, stream, serial, self._kit.records)))
        by_id = {entry.id: entry for entry in generated[:count]}
        for row in self._store.rows("SELECT * FROM changed WHERE shop_id = ? AND stream = ?", shop, stream):
            if row["body"] is None:
                by_id.pop(row["id"], None)
            else:
                by_id[row["id"]] = Entry(stream, json.loads(row["body"]))
        return self._stand(shop, stream, by_id)

    def _stand(self, shop: int, stream: str, by_id: dict[int, Entry]) -> Shelf:
        shelf = Shelf(by_id, [by_id[number] for number in sorted(by_id)])
        self._shelves[shop, stream] = shelf
        return shelf

    def _count(self, shop: int, stream: str) -> int:
        row = self._store.row("SELECT generated FROM counted WHERE shop_id = ? AND stream = ?", shop, stream)
        return sample_data.count(shop, stream, self._kit.records) if row is None else int(row["generated"])

    # -- writing ---------------------------------------------------------------------------------------------------

    def make(self, shop: int, stream: str, body: Body) -> Entry:
        """Add a record made over the API: its id and both instants are given here, an invoice's number if it has none."""
        with self._store.transaction():
            sql = "INSERT INTO made (shop_id, stream, body) VALUES (?, ?, ?)"
            serial = self._store.write(sql, shop, stream, json.dumps(body)).lastrowid or 0
            now, number = (
                str(int(self._kit.clock.now())),
                sample_data.ident(shop, stream, sample_data.MADE_FROM + serial),
            )
            record = {"id": number, **body, "created": now, "updated": now}
            if stream == "invoices" and not record["number"]:
                record["number"] = str(number)
            return self._keep(shop, stream, record)

    def edit(self, shop: int, stream: str, body: Body) -> Entry:
        """Put this in the place of what was there."""
        return self._keep(shop, stream, body | {"updated": str(int(self._kit.clock.now()))})

    def _keep(self, shop: int, stream: str, body: Body) -> Entry:
        entry = Entry(stream, body)
        with self._store.transaction():
            shelf = self.shelf(shop, stream)
            sql = "INSERT OR REPLACE INTO changed (shop_id, stream, id, body) VALUES (?, ?, ?, ?)"
            self._store.write(sql, shop, stream, entry.id, json.dumps(body, ensure_ascii=False))
            self._stand(shop, stream, {**shelf.by_id, entry.id: entry})
        return entry

    def remove(self, shop: int, stream: str, ids: Iterable[int]) -> None:
        removed = set(ids)
        with self._store.transaction():
            shelf = self.shelf(shop, stream)
            sql = "INSERT OR REPLACE INTO changed (shop_id, stream, id) VALUES (?, ?, ?)"
            for number in removed:
                self._store.write(sql, shop, stream, number)
            self._stand(shop, stream, {number: each for number, each in shelf.by_id.items() if number not in removed})

    def touch(self, shop: int, stream: str, ids: Iterable[int]) -> None:
        """Change these as if a person had edited them in the panel."""
        name = TOUCHED[stream]
        for number in ids:
            with self._store.transaction():
                body = self.shelf(shop, stream).by_id[number].body
                before = str(body[name] or "")
                times = int(before.removeprefix(EDITED)) + 1 if before.startswith(EDITED) else 1
                self.edit(shop, stream, body | {name: f"{EDITED} {times}"})

    def resize(self, shop: int, stream: str, count: int) -> None:
        """Cut, the newest first, or generate, until exactly so many are there."""
        with self._store.transaction():
            entries = self.shelf(shop, stream).entries
            self.remove(shop, stream, [entry.id for entry in entries[count:]])
            if short := max(0, count - len(entries)):
                sql = "INSERT OR REPLACE INTO counted (shop_id, stream, generated) VALUES (?, ?, ?)"
                self._store.write(sql, shop, stream, self._count(shop, stream) + short)
                self._put_up(shop, stream)

    # -- counts ----------------------------------------------------------------------------------------------------

    def created(self) -> dict[str, int]:
        rows = self._store.rows("SELECT stream, count(*) AS times FROM made GROUP BY stream")
        return dict.fromkeys(STREAMS, 0) | {row["stream"]: row["times"] for row in rows}

    def find(self, shop: int, stream: str, field: str, value: str) -> dict[str, Any]:
        """Which records have this value in a field now, and how many were created with it over the API."""

        def same(body: Body) -> bool:
            return str(body.get(field)) == value

        rows = self._store.rows("SELECT body FROM made WHERE shop_id = ? AND stream = ?", shop, stream)
        ids = [entry.id for entry in self.shelf(shop, stream).entries if same(entry.body)]
        return {"count": len(ids), "ids": ids, "created": sum(same(json.loads(row["body"])) for row in rows)}
