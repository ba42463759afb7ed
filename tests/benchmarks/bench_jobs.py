"""How fast jobs are done, beside plain Celery tasks with late acknowledgement on the same broker, in one run.

    python -m tests.benchmarks.bench_jobs --jobs 10000 --rounds 2

Real workers as the portal's supervisor starts them, with two pool children; the jobs only say that they were started. For
each contestant and round: how fast they are queued while nobody works, how fast they are done from the first start to the
last, and how long one waits for its start when nothing else is to be done. Of the portal's jobs also: statements,
connections and commits of each; the rate while a transaction is held open; many that fall due at once; and how long the
jobs of others wait while one tenant has many queued.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.benchmarks import plain_celery, portal_worker, started
from tests.drills.house import House, until
from tests.sandbox_server import REPOSITORY

TENANTS = 100
GAP_SECONDS = 0.03  # between two jobs of an idle queue
COUNTED = 200  # jobs whose statements are counted
SECONDS_AT_MOST = 900.0


@dataclass
class Figures:
    """Of one contestant, by round."""

    queued: list[float] = field(default_factory=list)  # a second
    done: list[float] = field(default_factory=list)  # a second
    waits_ms: list[float] = field(default_factory=list)  # of all rounds


class Bench:
    """A house with one worker of the portal, beat, and a worker of Celery's own."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.folder = house, folder
        os.environ[started.FOLDER] = str(folder)
        os.environ[plain_celery.BROKER] = house.valkey.address
        plain_celery.app.conf.broker_url = house.valkey.address
        self.admin = psycopg.connect(house.postgres.admin_address("portal"), autocommit=True)
        self.tenants = self._found_tenants()
        self._become_web()
        self.plain: subprocess.Popen[bytes] | None = None

    def _found_tenants(self) -> list[uuid.UUID]:
        from connections.tenancy.models import Tenant, TenantState

        made = [
            Tenant(name=f"Invented {number} Oy", slug=f"invented-{number}", state=TenantState.ACTIVE)
            for number in range(TENANTS)
        ]
        for tenant in made:
            tenant.save(force_insert=True)
        return [tenant.id for tenant in made]

    def _become_web(self) -> None:
        """From here on this process is one that asks for work, for the database too."""
        from django.db import connection as database

        portal_worker.register()
        login = urlsplit(self.house.plan.web_url)
        database.close()
        database.settings_dict.update(USER=login.username, PASSWORD=self.house.keys.password("portal_web"))

    # -- the contestants ---------------------------------------------------------------------------------------------

    def queue_ours(self, name: str, tenant: uuid.UUID | None = None, due_at: datetime | None = None) -> None:
        from connections.jobs.services import enqueue

        subject = uuid.UUID(name)
        enqueue(
            kind=portal_worker.TINY,
            subject=subject,
            tenant_id=tenant or self.tenants[subject.int % TENANTS],
            due_at=due_at,
        )

    def queue_plain(self, name: str) -> None:
        plain_celery.tiny.delay(name)

    @contextmanager
    def portal_at_work(self) -> Iterator[None]:
        self.house.run(self.house.plan.beat())
        self.house.start_worker("interactive")
        log = lambda: self.house.log("worker-interactive")  # noqa: E731
        until(lambda: " ready." in log(), log)
        try:
            yield
        finally:
            for name in ("beat", "worker-interactive"):
                _end(self.house.children.pop(name).process)

    @contextmanager
    def celery_at_work(self) -> Iterator[None]:
        log = self.folder / "plain.log"
        command = [sys.executable, "-m", "celery", "--app", "tests.benchmarks.plain_celery", "worker"]
        command += ["--queues", plain_celery.QUEUE, "--concurrency", "2", "--pool", "prefork", "--loglevel", "INFO"]
        command += ["--without-mingle", "--without-gossip", "--without-heartbeat"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            until(lambda: " ready." in log.read_text(), log.read_text)
            yield
        finally:
            _end(process)

    # -- measuring ---------------------------------------------------------------------------------------------------

    def measure(self, figures: Figures, queue: Callable[[str], None], at_work: Any, jobs: int, idle: int) -> None:
        names = self.queue_many(figures, queue, jobs)
        with at_work():
            figures.done.append(self.rate_of(names))
            time.sleep(1)
            figures.waits_ms += self.waits(queue, idle)

    def queue_many(self, figures: Figures, queue: Callable[[str], None], jobs: int) -> list[str]:
        names = [str(uuid.uuid4()) for _ in range(jobs)]
        begun = time.perf_counter()
        for name in names:
            queue(name)
        figures.queued.append(jobs / (time.perf_counter() - begun))
        return names

    def rate_of(self, names: Sequence[str]) -> float:
        """Jobs a second from the first start to the last, once all have been started."""
        at = sorted(self.await_started(names).values())
        return (len(at) - 1) / (at[-1] - at[0])

    def await_started(self, names: Sequence[str]) -> dict[str, float]:
        """When each was started. Waits for them; the files begin anew."""
        until(
            lambda: started.count(self.folder) >= len(names),
            lambda: f"{len(names)} jobs; {started.count(self.folder)} were started",
            seconds=SECONDS_AT_MOST,
        )
        time.sleep(0.3)  # whoever starts one twice does so now
        found, lines = started.read(self.folder), started.count(self.folder)
        for path in self.folder.glob("started-*"):
            os.truncate(path, 0)
        if found.keys() != set(names) or lines != len(names):
            sys.exit(f"FAILED: {len(names)} jobs were queued, {len(found)} done, {lines} times")
        return found

    def waits(self, queue: Callable[[str], None], jobs: int) -> list[float]:
        """Milliseconds from before each job is queued to its start, one after the other."""
        asked: dict[str, float] = {}
        for _ in range(jobs):
            name = str(uuid.uuid4())
            asked[name] = time.time()
            queue(name)
            time.sleep(GAP_SECONDS)
        at = self.await_started(list(asked))
        return [(at[name] - begun) * 1000 for name, begun in asked.items()]

    # -- of the portal's jobs alone ------------------------------------------------------------------------------------

    def count_statements(self) -> tuple[float, float, float]:
        """Statements (BEGIN and COMMIT are some), connections and commits of a job, its queueing left out."""
        names = self.queue_many(Figures(), self.queue_ours, COUNTED)
        with self.portal_at_work():
            self.await_started(names)
        with self.portal_at_work():
            time.sleep(2)  # what a start asks, and its connections
            self.admin.execute("ALTER SYSTEM SET log_statement = 'all'")
            self.admin.execute("ALTER SYSTEM SET log_line_prefix = '%u '")
            self.admin.execute("SELECT pg_reload_conf()")
            time.sleep(1)
            before, written = self._counts(), self._statements()
            self.waits(self.queue_ours, COUNTED)
            time.sleep(2)
            after, more = self._counts(), self._statements() - written
            for name in ("log_statement", "log_line_prefix"):
                self.admin.execute(f"ALTER SYSTEM RESET {name}".encode())
            self.admin.execute("SELECT pg_reload_conf()")
        commits = after[1] - before[1] - COUNTED
        return more / COUNTED, (after[0] - before[0]) / COUNTED, commits / COUNTED

    def _statements(self) -> int:
        """By workers and beat, as the database's log has them."""
        lines = self.house.log("postgres").splitlines()
        return sum(
            line.startswith("portal_worker LOG:  ") and ("statement: " in line or "execute " in line) for line in lines
        )

    def _counts(self) -> tuple[int, int]:
        [(sessions, commits)] = self.admin.execute(
            "SELECT sessions, xact_commit FROM pg_stat_database WHERE datname = 'portal'"
        ).fetchall()
        return sessions, commits

    def rates_under_an_open_transaction(self, jobs: int) -> tuple[list[float], list[float]]:
        """Of one drain without it and three with it, which keeps every dead row of them: jobs a second; rows walked a job."""
        rates, walked = [], []
        for is_held in (False, True, True, True):
            if is_held and len(rates) == 1:
                holder = psycopg.connect(self.house.postgres.admin_address("portal"))
                holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                holder.execute("SELECT count(*) FROM jobs_job")
            names = self.queue_many(Figures(), self.queue_ours, jobs)
            with self.portal_at_work():
                before = self._walked()
                rates.append(self.rate_of(names))
                walked.append((self._walked() - before) / jobs)
        holder.close()
        return rates, walked

    def _walked(self) -> int:
        """Entries of the queue's indexes and rows of its table that were read, by everybody."""
        time.sleep(1.2)  # until sessions that rest have told
        [(entries,)] = self.admin.execute(
            "SELECT sum(idx_tup_read) + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'jobs_job')"
            " FROM pg_stat_user_indexes WHERE relname = 'jobs_job'"
        ).fetchall()
        return int(entries)

    def rate_of_due_at_once(self, jobs: int) -> tuple[float, float]:
        """Jobs a second from the first start to the last, and seconds from when all were due to the first."""
        due_at = datetime.now(timezone.utc) + timedelta(seconds=5)
        names = [str(uuid.uuid4()) for _ in range(jobs)]
        with self.portal_at_work():
            self.admin.execute(
                "INSERT INTO jobs_job (id, tenant_id, kind, subject, queue, state, due_at, starts, failures, owner, epoch,"
                " reason, created_at) SELECT gen_random_uuid(), (%s::uuid[])[1 + number %% %s], %s, name, 'interactive',"
                " 'queued', %s, 0, 0, '', 0, '', clock_timestamp()"
                " FROM unnest(%s::uuid[]) WITH ORDINALITY AS subject (name, number)",
                [self.tenants, TENANTS, portal_worker.TINY, due_at, names],
            )
            if datetime.now(timezone.utc) > due_at:
                sys.exit("FAILED: they were due before all were queued")
            at = sorted(self.await_started(names).values())
        return (jobs - 1) / (at[-1] - at[0]), at[0] - due_at.timestamp()

    def waits_of_others(self, jobs: int, asked: int) -> tuple[list[float], float]:
        """Milliseconds that jobs of other tenants wait while one tenant's many are done; and the share done meanwhile."""
        names = [str(uuid.uuid4()) for _ in range(jobs)]
        for name in names:
            self.queue_ours(name, tenant=self.tenants[0])
        others: dict[str, float] = {}
        with self.portal_at_work():
            until(lambda: started.count(self.folder) > 0, "the first job")
            for number in range(asked):
                name = str(uuid.uuid4())
                others[name] = time.time()
                self.queue_ours(name, tenant=self.tenants[1 + number % (TENANTS - 1)])
                time.sleep(GAP_SECONDS)
                if started.count(self.folder) >= jobs:
                    break  # the long line is at its end
            at = self.await_started([*names, *others])
        return [(at[name] - begun) * 1000 for name, begun in others.items()], len(others) / asked

    def stop(self) -> None:
        self.admin.close()


def _end(process: subprocess.Popen[bytes] | None) -> None:
    assert process is not None
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _p95(figures: Sequence[float]) -> float:
    return sorted(figures)[int(len(figures) * 0.95)]


def table(contestants: dict[str, Figures]) -> str:
    lines = [f"{'':22}{'queued/s':>10}{'done/s':>16}{'wait p50 ms':>14}{'p95':>8}"]
    for name, figures in contestants.items():
        spread = f"{statistics.median(figures.done):,.0f} ({min(figures.done):,.0f}-{max(figures.done):,.0f})"
        lines.append(
            f"{name:22}{statistics.median(figures.queued):>10,.0f}{spread:>16}"
            f"{statistics.median(figures.waits_ms):>14.1f}{_p95(figures.waits_ms):>8.1f}"
        )
    ours, plain = contestants.values()
    lines.append(f"ours of Celery, done/s  {statistics.median(ours.done) / statistics.median(plain.done):.2f}")
    return "\n".join(lines)


def run(bench: Bench, options: argparse.Namespace) -> None:
    contestants = {"the portal's jobs": Figures(), "Celery, late acks": Figures()}
    ours, plain = contestants.values()
    for number in range(options.rounds):
        bench.measure(ours, bench.queue_ours, bench.portal_at_work, options.jobs, options.idle)
        bench.measure(plain, bench.queue_plain, bench.celery_at_work, options.jobs, options.idle)
        print(f"round {number + 1} of {options.rounds}", flush=True)
    print(table(contestants), flush=True)
    if options.short:
        return
    statements, connections, commits = bench.count_statements()
    print(
        f"of a job that comes alone  {statements:.1f} statements, {connections:.2f} connections, {commits:.1f} commits"
    )
    rates, walked = bench.rates_under_an_open_transaction(options.jobs)
    print(f"and under an open transaction  {', '.join(f'{rate:,.0f}' for rate in rates)} a second"
          f" ({min(rates[1:]) / rates[0]:.2f} of the rate without)")  # fmt: skip
    print(f"rows walked for each job   {', '.join(f'{rows:,.1f}' for rows in walked)}", flush=True)
    rate, seconds = bench.rate_of_due_at_once(options.jobs)
    print(f"due at once                {rate:,.0f} a second, the first {seconds:.1f} s after it was due", flush=True)
    waits, share = bench.waits_of_others(options.jobs, options.idle)
    print(f"others, one tenant's many  p50 {statistics.median(waits):.1f} ms, p95 {_p95(waits):.1f} ms"
          f" ({_p95(waits) / _p95(ours.waits_ms):.2f} of idle; {share:.0%} asked in time)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--idle", type=int, default=200, help="jobs that come alone")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="rates and waits only")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var", app="tests.benchmarks.portal_worker")
    bench = None
    try:
        house.start_servers()
        house.set_up_django()
        (folder / "started").mkdir()
        bench = Bench(house, folder / "started")
        run(bench, options)
    finally:
        if bench is not None:
            bench.stop()
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
