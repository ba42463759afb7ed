"""What the simulators served while the storm went on, and what the tables must hold of it afterwards."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection as database
from django.db import transaction

from connections.sync.models import ChangeCounter, Record
from tests.contract.customers import Customer
from tests.foreign.books import identity, leaves

LOST, DOUBLED, STALE, FALSELY_GONE, NOT_GONE, ZOMBIE, NUMBERS, STRANGE = KINDS = (
    "lost", "doubled", "stale", "false deletions", "missed deletions", "zombie writes", "change numbers", "strange",
)  # fmt: skip
# Rows of this drill's own, which no process of ours can touch: who wrote, and every time that a record was called gone.
WATCHED = """
CREATE TABLE storm_write (connection_id uuid, run_id uuid, epoch bigint, backend int, at timestamptz);
CREATE TABLE storm_gone (connection_id uuid, stream text, external_id text, at timestamptz);
GRANT ALL ON storm_write, storm_gone TO portal_owner;
CREATE FUNCTION storm_written() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN
    INSERT INTO storm_write
        SELECT DISTINCT rows.connection_id, run.id, job.epoch, pg_backend_pid(), clock_timestamp()
        FROM rows LEFT JOIN sync_syncrun run ON run.connection_id = rows.connection_id AND run.ended_at IS NULL
        LEFT JOIN jobs_job job ON job.subject = run.id AND job.kind = 'sync.run' AND job.state = 'running';
    RETURN NULL;
END $$;
CREATE TRIGGER storm_inserted AFTER INSERT ON sync_record
    REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION storm_written();
CREATE TRIGGER storm_updated AFTER UPDATE ON sync_record
    REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION storm_written();
