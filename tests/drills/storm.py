"""Hundreds of connections of five providers sync while their books change and everything that does the work dies again and again.

    python -m tests.drills.storm --minutes 10 --tenants 60 --records 200000 --seed 1

Real PostgreSQL, Valkey, sandbox, Celery workers and beat, in a temporary folder. All the while records are changed, added
and taken away. Every two seconds something dies or stands still: a worker's child (SIGKILL, or SIGSTOP for longer than its
lease), a worker, beat; between them the broker is emptied, fails over and stops, and the database is killed. What was killed
is started again, as a supervisor would; nobody helps otherwise.

Then all is quiet, everybody reads everything once more, and the tables are compared with the simulators' books
(storm_books.py): lost, doubled, stale, falsely called gone, not called gone, written without a lease, change numbers. In the
end faults are planted in the tables, and each must be found. Ends with 1 where there is a finding or a fault was missed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.drills.house import running, until
from tests.drills.storm_deaths import Deaths, StormHouse

BETWEEN_DEATHS = 2.0  # seconds
FEW_RECORDS = 1000  # of all connections: then the simulators keep few of every kind
FEW = 3  # records that are changed, added or taken away at once


@dataclass
class Figures:
    connections: int = 0
    records: int = 0
    changes: int = 0
    deaths: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)  # by how they ended
    resumed_after: list[float] = field(default_factory=list)
    findings: dict[str, int] = field(default_factory=dict)
    planted: int = 0
    missed_plants: list[str] = field(default_factory=list)
    quiet_after: float = 0.0


class Drill:
    def __init__(self, house: StormHouse, chance: random.Random, tenants: int, records: int) -> None:
        self.house, self.chance, self.tenants, self.records = house, chance, tenants, records
        self.figures = Figures()
        self.deaths = Deaths(house, chance)

    def go(self, seconds: float, database_kills: int) -> Figures:
        from tests.drills.storm_books import Removals, watch

        self.removals = Removals()
        self._connect()
        watch(self.house.postgres.admin_address("portal"))
        self._storm(seconds, database_kills)
        self._calm()
        self._judge()
        return self.figures

    # -- before ----------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        from tests.contract.auth_methods import first_ways
        from tests.drills.storm_customers import StormCustomer

        begun = time.monotonic()
        ways = first_ways()
        for auth_method in ways:
            self.house.register(auth_method.slug)
        self._size(ways)
        tenants = [self.house.tenant(f"Myrsky {number} Oy", f"myrsky-{number}") for number in range(self.tenants)]
        self.customers = [
            StormCustomer(self.house, auth_method, tenant).connect() for tenant in tenants for auth_method in ways
        ]
        self.figures.connections = len(self.customers)
        print(f"  {len(self.customers)} are connected after {time.monotonic() - begun:.1f} s", flush=True)

    def _size(self, ways: Any) -> None:
        """As many records as were asked for, over all connections; lists that are read one parent at a time stay short."""
        from tests.contract.customers import Simulated

        self.shelves: list[tuple[Any, Any]] = []
        each = self.records // (self.tenants * len(ways))
        for auth_method in ways:
            simulator = Simulated(self.house.sandbox, auth_method.slug)
            streams = auth_method.provider.streams
            parents = {stream.each.stream for stream in streams if stream.each is not None}
            free = [stream for stream in streams if stream.each is None and stream.name not in parents]
            free = free or [stream for stream in streams if stream.each is None]
            chosen = free[:3]
            for stream in chosen:
                with suppress(AssertionError):  # some lists are of one size
                    simulator.control("records", {"stream": stream.name, "count": max(5, each // len(chosen))})
                self.shelves.append((simulator, (auth_method.slug, stream)))

    # -- the storm -------------------------------------------------------------------------------------------------------

    def _storm(self, seconds: float, database_kills: int) -> None:
        self.is_over = threading.Event()
        changing = threading.Thread(target=self._change)
        changing.start()
        for customer in self.customers:
            customer.read()
        began = time.monotonic()
        kills_at = [began + seconds * (number + 1) / (database_kills + 1) for number in range(database_kills)]
        try:
            while time.monotonic() < began + seconds:
                if kills_at and kills_at[0] < time.monotonic():
                    kills_at.pop(0)
                    self.deaths.of_the_database()
                self.deaths.one()
                self.deaths.start_what_ended()
                self._ask()
                time.sleep(BETWEEN_DEATHS)
            self.deaths.start_what_ended()
        finally:
            self.is_over.set()
            changing.join(60)
        self.figures.deaths, self.figures.resumed_after = dict(self.deaths.count), self.deaths.resumed_after

    def _change(self) -> None:
        """Something is edited, added and taken away, one list after the other."""
        chance = random.Random(self.chance.random())
        while not self.is_over.wait(0.5):
            simulator, (slug, stream) = chance.choice(self.shelves)
            ids = [record[stream.key] for record in simulator.records(stream.name)]
            if len(ids) < 4 * FEW:
                continue
            picked = chance.sample(ids, 2 * FEW)
            began = datetime.now(timezone.utc)
            with suppress(AssertionError):
                simulator.control("touch", {"stream": stream.name, "ids": picked[:FEW]})
            self.removals.note((slug, stream.name), map(str, picked[FEW:]), began)
            with suppress(AssertionError):
                simulator.control("remove", {"stream": stream.name, "ids": picked[FEW:]})
            with suppress(AssertionError):
                simulator.control("records", {"stream": stream.name, "count": len(ids)})
            self.figures.changes += 3 * FEW

    def _ask(self) -> None:
        """Whoever is at rest is asked to read again; some read everything."""
        for customer in self.chance.sample(self.customers, min(10, len(self.customers))):
            if customer.is_at_rest():
                customer.read(everything=self.chance.random() < 0.3)

    # -- afterwards ------------------------------------------------------------------------------------------------------

    def _calm(self) -> None:
        begun = time.monotonic()
        until(
            lambda: self.deaths.start_what_ended() or not any(c.ended for c in self.house.children.values()),
            "all processes",
        )
        self._rest("what the storm began")
        self.figures.quiet_after = time.monotonic() - begun
        for _ in range(2):
            self._a_day_passes()
            runs = [customer.read(everything=True) for customer in self.customers]
            self._rest("everything once more")
        ended = Counter()
        for run in runs:
            run.refresh_from_db()
            ended[run.state] += 1
            if run.state != "succeeded":
                print(f"  a run ended {run.state} ({run.fault}) in peace", flush=True)
        self.figures.runs = dict(ended)

    @staticmethod
    def _a_day_passes() -> None:
        """Where much is gone at once, it is called gone when a pass of a day later says so too."""
        from django.db.models import F

        from connections.sync.models import StreamCursor

        doubted = StreamCursor.objects.filter(suspected_at__isnull=False)
        doubted.update(suspected_at=F("suspected_at") - timedelta(days=1, hours=1))

    def _rest(self, what: str) -> None:
        from connections.jobs.models import Job
        from connections.sync.models import SyncRun

        active = SyncRun.objects.active()
        until(
            lambda: self.deaths.start_what_ended() or not active.exists(),
            lambda: (
                f"{what}: {list(active.values('state', 'fault')[:5])},"
                f" {list(Job.objects.filter(kind='sync.run').exclude(state='succeeded').values('state', 'reason')[:5])}"
            ),
            seconds=60 + 20 * len(self.customers),
            every=0.5,
        )

    def _judge(self) -> None:
        from connections.jobs.models import Job
        from connections.sync.models import Record
        from tests.drills.storm_books import KINDS, History, planted, plants

        self.figures.records = Record.objects.count()
        history = History(self.customers, self.removals, lambda: self.house.restarts)
        findings = history.findings()
        for each in findings[:20]:
            print(f"  FOUND {each}", flush=True)
        counts = Counter(each.kind for each in findings)
        self.figures.findings = {kind: counts[kind] for kind in KINDS}
        self.figures.findings["parked jobs"] = Job.objects.filter(state="parked").count()
        customer, stream = self._to_plant_in()

        def of_one() -> Counter[str]:
            history = History([customer], self.removals, lambda: self.house.restarts)
            return Counter(each.kind for each in history.findings())

        before = of_one()
        for what, (kind, statements) in plants(customer, stream).items():
            self.figures.planted += 1
            with planted(statements):
                after = of_one()
            if after[kind] <= before[kind]:
                self.figures.missed_plants.append(what)

    def _to_plant_in(self) -> tuple[Any, str]:
        from connections.sync.models import Record

        by_id = {customer.connection.id: customer for customer in self.customers}
        gone = Record.objects.filter(gone_at__isnull=False).values_list("connection_id", "stream").distinct()
        for connection_id, stream in gone:
            customer = by_id[connection_id]
            there = Record.objects.filter(connection_id=connection_id, stream=stream, gone_at=None)
            first = there.values_list("external_id", flat=True).first() or ""
            if customer.provider.stream(stream).each is None and first.isdecimal() and first[0] != "0":
                return customer, stream
        sys.exit("FAILED: nothing was called gone, so that nothing was tried")


def table(figures: Figures, seconds: float) -> str:
    waits = sorted(figures.resumed_after)
    p95 = waits[int(len(waits) * 0.95)] if waits else 0.0
    rows = [
        ("connections, records at the end", f"{figures.connections}, {figures.records}"),
        ("changes underneath", figures.changes),
        ("deaths", ", ".join(f"{name} {number}" for name, number in sorted(figures.deaths.items()))),
        ("resumed after", f"p50 {statistics.median(waits):.1f} s, p95 {p95:.1f} s, of {len(waits)}" if waits else "-"),
        ("quiet after the storm", f"{figures.quiet_after:.0f} s"),
        ("runs in peace", ", ".join(f"{name} {number}" for name, number in figures.runs.items())),
        *figures.findings.items(),
        ("faults planted, missed", f"{figures.planted}, {figures.missed_plants or 0}"),
        ("took", f"{seconds:.0f} s"),
    ]
    return "\n".join(f"{name:36} {value}" for name, value in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tenants", type=int, default=60, help="each with a connection to every provider")
    parser.add_argument("--records", type=int, default=200_000, help="of all connections together, about")
    parser.add_argument("--database-kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--lease-seconds", type=int, default=30, help="the README's default")
    parser.add_argument("--sweep-seconds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    begun = time.monotonic()
    with TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder:
        house = StormHouse(
            Path(folder, "var"),
            records="demo" if options.records > FEW_RECORDS else "small",
            lease_seconds=options.lease_seconds,
            sweep_seconds=options.sweep_seconds,
        )
        with running(house):
            drill = Drill(house, random.Random(options.seed), options.tenants, options.records)
            figures = drill.go(options.minutes * 60, options.database_kills)
    print(table(figures, time.monotonic() - begun))
    if options.json:
        print(json.dumps(vars(figures)))
    if any(figures.findings.values()) or figures.missed_plants or figures.runs.keys() != {"succeeded"}:
        sys.exit(1)


if __name__ == "__main__":
    main()
