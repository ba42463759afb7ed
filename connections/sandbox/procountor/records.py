"""The records of every company in memory, ready encoded, with everything that was changed kept in the store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import edits, sample_bank, sample_data, sample_ledger, validation
from connections.sandbox.procountor.accounts import COMPANIES, FIRST_USER, MAIN_COMPANY, VENDOR, Refused
from connections.sandbox.procountor.catalogue import STREAMS, at

Body = dict[str, Any]

# The document gives date-times without a zone; that they are Finnish local time is inferred.
FINLAND = ZoneInfo("Europe/Helsinki")
MAKERS: Mapping[str, Callable[[int, int, int], Body]] = {
    "products": sample_ledger.product,
    "ledger_receipts": sample_ledger.journal,
    "payments": sample_bank.payment,
    "reference_payments": sample_bank.reference_payment,
    "bank_statements": sample_bank.bank_statement,
    "bank_accounts": sample_bank.bank_account,
    "dimensions": sample_ledger.dimension,
    "accounts": sample_ledger.account,
    "fiscal_years": sample_ledger.fiscal_year,
}
SIZES = {
    "small": dict.fromkeys(("products", "ledger_receipts", "payments", "reference_payments", "bank_statements"), 130),
    "demo": dict.fromkeys(("products", "ledger_receipts", "payments", "reference_payments", "bank_statements"), 1200),
}
OTHERS_SIZE = 20
FIXED = {
    "bank_accounts": sample_bank.ACCOUNTS,
    "dimensions": 8,
    "accounts": sample_ledger.ACCOUNTS,
    "fiscal_years": sample_ledger.YEARS,
}


@dataclass(frozen=True)
class Entry:
    """One record: what lists sort and filter by, and its encoded list form; `whole` only when it was changed."""

    id: int
    kind: str
    version: str
    active: bool
    creator: int
    body: Body
    encoded: bytes
    whole: Body | None = None


def entry(stream: str, body: Body, whole: Body | None = None) -> Entry:
    """An entry of a list form, or of a whole record whose list form this is."""
    return Entry(
        id=int(body["ledgerAccountCode"]) if stream == "accounts" else body["id"],
        kind=body.get("type") or "",
        version=body.get("version") or "",
        active=at(body, "registryInfo.active") is not False,
        creator=body.get("creatorId") or 0,
        body=body,
        encoded=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        whole=whole,
    )


class Records:
    """All companies' streams; a change replaces a whole list, so that a page being built never sees half of it."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._held: dict[tuple[int, str], list[Entry]] = {}
        self._base: dict[tuple[int, str], list[Entry]] = {}
        self._highest: dict[tuple[int, str], int] = {}
        self._creators = {company: FIRST_USER + number for number, (company, *_) in enumerate(COMPANIES)}
        for company, creator in self._creators.items():
            for stream, bodies in _first_day(kit.records, company, creator).items():
                self._base[company, stream] = [entry(stream, body) for body in bodies]
        for stream in STREAMS:
            self._base[VENDOR[0], stream] = []
        self._recall()

    def reset(self) -> None:
        """Take everything that was changed back."""
        self._kit.store.write("DELETE FROM changed")
        self._kit.store.write("DELETE FROM created")
        self._recall()

    def _recall(self) -> None:
        changed: dict[tuple[int, str], dict[int, Entry | None]] = {}
        for row in self._kit.store.rows("SELECT * FROM changed"):
            whole = None if row["body"] is None else json.loads(row["body"])
            changed_entry = (
                None if whole is None else entry(row["stream"], validation.brief(row["stream"], whole), whole)
            )
            changed.setdefault((row["company_id"], row["stream"]), {})[row["id"]] = changed_entry
        for key, base in self._base.items():
            self._held[key] = _merged(base, changed.get(key, {}))
            self._highest[key] = max([0, *(e.id for e in base), *changed.get(key, {})])

    def alone(self) -> AbstractContextManager[None]:
        """Nobody else changes anything while this is open, and a failure takes back what the store was told."""
        return self._kit.store.transaction()

    def all(self, company: int, stream: str) -> Sequence[Entry]:
        """Every record, hidden ones too, by id ascending."""
        return self._held[company, stream]

    def list_entries(self, company: int, stream: str) -> list[Entry]:
        """What the list serves a user with all rights who asks for nothing in particular."""
        return [e for e in self._held[company, stream] if e.active and e.kind != "TRAVEL"]

    def find(self, company: int, stream: str, number: int) -> Entry | None:
        return next((e for e in self._held[company, stream] if e.id == number), None)

    def whole(self, stream: str, listed_entry: Entry) -> Body:
        """The record as a single get tells it."""
        if listed_entry.whole is not None:
            return listed_entry.whole
        full = {
            "partners": sample_data.full_partner,
            "invoices": sample_data.full_invoice,
            "ledger_receipts": sample_ledger.full_receipt,
        }
        return full[stream](listed_entry.body) if stream in full else listed_entry.body

    # -- changing --------------------------------------------------------------------------------------------------

    def version(self, before: str = "") -> str:
        """The version of something saved now: seconds, but never the same as before (assumed)."""
        now = datetime.fromtimestamp(self._kit.clock.now(), tz=FINLAND).replace(tzinfo=None, microsecond=0)
        if before and now <= (old := datetime.fromisoformat(before)):
            now = old + timedelta(seconds=1)
        return now.isoformat(timespec="seconds")

    def next_id(self, company: int, stream: str) -> int:
        """An id nobody ever had."""
        with self.alone():
            self._highest[company, stream] += 1
            return self._highest[company, stream]

    def save(self, company: int, stream: str, *wholes: Body) -> None:
        """Keep these whole records, new or in place of what they were."""
        entries = [entry(stream, validation.brief(stream, whole), whole) for whole in wholes]
        self._change(company, stream, {e.id: e for e in entries})

    def drop(self, company: int, stream: str, *ids: int) -> None:
        self._change(company, stream, dict.fromkeys(ids))

    def _change(self, company: int, stream: str, changed: Mapping[int, Entry | None]) -> None:
        with self.alone():
            for number, changed_entry in changed.items():
                body = None if changed_entry is None else json.dumps(changed_entry.whole, ensure_ascii=False)
                sql = "INSERT OR REPLACE INTO changed (company_id, stream, id, body) VALUES (?, ?, ?, ?)"
                self._kit.store.write(sql, company, stream, number, body)
            self._held[company, stream] = _merged(self._held[company, stream], changed)
            self._highest[company, stream] = max([self._highest[company, stream], *changed])

    def note_created(self, company: int, stream: str, whole: Body) -> None:
        """Count a record made over the API, with the words in which a client's own reference may stand."""
        references = sorted({str(value) for place in STREAMS[stream].reference_fields if (value := at(whole, place))})
        sql = "INSERT INTO created (company_id, stream, id, said) VALUES (?, ?, ?, ?)"
        self._kit.store.write(sql, company, stream, whole["id"], json.dumps(references))

    def created(self) -> dict[str, Any]:
        """How many were made over the API by stream, and how many of them say a text."""
        counts: Counter[str] = Counter()
        references: dict[str, Counter[str]] = {}
        for row in self._kit.store.rows("SELECT stream, said FROM created"):
            counts[row["stream"]] += 1
            references.setdefault(row["stream"], Counter()).update(json.loads(row["said"]))
        return {
            "created": dict(counts),
            "created_saying": {stream: dict(counter) for stream, counter in references.items()},
        }

    # -- for tests -------------------------------------------------------------------------------------------------

    def _entries(self, company: int, stream: str, ids: Iterable[int]) -> list[Entry]:
        by_id = {e.id: e for e in self._held[company, stream]}
        numbers = set(ids)
        if strange := numbers - set(by_id):
            message = f"There is no record {min(strange)} among the {stream} of company {company}."
            raise Refused(field="ids", message=message)
        return [by_id[number] for number in sorted(numbers)]

    def touch(self, company: int, stream: str, ids: Iterable[int], *, active: bool | None = None) -> str:
        """Change these records as if somebody had saved them now; returns their new version. Raises Refused."""
        version = self.version()
        with self.alone():
            wholes = [self.whole(stream, each) for each in self._entries(company, stream, ids)]
            self.save(company, stream, *(edits.edited(stream, whole, version, active) for whole in wholes))
        return version

    def remove(self, company: int, stream: str, ids: Iterable[int]) -> None:
        """Delete these in Procountor itself; whether an invoice leaves its list is a switch. Raises Refused."""
        with self.alone():
            entries = self._entries(company, stream, ids)
            if stream == "invoices" and self._kit.switches["deleted_invoices"] == "status":
                version = self.version()
                deletion = {"status": "DELETED", "version": version}
                self.save(company, stream, *({**self.whole(stream, e), **deletion} for e in entries))
            else:
                self.drop(company, stream, *(e.id for e in entries))

    def resize(self, company: int, stream: str, count: int) -> None:
        """Cut the newest, or make more, until the list holds `count`. Raises Refused."""
        with self.alone():
            entries = self.list_entries(company, stream)
            if count < len(entries):
                self.drop(company, stream, *(e.id for e in entries[count:]))
                return
            more = [self._more(company, stream, number) for number in range(count - len(entries))]
            self.save(company, stream, *more)

    def _more(self, company: int, stream: str, number: int) -> Body:
        total = len(self._base[company, stream])
        number += max(total, len(self._held[company, stream]))
        if stream == "partners":
            body = sample_data.partner(company, number, total or 1)
        elif stream == "invoices":
            partners = [e.body for e in self._held[company, "partners"]]
            if not all(sample_data.sides(partners)):
                raise Refused(field="count", message="There must be customers and suppliers first.")
            creator = self._creators.get(company, FIRST_USER)
            body = sample_data.invoice(company, number, total or 1, creator, partners)
        else:
            body = MAKERS[stream](company, number, total or 1)
        ident = self.next_id(company, stream)
        if stream == "products":
            body |= {"type": "SALES"}
        body |= {"ledgerAccountCode": str(ident)} if stream == "accounts" else {"id": ident}
        return self.whole(stream, entry(stream, body))


def _first_day(records: str, company: int, creator: int) -> dict[str, list[Body]]:
    """All records of a company before anybody changed one, list forms by id."""
    partners = sample_data.partners(company, records)
    invoices = sample_data.invoices(company, records, creator, partners)
    sizes = dict(SIZES[records]) if company == MAIN_COMPANY else dict.fromkeys(SIZES[records], OTHERS_SIZE)
    bodies = {
        stream: [MAKERS[stream](company, number, count) for number in range(count)]
        for stream, count in {**sizes, **FIXED}.items()
    }
    bodies["ledger_receipts"] += [
        sample_ledger.receipt_of(invoice) for invoice in invoices[: sizes["ledger_receipts"]]
    ]
    for number, each in enumerate(bodies["payments"]):
        each["invoiceId"] = invoices[number % len(invoices)]["id"]
    return {"partners": partners, "invoices": invoices, **bodies}


def _merged(entries: Sequence[Entry], changed: Mapping[int, Entry | None]) -> list[Entry]:
    if not changed:
        return list(entries)
    now: dict[int, Entry | None] = {e.id: e for e in entries}
    now.update(changed)
    return sorted((e for e in now.values() if e is not None), key=lambda e: e.id)
