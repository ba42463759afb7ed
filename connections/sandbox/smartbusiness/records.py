"""The records of every company: generated ones ready encoded in memory, with every change kept in the store over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness import sample_data
from connections.sandbox.smartbusiness.catalogue import STREAMS
from connections.sandbox.smartbusiness.sample_data import Body


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Entry:
    """One record: its plain fields, their encoded form, and the parts that only `with` shows."""

    __slots__ = ("_encoded_parts", "_made_parts", "body", "encoded", "id", "parent", "parts_of")

    def __init__(self, body: Body, parts_of: Callable[[], Body], parent: int | None = None) -> None:
        self.id: int = body["id"]
        self.body, self.parts_of, self.parent = body, parts_of, parent
        self.encoded = encode(body)
        self._made_parts: Body | None = None
        self._encoded_parts: dict[str, bytes] = {}

    @property
    def parts(self) -> Body:
        if self._made_parts is None:
            self._made_parts = self.parts_of()
        return self._made_parts

    def encoded_part(self, name: str) -> bytes:
        """`"name":value`, encoded once."""
        if name not in self._encoded_parts:
            self._encoded_parts[name] = encode(name) + b":" + encode(self.parts.get(name))
        return self._encoded_parts[name]


@dataclass
class Shelf:
    """One company's stream as it stands now; a change makes a new one, so that a page never sees half of it."""

    entries: list[Entry]
    by_id: dict[int, Entry]
    ordered: dict[str, list[Entry]] = field(default_factory=dict)  # whole lists by a sort, as they were asked for


