"""How fast a sync is: the engine against a bare loop with the same upsert, and a second sync against the first.

    python -m tests.benchmarks.bench_sync --records 40000 --rounds 3

Both contestants read the same pages from the same server, one request at a time, one transaction per page, as
portal_worker behind row security. The loop has no engine: no lease, no counts, no cursor, no request log, no quota. The
engine's quota is lifted, not skipped. In turns, medians; ratios of one run.
"""

from __future__ import annotations

import argparse
import http.client
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.benchmarks.page_server import SIZE
from tests.drills.house import House
from tests.sandbox_server import REPOSITORY


class Bench:
    """One connection, one page server, and the two ways to bring the pages home."""

    def __init__(self, house: House, records: int) -> None:
        self.house, self.records = house, records
        command = [sys.executable, "-m", "tests.benchmarks.page_server", str(records)]
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

    def loop(self) -> None:
        """Fetch, upsert, commit; nothing else."""
        import orjson

        from connections.sync import upsert
        from connections.tenancy.scope import tenant_scope

        link = http.client.HTTPConnection("127.0.0.1", self.port)
        after, listed = 0, SIZE
        while listed == SIZE:
            link.request("GET", f"/api/invoices?size={SIZE}&orderById=ASC" + (f"&previousId={after}" if after else ""))
            body = link.getresponse().read()
            results = orjson.loads(body)["results"]
            with tenant_scope(self.connection.tenant_id):
                upsert.write(
                    connection=self.connection,
                    stream="invoices",
                    key="id",
                    document=body.decode(),
                    path=("results",),
                )
            listed = len(results)
            after = results[-1]["id"] if results else after
        link.close()

    # -- measuring -------------------------------------------------------------------------------------------------

    def measure(self, contestant: str) -> dict[str, float]:
        """First over an empty table, again over the same records; records a second, client CPU, WAL."""
        self.admin.execute("TRUNCATE sync_record, sync_streamcursor")
        self.admin.execute("VACUUM ANALYZE sync_record")
        figures = {}
        for turn in ("first", "again"):
            self.admin.execute("UPDATE sync_streamcursor SET newest = ''")
            self.admin.execute("CHECKPOINT")
            wal, wall, cpu = self._wal(), time.perf_counter(), time.process_time()
            getattr(self, contestant)()
            figures[f"{turn} rate"] = self.records / (time.perf_counter() - wall)
            figures[f"{turn} cpu"] = (time.process_time() - cpu) / self.records * 100_000
            figures[f"{turn} wal"] = (self._wal() - wal) / 2**20
            [(kept,)] = self.admin.execute("SELECT count(*) FROM sync_record").fetchall()
            assert kept == self.records, f"{kept} kept"
        return figures

    def _wal(self) -> float:
        [(written,)] = self.admin.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()
        return float(written)

    def stop(self) -> None:
        self.admin.close()
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait(10)


def table(rounds: dict[str, list[dict[str, float]]]) -> str:
    def median(contestant: str, figure: str) -> float:
        return statistics.median(found[figure] for found in rounds[contestant])

    lines = [f"{'':10}{'records/s':>22}{'again':>12}{'client CPU s/100k':>22}{'again':>8}{'WAL MB':>10}{'again':>8}"]
    for name in rounds:
        rates = [found["first rate"] for found in rounds[name]]
        spread = f"{median(name, 'first rate'):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
        lines.append(
            f"{name:10}{spread:>22}{median(name, 'again rate'):>12,.0f}{median(name, 'first cpu'):>22.2f}"
            f"{median(name, 'again cpu'):>8.2f}{median(name, 'first wal'):>10.1f}{median(name, 'again wal'):>8.2f}"
        )
    first, again = median("engine", "first rate"), median("engine", "again rate")
    wal = median("engine", "again wal") / median("engine", "first wal")
    lines += [
        f"engine of loop, first sync    {first / median('loop', 'first rate'):.2f}",
        f"engine of loop, second sync   {again / median('loop', 'again rate'):.2f}",
        f"second sync of first, rate    {again / first:.2f}",
        f"second sync of first, WAL     {wal:.3f}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    bench = None
    try:
        house.start_servers()
        house.set_up_django(PORTAL_KEK_FILE=str(house.keys.kek))
        bench = Bench(house, options.records)
        rounds: dict[str, list[dict[str, float]]] = {"engine": [], "loop": []}
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
