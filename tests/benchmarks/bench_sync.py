"""How fast a sync is beside a bare limit that writes the same rows, and a second sync beside the first.

    python -m tests.benchmarks.bench_sync --records 40000 --rounds 3 --latency 20

Both contestants read the same pages from the same server, one request at a time, as portal_worker behind row security;
`--latency` is what a page takes to be answered, in milliseconds. The limit is no product: a page fetched while the last one
is stored, five pages a transaction, one prepared statement a page that splits it and inserts; no lease, no counts, no
cursor, no request log, no quota, and nothing that is odd. The engine's quota is lifted, not skipped. In turns, medians, and
the best of each beside them, for a machine that others use as well; ratios of one run. Statements and commits are those of
this process, for each page; seconds of processor those of this process and of PostgreSQL, for 100,000 records.
"""

from __future__ import annotations

import argparse
import http.client
import queue
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from tests.benchmarks.page_server import SIZE
from tests.drills.house import House
from tests.sandbox_server import REPOSITORY

PAGES_PER_TRANSACTION = 5
LIMIT = """
INSERT INTO sync_record
    (tenant_id, connection_id, stream, external_id, body, checksum, change_number, added_at, changed_at)
SELECT %(tenant)s, %(connection)s, 'invoices', item ->> 'id', item, md5(item::text)::uuid, 0, now(), now()
FROM json_array_elements(%(document)s::json -> 'results') AS list (item)
ON CONFLICT (tenant_id, connection_id, stream, external_id) DO UPDATE
SET body = excluded.body, checksum = excluded.checksum, changed_at = excluded.changed_at
WHERE sync_record.checksum <> excluded.checksum
"""


class Statements:
    """How many statements this process has sent through Django."""

    count = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += len(params) if many else 1
        return execute(sql, params, many, context)


STATEMENTS = Statements()


class Bench:
    """One connection, one page server, and the two ways to bring the pages home."""

    def __init__(self, house: House, records: int, latency_milliseconds: int = 0) -> None:
        self.house, self.records = house, records
        command = [sys.executable, "-m", "tests.benchmarks.page_server", str(records), str(latency_milliseconds)]
        self.server = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.server.stdout is not None
        self.port = int(self.server.stdout.readline())
        self.admin = psycopg.connect(house.postgres.admin_address("portal"), autocommit=True)
        self.connection = self._connection()

    def _connection(self) -> Any:
        from django.conf import settings
        from django.db import connection as database

        from connections.providers import registry
        from connections.spec.provider import Environment
        from connections.tenancy.models import Tenant, TenantState
        from connections.tenancy.scope import SYSTEM, tenant_scope
        from connections.vault import keys
        from connections.vault import services as vault
        from connections.vault.models import Connection
        from connections.vault.secret import Secret
        from portal.env import SandboxHosts

        address = f"http://127.0.0.1:{self.port}/api"
        settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api=address)}
        provider = registry.all_providers()["procountor"]
        lifted = tuple(replace(quota, calls=10**6) for quota in provider.quotas)
        object.__setattr__(provider, "quotas", lifted)  # frozen, as it should be; here the wire is measured
        object.__setattr__(provider, "streams", (provider.stream("invoices"),))
        keys.make_system_key()
        vault.register_client(
            provider="procountor", environment="sandbox", client_id="bench", client_secret=Secret("bench-secret")
        )
        tenant = vault.create_tenant(name="Bench Oy", slug="bench")
        from connections.jobs import services as jobs
        from connections.jobs.models import Job

        lease = jobs.claim(Job.objects.get(subject=tenant.id).id)
        assert lease is not None
        keys.make_tenant_key(lease)
        assert Tenant.objects.get(id=tenant.id).state == TenantState.ACTIVE
        with tenant_scope(tenant.id):
            connection = vault.open_connection(
                tenant=tenant, provider="procountor", environment=Environment.SANDBOX, actor=SYSTEM
            )
            vault.store_credential(connection=connection, name="api_key", secret=Secret("k" * 40), actor=SYSTEM)
            vault.mark_healthy(connection=connection)
        # From here on this process is a worker, for the database too.
        login = urlsplit(self.house.plan.worker_url)
        database.close()
        database.settings_dict.update(USER=login.username, PASSWORD=self.house.keys.password("portal_worker"))
        database.execute_wrappers.append(STATEMENTS)
        with tenant_scope(tenant.id):
            return Connection.objects.get(id=connection.id)

    # -- the contestants -------------------------------------------------------------------------------------------

    def engine(self) -> None:
        """A run from its start to its end, turn by turn, as a worker does it."""
        from connections.jobs.models import Job
        from connections.jobs.tasks import work
        from connections.sync.models import RunState, Trigger
        from connections.sync.services import start_run
        from connections.tenancy.scope import SYSTEM, tenant_scope

        with tenant_scope(self.connection.tenant_id):
            run = start_run(connection=self.connection, trigger=Trigger.HAND, actor=SYSTEM)
        job = Job.objects.get(kind="sync.run", subject=run.id)
        while job.state in ("queued", "running"):
            work(str(job.id))
            job.refresh_from_db()
        with tenant_scope(self.connection.tenant_id):
            run.refresh_from_db()
            assert run.state == RunState.SUCCEEDED, f"{run.state} {run.fault} {run.waiting_until}"

    def limit(self) -> None:
        """Fetch, split, insert, commit; nothing else."""
        pages: queue.Queue[str] = queue.Queue(4)
        threading.Thread(target=self._fetch, args=(pages,), daemon=True).start()
        place = {"tenant": self.connection.tenant_id, "connection": self.connection.id}
        login = urlsplit(self.house.plan.worker_url)
        password = self.house.keys.password("portal_worker")
        address = self.house.postgres.address(str(login.username), password)
        with psycopg.connect(address, autocommit=True, prepare_threshold=0) as session:
            document = pages.get()
            while document:
                with session.transaction():
                    session.execute("SELECT set_config('portal.tenant_id', %s, true)", [str(place["tenant"])])
                    for _ in range(PAGES_PER_TRANSACTION):
                        if not document:
                            break
                        session.execute(LIMIT, {**place, "document": document})
                        document = pages.get()

    def _fetch(self, pages: queue.Queue[str]) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self.port)
        for after in range(0, self.records, SIZE):
            link.request("GET", f"/api/invoices?size={SIZE}&orderById=ASC" + (f"&previousId={after}" if after else ""))
            pages.put(link.getresponse().read().decode())
        pages.put("")
        link.close()

    # -- measuring -------------------------------------------------------------------------------------------------

    def measure(self, contestant: str) -> dict[str, float]:
        """First over an empty table, again over the same records: rates, processor time, statements, commits, WAL."""
        self.admin.execute("TRUNCATE sync_record, sync_streamcursor, sync_changecounter")
        self.admin.execute("VACUUM ANALYZE sync_record")
        figures = {}
        for turn in ("first", "again"):
            # What PostgreSQL does by itself a minute later: else the marks that it makes when a row is read for the first
            # time, a page of WAL each, would count as the second sync's.
            self.admin.execute("VACUUM sync_record")
            self.admin.execute("UPDATE sync_streamcursor SET newest = ''")
            self.admin.execute("CHECKPOINT")
            before = self._counts()
            wall = time.perf_counter()
            getattr(self, contestant)()
            wall = time.perf_counter() - wall
            for name, count in self._counts().items():
                figures[f"{turn} {name}"] = count - before[name]
            figures[f"{turn} rate"] = self.records / wall
            for name in ("client", "server"):
                figures[f"{turn} {name}"] *= 100_000 / self.records
            for name in ("statements", "commits"):
                figures[f"{turn} {name}"] /= self.records / SIZE
            [(kept,)] = self.admin.execute("SELECT count(*) FROM sync_record").fetchall()
            assert kept == self.records, f"{kept} kept"
        return figures

    def _counts(self) -> dict[str, float]:
        from django.db import connection as database

        with database.cursor() as cursor:
            cursor.execute(
                "SELECT pg_stat_force_next_flush()"
            )  # else this session tells what it wrote ten seconds later
        [(commits, written)] = self.admin.execute(
            "SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = 'portal'),"
            " (SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sync_record')"
        ).fetchall()
        postgres = self.house.postgres.process
        assert postgres is not None
        server = psutil.Process(postgres.pid)
        ended = server.cpu_times()
        busy = sum(sum(each.cpu_times()[:2]) for each in [server, *server.children()])
        return {
            "client": time.process_time(),
            "server": busy + ended.children_user + ended.children_system,
            "statements": STATEMENTS.count,
            "commits": commits,
            "rows": written,
            "wal": self._wal() / 2**20,
        }

    def _wal(self) -> float:
        [(written,)] = self.admin.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()
        return float(written)

    def stop(self) -> None:
        self.admin.close()
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait(10)