class Records:
    """Reads and changes all shelves; each is generated when it is first asked for."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._store = kit, kit.store
        self._generated: dict[tuple[int, str], list[Entry]] = {}
        self._shelves: dict[tuple[int, str], Shelf] = {}

    def reset(self) -> None:
        """Every record as on the first day."""
        with self._store.transaction():
            changed = self._store.rows(
                "SELECT company_id, stream FROM changed UNION SELECT company_id, stream FROM counted"
            )
            for emptied in (
                "DELETE FROM changed",
                "DELETE FROM counted",
                "DELETE FROM made",
                "DELETE FROM mails",
            ):
                self._store.write(emptied)
            for row in changed:
                self._shelves.pop((row["company_id"], row["stream"]), None)

    # -- reading ---------------------------------------------------------------------------------------------------

    def shelf(self, company: int, stream: str) -> Shelf:
        shelf = self._shelves.get((company, stream))
        if shelf is None:
            with self._store.transaction():
                shelf = self._shelves.get((company, stream)) or self._put_up(company, stream)
        return shelf

    def entry(self, company: int, stream: str, number: int) -> Entry | None:
        return self.shelf(company, stream).by_id.get(number)

    def payments(self, company: int, invoice: int) -> list[Entry]:
        """The payments of one invoice: what its generated form was paid with, and what was entered since."""
        entered = [entry for entry in self.shelf(company, "payments").entries if entry.parent == invoice]
        with self._store.transaction():
            base = self._base(company, "invoices")
        for serial, entry in enumerate(base):
            if entry.id == invoice and entry.body["total_paid"]:
                return [Entry(sample_data.payment(company, serial, entry.body), dict, invoice), *entered]
        return entered

    def address(self, company: int, contact: int) -> Body | None:
        entry = self.entry(company, "contacts", contact)
        address: Body | None = entry.parts["main_address"] if entry else None
        return address

    def _count(self, company: int, stream: str) -> int:
        if stream == "payments":
            return 0
        row = self._store.row("SELECT generated FROM counted WHERE company_id = ? AND stream = ?", company, stream)
        return sample_data.count(company, stream, self._kit.records) if row is None else int(row["generated"])

    def _base(self, company: int, stream: str) -> Sequence[Entry]:
        """The generated entries, as many as there shall be."""
        count = self._count(company, stream)
        generated = self._generated.setdefault((company, stream), [])
        for serial in range(len(generated), count):
            body = sample_data.record(company, stream, serial, self._kit.records)
            generated.append(Entry(body, partial(sample_data.parts, company, stream, serial)))
        return generated[:count]

    def _put_up(self, company: int, stream: str) -> Shelf:
        by_id = {entry.id: entry for entry in self._base(company, stream)}
        sql = "SELECT * FROM changed WHERE company_id = ? AND stream = ? ORDER BY rowid"
        for row in self._store.rows(sql, company, stream):
            if row["body"] is None:
                by_id.pop(row["id"], None)
            else:
                by_id[row["id"]] = _stored_entry(stream, json.loads(row["body"]), row["parent"])
        shelf = self._shelves[company, stream] = Shelf(list(by_id.values()), by_id)
        return shelf

    # -- writing ---------------------------------------------------------------------------------------------------

    def make(self, company: int, stream: str, body: Body, parent: int | None = None) -> Entry:
        """Add a record made over the API; its id is given here."""
        with self._store.transaction():
            sql = "INSERT INTO made (company_id, stream, number) VALUES (?, ?, ?)"
            serial = self._store.write(sql, company, stream, body.get("number")).lastrowid or 0
            number = sample_data.ident(company, stream, sample_data.MADE_FROM + serial)
            record = {**body, "id": number}
            if stream == "contacts":
                address = {
                    **record["main_address"],
                    "id": sample_data.ident(company, "addresses", sample_data.MADE_FROM + serial),
                }
                record |= {"main_address": address, "main_address_id": address["id"]}
            self.keep(company, stream, record, parent)
            return self.shelf(company, stream).by_id[number]

    def keep(self, company: int, stream: str, body: Body, parent: int | None = None) -> None:
        """Put the whole record, parts too, in the place of what was there."""
        entry = _stored_entry(stream, body, parent)
        with self._store.transaction():
            shelf = self.shelf(company, stream)
            sql = """INSERT INTO changed (company_id, stream, id, parent, body) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET body = excluded.body"""
            self._store.write(sql, company, stream, entry.id, parent, json.dumps(body, ensure_ascii=False))
            by_id = {**shelf.by_id, entry.id: entry}
            self._shelves[company, stream] = Shelf(list(by_id.values()), by_id)

    def remove(self, company: int, stream: str, ids: Iterable[int]) -> None:
        removed = set(ids)
        with self._store.transaction():
            shelf = self.shelf(company, stream)
            sql = """INSERT INTO changed (company_id, stream, id) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET body = NULL"""
            for number in removed:
                self._store.write(sql, company, stream, number)
            by_id = {number: entry for number, entry in shelf.by_id.items() if number not in removed}
            self._shelves[company, stream] = Shelf(list(by_id.values()), by_id)

    def resize(self, company: int, stream: str, count: int) -> None:
        """Cut or generate, the newest first, until exactly so many are there."""
        with self._store.transaction():
            while True:
                generated = {entry.id for entry in self._base(company, stream)}
                extra = [entry.id for entry in self.shelf(company, stream).entries if entry.id not in generated]
                self.remove(company, stream, extra[count:])
                short = count - len(self.shelf(company, stream).entries)
                if short == 0:
                    return
                # Cutting by the surplus may take what was deleted already, and growing may meet some: once more.
                sql = "INSERT OR REPLACE INTO counted (company_id, stream, generated) VALUES (?, ?, ?)"
                self._store.write(sql, company, stream, self._count(company, stream) + short)
                self._put_up(company, stream)

    def touch(self, company: int, stream: str, ids: Iterable[int]) -> None:
        """Change these as if a person had edited them."""
        name = "description" if stream == "bank_accounts" else "notes"
        for number in ids:
            with self._store.transaction():
                entry = self.shelf(company, stream).by_id[number]
                before = str(entry.body[name] or "")
                times = int(before.rpartition(" ")[2]) + 1 if before.startswith("Geändert ") else 1
                self.keep(company, stream, {**entry.body, **entry.parts, name: f"Geändert {times}"}, entry.parent)

    # -- e-mail and counts -------------------------------------------------------------------------------------------

    def mail(self, company: int, stream: str, entry: Entry, recipients: int) -> None:
        sql = "INSERT INTO mails (company_id, stream, id, number, recipients, at) VALUES (?, ?, ?, ?, ?, ?)"
        number, at = entry.body.get("number"), self._kit.clock.now()
        self._store.write(sql, company, stream, entry.id, number, recipients, at)

    def created(self) -> dict[str, int]:
        rows = self._store.rows("SELECT stream, count(*) AS times FROM made GROUP BY stream")
        return dict.fromkeys(STREAMS, 0) | {row["stream"]: row["times"] for row in rows}

    def sent_mails(self) -> dict[str, int]:
        """E-mails by stream and id, as `invoices/123456789`."""
        rows = self._store.rows("SELECT stream, id, count(*) AS times FROM mails GROUP BY stream, id")
        return {f"{row['stream']}/{row['id']}": row["times"] for row in rows}

    def find(self, companies: Iterable[int], stream: str, number: str) -> dict[str, Any]:
        """How often a thing of this number is there, was made over the API, and was sent by e-mail."""
        owners = set(companies)
        ids = [
            e.id for company in owners for e in self.shelf(company, stream).entries if e.body.get("number") == number
        ]

        def times(sql: str) -> int:
            return sum(row["company_id"] in owners for row in self._store.rows(sql, stream, number))

        created = times("SELECT company_id FROM made WHERE stream = ? AND number = ?")
        mailed = times("SELECT company_id FROM mails WHERE stream = ? AND number = ?")
        return {"count": len(ids), "ids": sorted(ids), "created": created, "sent": mailed}


def _stored_entry(stream: str, whole: Body, parent: int | None) -> Entry:
    shape = STREAMS[stream]
    plain = {name: whole.get(name) for name in shape.fields}
    parts = {name: whole[name] for name in shape.parts if name in whole}
    return Entry(plain, lambda: parts, parent)
