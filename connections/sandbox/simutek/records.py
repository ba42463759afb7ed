"""The customer register of the printing house: in memory, ready encoded, and every change kept in the store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.simutek import sample_data
from connections.sandbox.simutek.sample_data import Body
from connections.sandbox.simutek.validation import identity


class NumberTaken(ValueError):
    """Another customer has this number."""


class SomebodyElseWasFirst(ValueError):
    """The customer was changed or removed since it was read; GKS4 locks no records, the first to save wins."""


class UnknownCustomer(ValueError):
    """There is no customer with this number; the text names it."""


@dataclass(frozen=True)
class Customer:
    """One customer: what searches look at, and its encoded form."""

    id: int
    version: int
    number: str
    name: str
    identity: str
    body: Body
    encoded: bytes


def encoded(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _customer(row: Any) -> Customer:
    body = json.loads(row["body"])
    return Customer(
        id=row["id"],
        version=row["version"],
        number=row["number"],
        name=body["name"].casefold(),
        identity=identity(body["corporateIdentityNumber"]).casefold(),
        body=body,
        encoded=encoded(body),
    )


class Customers:
    """All customers in the order in which they were entered; a change replaces the whole list, so that a page being
    built never sees half of it.
    """

    def __init__(self, kit: Kit) -> None:
        self._store = kit.store
        self._size = kit.records
        self._lock = threading.RLock()
        self._held: list[Customer] = []
        self._by_number: dict[str, Customer] = {}
        if self._store.get("records", None) != self._size:
            self.reset()
        self._take([_customer(row) for row in self._store.rows("SELECT * FROM customers ORDER BY id")])

    def reset(self) -> None:
        """Back to the first day."""
        with self._lock, self._store.transaction():
            self._store.write("DELETE FROM customers")
            self._store.set("series", 0)
            self._store.set("created_customers", 0)
            self._store.set("records", self._size)
            self._take([])
            self.resize(sample_data.COUNTS[self._size])

    def _take(self, customers: list[Customer]) -> None:
        self._by_number = {customer.number: customer for customer in customers}
        self._held = customers

    # -- reading ---------------------------------------------------------------------------------------------------

    def all(self) -> Sequence[Customer]:
        return self._held

    def get(self, number: str) -> Customer | None:
        return self._by_number.get(number)

    def filter(self, *, number: str = "", name: str = "", corporate_identity: str = "") -> Sequence[Customer]:
        """Those that match every filter given: exact number, name anywhere, identity number whatever its writing."""
        matches = self._held
        if number:
            matches = [customer for customer in matches if customer.number == number]
        if name:
            part = name.casefold()
            matches = [customer for customer in matches if part in customer.name]
        if corporate_identity:
            identity_number = identity(corporate_identity).casefold()
            matches = [customer for customer in matches if customer.identity == identity_number]
        return matches

    @property
    def created(self) -> int:
        """How many were made over the API, whatever became of them."""
        return int(self._store.get("created_customers", 0))

    # -- writing ---------------------------------------------------------------------------------------------------

    def create(self, body: Body) -> None:
        """Enter a customer that came over the API, with the next free number if it has none. Raises NumberTaken."""
        with self._lock, self._store.transaction():
            if body["number"] is None:
                (customer,) = self._enter(1, lambda series: {**body, "number": sample_data.number(series)})
            elif (inserted := self._insert(body)) is not None:
                customer = inserted
            else:
                raise NumberTaken(body["number"])
            self._store.set("created_customers", self.created + 1)
            self._take([*self._held, customer])

    def save(self, customer: Customer, body: Body) -> None:
        """Keep what a person changed; the number stays. Raises SomebodyElseWasFirst."""
        with self._lock:
            self._replace([self._update(customer, {**body, "number": customer.number})])

    def touch(self, numbers: Collection[str]) -> None:
        """Change these as if somebody had edited them. Raises UnknownCustomer."""
        with self._lock, self._store.transaction():
            chosen = self._chosen(numbers)
            self._replace([self._update(each, sample_data.edited(each.body, each.version)) for each in chosen])

    def remove(self, numbers: Collection[str]) -> None:
        """Delete these; their numbers are not given again. Raises UnknownCustomer."""
        with self._lock, self._store.transaction():
            ids = {each.id for each in self._chosen(numbers)}
            for ident in ids:
                self._store.write("DELETE FROM customers WHERE id = ?", ident)
            self._take([each for each in self._held if each.id not in ids])

    def resize(self, count: int) -> None:
        """Hold exactly so many: the newest go, or invented ones come."""
        with self._lock, self._store.transaction():
            if count < len(self._held):
                self.remove([each.number for each in self._held[count:]])
            self._take([*self._held, *self._enter(count - len(self._held), sample_data.customer)])

    def _chosen(self, numbers: Collection[str]) -> list[Customer]:
        for number in numbers:
            if number not in self._by_number:
                msg = f"there is no customer {number}"
                raise UnknownCustomer(msg)
        return [self._by_number[number] for number in dict.fromkeys(numbers)]

    def _enter(self, count: int, body_of: Callable[[int], Body]) -> list[Customer]:
        """Insert so many under the next free numbers of GKS's own series."""
        series = int(self._store.get("series", 0))
        entered: list[Customer] = []
        while len(entered) < count:
            series += 1
            if (inserted := self._insert(body_of(series))) is not None:
                entered.append(inserted)
        self._store.set("series", series)
        return entered

    def _insert(self, body: Body) -> Customer | None:
        """None when the number is taken."""
        sql = "INSERT INTO customers (number, body) VALUES (?, ?) ON CONFLICT (number) DO NOTHING RETURNING *"
        row = self._store.row(sql, body["number"], json.dumps(body))
        return None if row is None else _customer(row)

    def _update(self, customer: Customer, body: Body) -> Customer:
        sql = "UPDATE customers SET body = ?, version = version + 1 WHERE id = ? AND version = ? RETURNING *"
        row = self._store.row(sql, json.dumps(body), customer.id, customer.version)
        if row is None:
            raise SomebodyElseWasFirst(customer.number)
        return _customer(row)

    def _replace(self, changed: list[Customer]) -> None:
        by_id = {each.id: each for each in changed}
        self._take([by_id.get(each.id, each) for each in self._held])
