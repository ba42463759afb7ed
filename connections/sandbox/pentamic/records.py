"""The customers and invoices of every company, as they are kept and changed."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.pentamic import sample_data
from connections.sandbox.pentamic.grants import COMPANIES, Refused

STREAMS = ("customers", "invoices")
FIRST_ID = 204_001  # the document's sample id has six digits
COLUMNS = {"id": "id", "name": "name", "taxcode": "tax_code", "address": "address", "phone": "phone"}
_INVOICES = "SELECT invoices.* FROM invoices JOIN customers ON customers.id = customer_id WHERE company_id = ?"
_DROP = {"customers": "DELETE FROM customers WHERE id = ?", "invoices": "DELETE FROM invoices WHERE id = ?"}
_ADD_INVOICE = "INSERT INTO invoices (customer_id, number, billed, total, paid) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Fields:
    """What a customer is made of, as a request gave it and as it was found good."""

    name: str
    tax_code: str
    address: str | None
    phone: str | None


class Records:
    """Everything stands in the store; `version` grows with every change, for whoever keeps lists ready encoded."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._store = kit.store
        self.version = 0
        if self._store.get("seeded", "") != kit.records:
            self.reset()

    def reset(self) -> None:
        """The customers of the first day."""
        with self._store.transaction():
            for emptied in ("DELETE FROM customers", "DELETE FROM created"):  # invoices go with their customers
                self._store.write(emptied)
            self._store.write("DELETE FROM sqlite_sequence WHERE name IN ('invoices', 'customers', 'created')")
            drawn = random.Random("ids")  # noqa: S311  # nosec B311 - the same at every start
            customer_id = FIRST_ID
            for company in COMPANIES:
                for number in range(sample_data.COUNTS[self._kit.records][company]):
                    customer_id += drawn.randint(1, 4)
                    self._insert(company, customer_id, sample_data.customer(company, number))
                    for each in sample_data.invoices(company, number):
                        self._store.write(_ADD_INVOICE, customer_id, *each)
            self._store.set("seeded", self._kit.records)
        self.version += 1

    def _insert(self, company: int, customer_id: int | None, values: sample_data.Customer) -> int:
        sql = "INSERT INTO customers (id, company_id, name, tax_code, address, phone) VALUES (?, ?, ?, ?, ?, ?)"
        return self._store.write(sql, customer_id, company, *values).lastrowid or 0

    # -- what the API does -----------------------------------------------------------------------------------------

    def customers(self, company: int, column: str = "id", *, descending: bool = False) -> list[sqlite3.Row]:
        rows = self._store.rows("SELECT * FROM customers WHERE company_id = ? ORDER BY id", company)
        if column != "id":
            rows.sort(key=lambda row: str(row[column] or "").casefold(), reverse=descending)
        elif descending:
            rows.reverse()
        return rows

    def customer(self, company: int, customer_id: int) -> sqlite3.Row | None:
        sql = "SELECT * FROM customers WHERE company_id = ? AND id = ?"
        return self._store.row(sql, company, min(customer_id, 2**63 - 1))

    def holders(self, company: int, tax_code: str) -> set[int]:
        """The ids of the customers with this tax code."""
        sql = "SELECT id FROM customers WHERE company_id = ? AND tax_code = ?"
        return {row["id"] for row in self._store.rows(sql, company, tax_code)}

    def create(self, company: int, fields: Fields) -> sqlite3.Row:
        with self._store.transaction():
            values = sample_data.Customer(fields.name, fields.tax_code, fields.address, fields.phone)
            customer_id = self._insert(company, None, values)
            sql = "INSERT INTO created (company_id, customer_id, tax_code) VALUES (?, ?, ?)"
            self._store.write(sql, company, customer_id, fields.tax_code)
        self.version += 1
        return self._there(company, customer_id)

    def replace(self, company: int, customer_id: int, fields: Fields) -> sqlite3.Row:
        sql = "UPDATE customers SET name = ?, tax_code = ?, address = ?, phone = ? WHERE company_id = ? AND id = ?"
        values = (fields.name, fields.tax_code, fields.address, fields.phone)
        self._store.write(sql, *values, company, customer_id)
        self.version += 1
        return self._there(company, customer_id)

    def delete(self, company: int, customer_id: int) -> None:
        """With its invoices."""
        self._store.write("DELETE FROM customers WHERE company_id = ? AND id = ?", company, customer_id)
        self.version += 1

    def invoices(self, company: int, customer_id: int | None = None) -> list[sqlite3.Row]:
        """One customer's, or those of the whole company; by id."""
        if customer_id is None:
            return self._store.rows(f"{_INVOICES} ORDER BY invoices.id", company)
        return self._store.rows(f"{_INVOICES} AND customer_id = ? ORDER BY invoices.id", company, customer_id)

    def created(self) -> dict[str, Any]:
        """How many customers were made over the API, in all and by tax code; deleting one takes nothing back."""
        rows = self._store.rows("SELECT tax_code, count(*) AS times FROM created GROUP BY tax_code")
        by_code = {row["tax_code"]: row["times"] for row in rows}
        total = {"customers": sum(by_code.values()), "invoices": 0}  # no call makes an invoice
        return {"created": total, "created_by_tax_code": by_code}

    def _there(self, company: int, customer_id: int) -> sqlite3.Row:
        row = self.customer(company, customer_id)
        if row is None:
            msg = f"customer {customer_id} vanished while it was written"
            raise LookupError(msg)
        return row

    # -- what tests do ---------------------------------------------------------------------------------------------

    def hold(self, company: int, stream: str, count: int, customer_id: int | None = None) -> None:
        """Cut the newest or invent more, until there are exactly `count`. Raises Refused."""
        self._present(company, customer_id)
        with self._store.transaction():
            ids = [row["id"] for row in self._listed(company, stream, customer_id)]
            self._drop(stream, ids[count:])
            owners = [customer_id] if customer_id else [row["id"] for row in self.customers(company)]
            if stream == "invoices" and count and not owners:
                raise Refused(field="count", message="There is no customer who could have an invoice.")
            for number in range(len(ids), count):
                if stream == "customers":
                    self._insert(company, None, sample_data.customer(company, number))
                else:
                    drawn = random.Random(f"more {number}")  # noqa: S311  # nosec B311 - the same every time
                    added = sample_data.invoice(drawn, f"T{number:06d}")
                    self._store.write(_ADD_INVOICE, owners[number % len(owners)], *added)
        self.version += 1

    def touch(self, company: int, stream: str, ids: Iterable[int]) -> None:
        """Change these as if somebody at the company had edited them. Raises Refused."""
        numbers = self._checked_ids(company, stream, ids)
        with self._store.transaction():
            for number in numbers:
                if stream == "customers":
                    sql = """UPDATE customers SET touches = touches + 1,
                        address = 'Phòng ' || (touches + 1) || ', ngõ Vừa Sửa' WHERE id = ?"""
                else:
                    sql = "UPDATE invoices SET total = total + 1000 WHERE id = ?"
                self._store.write(sql, number)
        self.version += 1

    def remove(self, company: int, stream: str, ids: Iterable[int]) -> None:
        """Delete these at Pentamic. Raises Refused."""
        numbers = self._checked_ids(company, stream, ids)
        with self._store.transaction():
            self._drop(stream, numbers)
        self.version += 1

    def _listed(self, company: int, stream: str, customer_id: int | None = None) -> list[sqlite3.Row]:
        return self.customers(company) if stream == "customers" else self.invoices(company, customer_id)

    def _drop(self, stream: str, ids: Iterable[int]) -> None:
        for number in ids:
            self._store.write(_DROP[stream], number)

    def _checked_ids(self, company: int, stream: str, ids: Iterable[int]) -> list[int]:
        numbers, existing = set(ids), {row["id"] for row in self._listed(company, stream)}
        if strange := numbers - existing:
            raise Refused(field="ids", message=f"Among the {stream} there is no {sorted(strange)[0]}.")
        return sorted(numbers)

    def _present(self, company: int, customer_id: int | None) -> None:
        if customer_id is not None and self.customer(company, customer_id) is None:
            raise Refused(field="customer", message=f"There is no customer {customer_id}.")