FIGURES = {
    "rate": ("records/s", ",.0f"),
    "client": ("client s/100k", ".2f"),
    "server": ("server s/100k", ".2f"),
    "statements": ("statements", ".1f"),
    "commits": ("commits", ".1f"),
    "rows": ("rows written", ",.0f"),
    "wal": ("WAL MB", ".1f"),
}


def table(rounds: dict[str, list[dict[str, float]]]) -> str:
    def median(contestant: str, figure: str) -> float:
        return statistics.median(found[figure] for found in rounds[contestant])

    lines = [f"{'':16}" + "".join(f"{title:>15}" for title, _ in FIGURES.values())]
    for name in rounds:
        for turn in ("first", "again"):
            each = "".join(f"{median(name, f'{turn} {figure}'):>15{form}}" for figure, (_, form) in FIGURES.items())
            lines.append(f"{name:10}{turn:6}{each}")
    lines.append("")
    for name in rounds:
        best = max(figures["first rate"] for figures in rounds[name])
        least = {each: min(figures[f"first {each}"] for figures in rounds[name]) for each in ("client", "server")}
        lines.append(f"{name:10}best  {best:>15,.0f}" + "".join(f"{seconds:>15.2f}" for seconds in least.values()))
    lines.append("")
    first, again = median("engine", "first rate"), median("engine", "again rate")
    wal = median("engine", "again wal") / median("engine", "first wal")
    busy = {name: median(name, "first client") + median(name, "first server") for name in rounds}
    lines += [
        f"engine of limit, rate         {first / median('limit', 'first rate'):.2f}",
        f"engine of limit, processor    {busy['engine'] / busy['limit']:.2f}",
        f"second sync of first, rate    {again / first:.2f}",
        f"second sync of first, WAL     {wal:.3f}",
    ]
    lines.append(f"peak memory of this process   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=int, default=0, metavar="MILLISECONDS")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    bench = None
    try:
        house.start_servers()
        house.set_up_django(PORTAL_KEK_FILE=str(house.keys.kek))
        bench = Bench(house, options.records, options.latency)
        rounds: dict[str, list[dict[str, float]]] = {"engine": [], "limit": []}
        for number in range(options.rounds):
            for name in random.sample(list(rounds), len(rounds)):
                rounds[name].append(bench.measure(name))
            print(f"round {number + 1} of {options.rounds}", flush=True)
        print(table(rounds))
    finally:
        if bench is not None:
            bench.stop()
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
