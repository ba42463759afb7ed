"""The broker and the database fail over, again and again, under web, workers and beat; jobs are asked for all the while.

    python -m tests.drills.failover --rounds 3 --seed 1

Real PostgreSQL, Valkey, Celery workers, beat and web in a temporary folder. The broker becomes another's replica and
itself again (UNBLOCKED, LOADING, READONLY), is unblocked, killed, stopped for a while; the database ends everybody's
connections (57P01), takes no writes, is killed (57P03 while it recovers), is restarted. Nobody helps: no process may end,
every job that was accepted must be done, none twice for the broker's sake. Ends with 1 where that is not so.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests.devserver.running import free_ports
from tests.drills.house import House, running, until
from tests.jobs import broker_troubles

PAGE = "/account/login/"
LASTS = 3.0  # seconds of each trouble, while work is asked for


class FailoverHouse(House):
    """Without simulators, with the web."""

    def start(self) -> None:
        self.start_servers()
        self.plan = replace(self.plan, port=free_ports(1))
        self.set_up_django()
        for child in (*(self._worker(queue) for queue in ("interactive", "sync")), self.plan.beat(), self.plan.web()):
            self.run(child)
        until(lambda: self.get("/health/ready") == 200, lambda: self.log("web"))
        until(lambda: " ready." in self.log("worker-sync"), lambda: self.log("worker-sync"))

    def get(self, path: str) -> int:
        """The status, 0 for no answer."""
        link = http.client.HTTPConnection("127.0.0.1", self.plan.port, timeout=20)
        try:
            link.request("GET", path, headers={"Host": "localhost"})
            return link.getresponse().status
        except OSError:
            return 0
        finally:
            link.close()

    def superuser(self, statement: str) -> None:
        with psycopg.connect(self.postgres.admin_address(), autocommit=True) as link:
            link.execute(statement.encode())

    # -- troubles of the database ----------------------------------------------------------------------------------

    @contextmanager
    def terminated(self) -> Iterator[None]:
        """57P01 for everybody."""
        self.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'portal_%'")
        yield

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """25006, as from a server that was made a standby."""
        self.superuser("ALTER SYSTEM SET default_transaction_read_only = on")
        self.superuser("SELECT pg_reload_conf()")
        yield
        self.superuser("ALTER SYSTEM RESET default_transaction_read_only")
        self.superuser("SELECT pg_reload_conf()")

    @contextmanager
    def crashed(self) -> Iterator[None]:
        """Killed; then 57P03 while it recovers."""
        assert self.postgres.process is not None
        self.postgres.process.kill()
        self.postgres.process.wait()
        yield
        self.postgres.start()

    @contextmanager
    def restarted(self) -> Iterator[None]:
        self.postgres.stop()
        yield
        self.postgres.start()


@dataclass
class Figures:
    troubles: int = 0
    jobs: int = 0
    refused: int = 0  # not accepted, while the database took no writes: whoever asked was told
    lost: int = 0
    doubled_for_the_broker: int = 0
    done_again_for_the_database: int = 0
    longest_doorbell_s: float = 0.0
    longest_catching_up_s: float = 0.0
    ended: list[str] = field(default_factory=list)


class Drill:
    def __init__(self, house: FailoverHouse, chance: random.Random) -> None:
        self.house, self.chance, self.figures = house, chance, Figures()

    def go(self, rounds: int) -> Figures:
        of_broker = {f"broker {name}": trouble for name, trouble in broker_troubles.TROUBLES.items()}
        broker: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
            name: (lambda trouble=trouble: trouble(self.house.valkey)) for name, trouble in of_broker.items()
        }
        house = self.house
        each = (house.terminated, house.read_only, house.crashed, house.restarted)
        database = {f"database {trouble.__name__}": trouble for trouble in each}
        for _ in range(rounds):
            for name, trouble in self.chance.sample(list({**broker, **database}.items()), len(broker) + len(database)):
                self._one(name, trouble)
        return self.figures

    def _one(self, name: str, trouble: Callable[[], AbstractContextManager[None]]) -> None:
        from connections.jobs.models import Job
        from connections.tenancy.models import SystemAuditEvent
        from tests.jobs.worker import COUNTED

        jobs: list[uuid.UUID] = []
        with trouble():
            until_s = time.monotonic() + LASTS
            while time.monotonic() < until_s:
                self._ask(jobs)
                self.house.get(PAGE)
                time.sleep(0.1)
        begun = time.monotonic()
        self._ask(jobs)
        rows = Job.objects.filter(id__in=jobs)
        until(
            lambda: not rows.exclude(state="succeeded").exists(),
            lambda: f"{name}: {list(rows.exclude(state='succeeded').values('state', 'starts', 'reason'))}",
            seconds=90,
            every=0.1,
        )
        until(lambda: self.house.get("/health/ready") == 200, f"{name}: the web", seconds=60, every=0.2)
        if (status := self.house.get(PAGE)) != 200:
            sys.exit(f"FAILED: {name}: the web shows {status} instead of a page")
        took = time.monotonic() - begun
        events = SystemAuditEvent.objects.filter(action=COUNTED, subject__in=map(str, jobs))
        subjects = list(events.values_list("subject", flat=True))
        again = len(subjects) - len(set(subjects))
        figures = self.figures
        figures.troubles += 1
        figures.jobs += len(jobs)
        figures.lost += len({str(job) for job in jobs} - set(subjects))
        figures.longest_catching_up_s = max(figures.longest_catching_up_s, took)
        if name.startswith("broker"):
            figures.doubled_for_the_broker += again
        else:
            figures.done_again_for_the_database += again
        figures.ended += [
            f"{child.name} ({name}): {self.house.log(child.name)[-600:]}"
            for child in self.house.children.values()
            if child.ended
        ]
        print(f"  {name}: {len(jobs)} jobs, all done {took:.1f} s after it", flush=True)
        if figures.ended or figures.lost or figures.doubled_for_the_broker:
            sys.exit(f"FAILED: {name}: {figures}")

    def _ask(self, jobs: list[uuid.UUID]) -> None:
        from django.db import DatabaseError, close_old_connections

        from connections.jobs.services import enqueue
        from tests.jobs.worker import COUNTED

        begun = time.monotonic()
        close_old_connections()  # as a request begins
        try:
            jobs.append(enqueue(kind=COUNTED, subject=uuid.uuid4(), tenant_id=None))
        except DatabaseError:
            self.figures.refused += 1
            return
        self.figures.longest_doorbell_s = max(self.figures.longest_doorbell_s, time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder:
        house = FailoverHouse(Path(folder, "var"), lease_seconds=2, sweep_seconds=1, app="tests.jobs.worker")
        with running(house):
            figures = Drill(house, random.Random(options.seed)).go(options.rounds)
    for name, value in vars(figures).items():
        print(f"{name.replace('_', ' '):36} {value if not isinstance(value, float) else f'{value:.1f}'}")
    if options.json:
        print(json.dumps(vars(figures)))


if __name__ == "__main__":
    main()