CREATE FUNCTION storm_called_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN
    INSERT INTO storm_gone VALUES (NEW.connection_id, NEW.stream, NEW.external_id, clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER storm_gone AFTER UPDATE OF gone_at ON sync_record FOR EACH ROW
    WHEN (NEW.gone_at IS NOT NULL AND OLD.gone_at IS NULL) EXECUTE FUNCTION storm_called_gone();
"""
Shelf = tuple[str, str]  # provider, stream


@dataclass
class Removals:
    """When the simulators were told to take a record away: it may be missed from then on."""

    _began: dict[tuple[Shelf, str], datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, shelf: Shelf, ids: Iterable[str], began: datetime) -> None:
        with self._lock:
            for each in ids:
                self._began.setdefault((shelf, identity(each)), began)

    def began(self, shelf: Shelf, external_id: str) -> datetime | None:
        return self._began.get((shelf, identity(external_id)))


@dataclass(frozen=True)
class Finding:
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def watch(address: str) -> None:
    """From here on the database notes who writes records. `address`: the superuser's."""
    with psycopg.connect(address) as link:
        link.execute(WATCHED)


class History:
    """Compares the tables with what is served now, and with what was taken away when."""

    def __init__(
        self, customers: Iterable[Customer], removals: Removals, restarts: Callable[[], list[datetime]]
    ) -> None:
        """`restarts`: when the database was started, since a worker then writes from a new session."""
        self.customers, self.removals, self.restarts = list(customers), removals, restarts
        self._served: dict[tuple[str, str], dict[str, list[str]]] = {}

    def findings(self) -> list[Finding]:
        """Everything that is wrong when all have synced in peace."""
        found = [each for customer in self.customers for each in self._of(customer)]
        return [*found, *self._falsely_gone(), *self._zombies(), *self._numbers()]

    # -- what is held ----------------------------------------------------------------------------------------------------

    def served(self, customer: Customer, stream: Any) -> dict[str, list[str]]:
        """By id: every text and number that it holds. All customers of a provider have the same books."""
        key = (customer.auth_method.slug, stream.name)
        if key not in self._served:
            lists = [customer.simulator.records(stream.name, **variant) for variant in stream.variants or ({},)]
            self._served[key] = {
                identity(record[stream.key]): _texts(record, stream.key) for each in lists for record in each
            }
        return self._served[key]

    def _of(self, customer: Customer) -> Iterator[Finding]:
        rows: dict[str, list[tuple[str, dict[str, Any], bool]]] = {}
        held = Record.objects.filter(connection=customer.connection)
        for stream, external_id, body, gone_at in held.values_list("stream", "external_id", "body", "gone_at"):
            rows.setdefault(stream, []).append((external_id, body, gone_at is not None))
        for stream in customer.provider.streams:
            served = self.served(customer, stream)
            mine = [(_own(stream, key), body, is_gone) for key, body, is_gone in rows.get(stream.name, [])]
            where = f"{customer.auth_method} {customer.connection.id} {stream.name}"
            yield from _compared(where, stream.key, served, mine)
        yield from (
            Finding(STRANGE, f"a stream {name}") for name in rows.keys() - {s.name for s in customer.provider.streams}
        )

    def _falsely_gone(self) -> Iterator[Finding]:
        of = {each.connection.id: each for each in self.customers}
        for connection_id, name, external_id, at in _rows(
            "SELECT connection_id, stream, external_id, at FROM storm_gone"
        ):
            customer = of.get(connection_id)
            if customer is None:
                continue
            stream = customer.provider.stream(name)
            if stream.each is not None:
                continue  # what belongs to a record that is gone is not asked for any more
            began = self.removals.began((customer.auth_method.slug, name), external_id)
            if began is None or began > at:
                yield Finding(FALSELY_GONE, f"{customer.auth_method} {name} {external_id} at {at:%H:%M:%S}")

    # -- who wrote -------------------------------------------------------------------------------------------------------

    def _zombies(self) -> Iterator[Finding]:
        """Two sessions under one lease, where the database was not started between; or a write under no lease."""
        restarts = self.restarts()
        sessions: dict[tuple[UUID, int], dict[int, datetime]] = {}
        for run_id, epoch, backend, at in _rows("SELECT run_id, epoch, backend, at FROM storm_write ORDER BY at"):
            if epoch is None:
                yield Finding(ZOMBIE, f"a write at {at:%H:%M:%S} while nobody had a lease of run {run_id}")
                continue
            seen = sessions.setdefault((run_id, epoch), {})
            others = [last for each, last in seen.items() if each != backend]
            if others and backend not in seen and not any(max(others) < restart < at for restart in restarts):
                yield Finding(ZOMBIE, f"two sessions wrote in run {run_id} under lease {epoch}")
            seen[backend] = at

    @staticmethod
    def _numbers() -> Iterator[Finding]:
        """A change number is given once, and none is above the tenant's count."""
        twice = _rows(
            "SELECT tenant_id, change_number, count(*) FROM sync_record WHERE change_number > 0"
            " GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 5"
        )
        yield from (Finding(NUMBERS, f"{number} was given {times} times") for _tenant, number, times in twice)
        newest = dict(_rows("SELECT tenant_id, max(change_number) FROM sync_record GROUP BY 1"))
        for counter in ChangeCounter.objects.all():
            if newest.get(counter.tenant_id, 0) > counter.last:
                yield Finding(NUMBERS, f"{newest[counter.tenant_id]} is above the count of its tenant")


def _own(stream: Any, external_id: str) -> str:
    return identity(external_id.partition("/")[2] if stream.each is not None and stream.each.prefixed else external_id)


def _texts(record: Mapping[str, Any], key: str) -> list[str]:
    return sorted(identity(each) for each in leaves({name: value for name, value in record.items() if name != key}))


def _compared(
    where: str, key: str, served: dict[str, list[str]], held: list[tuple[str, dict[str, Any], bool]]
) -> Iterator[Finding]:
    counts = Counter(name for name, _body, _gone in held)
    yield from (Finding(DOUBLED, f"{where}: {name} {times} times") for name, times in counts.items() if times > 1)
    yield from (Finding(LOST, f"{where}: {name}") for name in served.keys() - counts.keys())
    for name, body, is_gone in held:
        if name not in served:
            if not is_gone:
                yield Finding(NOT_GONE, f"{where}: {name}")
        elif is_gone:
            yield Finding(FALSELY_GONE, f"{where}: {name} is there")
        elif lacking := Counter(served[name]) - Counter(_texts(body, key)):
            # Some lists tell more than the simulator's books do, such as the addresses of a contact.
            yield Finding(STALE, f"{where}: {name} does not hold {list(lacking)[:3]}")


def _rows(statement: str) -> list[Any]:
    with database.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


# -- faults that are planted, so that a history without findings is worth something ---------------------------------------


def plants(customer: Customer, stream: str) -> dict[str, tuple[str, list[str]]]:
    """By what it is: the kind that must be found, and statements that plant it in this customer's rows. `stream` is one that
    has some records that are there and some that are gone, and no prefix.
    """
    mine = f"connection_id = '{customer.connection.id}' AND stream = '{stream}'"
    one = f"(SELECT min(external_id) FROM sync_record WHERE {mine} AND gone_at IS NULL)"
    gone = f"(SELECT min(external_id) FROM sync_record WHERE {mine} AND gone_at IS NOT NULL)"
    return {
        "a record is not there": (LOST, [f"DELETE FROM sync_record WHERE {mine} AND external_id = {one}"]),
        "a record is there in two spellings": (
            DOUBLED,
            [f"UPDATE sync_record SET external_id = external_id || '.0' WHERE {mine} AND external_id = {gone}",
             f"UPDATE sync_record SET external_id = {one} || '.0', gone_at = NULL"
             f" WHERE {mine} AND external_id LIKE '%.0'"],
        ),
        "a content is an older one": (
            STALE,
            [f"UPDATE sync_record SET body = (SELECT body FROM sync_record WHERE {mine} AND gone_at IS NULL"
             f" ORDER BY external_id DESC LIMIT 1) WHERE {mine} AND external_id = {one}"],
        ),
        "a record that stands is called gone": (
            FALSELY_GONE, [f"UPDATE sync_record SET gone_at = now() WHERE {mine} AND external_id = {one}"],
        ),
        "a record was called gone for a while": (
            FALSELY_GONE,
            [f"INSERT INTO storm_gone SELECT connection_id, stream, external_id, now() FROM sync_record"
             f" WHERE {mine} AND external_id = {one}"],
        ),
        "a record that went is not called gone": (
            NOT_GONE, [f"UPDATE sync_record SET gone_at = NULL WHERE {mine} AND external_id = {gone}"],
        ),
        "somebody wrote without a lease": (
            ZOMBIE,
            [f"INSERT INTO storm_write VALUES ('{customer.connection.id}', NULL, NULL, 1, now())"],
        ),
        "two wrote under one lease": (
            ZOMBIE,
            ["INSERT INTO storm_write SELECT connection_id, run_id, epoch, backend + 1, now()"
             " FROM storm_write WHERE epoch IS NOT NULL ORDER BY at DESC LIMIT 1"],
        ),
        "a change number was given twice": (
            NUMBERS,
            [f"UPDATE sync_record SET change_number = (SELECT max(change_number) FROM sync_record WHERE {mine})"
             f" WHERE {mine} AND external_id = {one}"],
        ),
    }  # fmt: skip


@contextmanager
def planted(statements: Iterable[str]) -> Iterator[None]:
    """As the tables' owner, unnoticed by the triggers; taken back afterwards."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("ALTER TABLE sync_record DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
            if cursor.rowcount < 1:
                message = f"nothing was planted by {statement}"
                raise AssertionError(message)
        yield
        transaction.set_rollback(True)
