"""What a record of a very long list costs, against one of a long one, on an empty database: time, and memory at its peak.

    python -m tests.benchmarks.bench_first_list --records 20000 200000

The whole list comes in one answer, as Pentamic's do, and goes the way of every answer (parsing, then one statement), as
portal_worker behind row security. Autovacuum is off: what the planner knows of the table is what each row of the figures
says. Each answer is read in a process of its own, whose peak is its own. Medians of rounds, ratios of one run; by the
clock, and by the processor time of the database, which neighbours on the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from tests.drills.house import House
from tests.sandbox_server import REPOSITORY

KNOWLEDGE = ("never looked at", "ANALYZE", "VACUUM ANALYZE")


def answer(records: int) -> bytes:
    """About 240 bytes for each: 200,000 are just below what Pentamic's answers may have."""
    rows = (
        {
            "id": number,
            "name": f"Công ty Ví dụ {number}",
            "taxCode": f"{number:010}",
            "address": f"Số {number}, Đường Ví dụ, Phường Ví dụ, Thành phố Ví dụ",
            "phone": "0000000000",
            "balance": number * 1.25,
            "note": "x" * 20,
        }
        for number in range(records)
    )
    return json.dumps(list(rows), ensure_ascii=False).encode()


def read_and_write(tenant: str, records: int) -> dict[str, float]:
    """In this process: one answer, twice. Seconds, and the peak in MB before and after."""
    import django

    django.setup()
    from connections.providers import registry
    from connections.sync import upsert
    from connections.tenancy.scope import tenant_scope
    from connections.transport.http import parsing
    from connections.vault.models import Connection

    wire = registry.all_providers()["pentamic"].wires["json"]
    with tenant_scope(UUID(tenant)):
        connection = Connection.objects.get()
    body = answer(records)
    figures: dict[str, float] = {"megabytes": len(body) / 2**20, "peak before": _peak()}
    began = time.perf_counter()
    parsed = parsing.parse(body, wire)
    figures["parse"] = time.perf_counter() - began
    figures["peak parsed"] = _peak()
    for turn in ("first", "again"):
        began, busy = time.perf_counter(), _busy()
        with tenant_scope(UUID(tenant)):
            written = upsert.write(connection=connection, stream="customers", key="id", document=parsed.document)
            figures[f"{turn} cpu"] = _busy() - busy
        figures[turn] = time.perf_counter() - began
        assert written.added == (records if turn == "first" else 0), written
    figures["peak"] = _peak()
    return figures


def _busy() -> float:
    """Seconds of processor time that the database has spent on this session."""
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        process = cursor.fetchone()[0]
    spent = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Bench:
    def __init__(self, house: House) -> None:
        from connections.jobs import services as jobs
        from connections.jobs.models import Job
        from connections.tenancy.scope import tenant_scope
        from connections.vault import keys
        from connections.vault import services as vault
        from connections.vault.models import Connection

        self.house = house
        self.admin = psycopg.connect(house.postgres.admin_address("portal"), autocommit=True)
        self.admin.execute("ALTER TABLE sync_record SET (autovacuum_enabled = off)")
        keys.make_system_key()
        tenant = vault.create_tenant(name="Bench Oy", slug="bench")
        lease = jobs.claim(Job.objects.get(subject=tenant.id).id)
        assert lease is not None
        keys.make_tenant_key(lease)
        with tenant_scope(tenant.id):
            Connection.objects.create(tenant=tenant, provider="pentamic", environment="production")
        self.tenant = str(tenant.id)

    def measure(self, records: int, knowledge: str) -> dict[str, float]:
        self.admin.execute("TRUNCATE sync_record")
        if knowledge != KNOWLEDGE[0]:
            self.admin.execute(f"{knowledge} sync_record")
        self.admin.execute("CHECKPOINT")
        command = [sys.executable, "-m", "tests.benchmarks.bench_first_list", "--tenant", self.tenant]
        environment = self.house.plan.command("", "").environment | {"DATABASE_URL": self.house.plan.worker_url}
        environment["PORTAL_KEK_FILE"] = str(self.house.keys.kek)
        done = subprocess.run(
            [*command, "--records", str(records)], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, check=True
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def table(rounds: dict[tuple[str, int], list[dict[str, float]]]) -> str:
    def median(knowledge: str, records: int, figure: str) -> float:
        return statistics.median(found[figure] for found in rounds[knowledge, records])

    names = ("parse", "first", "first cpu", "again", "again cpu")
    lines = [
        f"{'planner knows':18}{'records':>9}{'MB':>6}" + "".join(f"{name:>10}" for name in names) + f"{'peak MB':>9}"
    ]
    for knowledge, records in rounds:
        each = "".join(f"{median(knowledge, records, name) / records * 1e6:>10.1f}" for name in names)
        size, peak = (median(knowledge, records, name) for name in ("megabytes", "peak"))
        lines.append(f"{knowledge:18}{records:>9,}{size:>6.1f}{each}{peak:>9.0f}")
    lines.append("microseconds a record; cpu: the database's")
    few, many = min(records for _, records in rounds), max(records for _, records in rounds)
    for knowledge in KNOWLEDGE:
        clock, cpu = (
            median(knowledge, many, name) / many / (median(knowledge, few, name) / few)
            for name in ("first", "first cpu")
        )
        lines.append(f"{many:,} of {few:,}, time a record, {knowledge}: {clock:.2f}, by processor time {cpu:.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tenant", help=argparse.SUPPRESS)
    options: Any = parser.parse_args()
    if options.tenant:
        print(json.dumps(read_and_write(options.tenant, options.records[0])))
        return
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    try:
        house.start_servers()
        house.set_up_django(PORTAL_KEK_FILE=str(house.keys.kek))
        bench = Bench(house)
        rounds: dict[tuple[str, int], list[dict[str, float]]] = {
            (knowledge, records): [] for knowledge in KNOWLEDGE for records in options.records
        }
        for number in range(options.rounds):
            for knowledge, records in random.sample(list(rounds), len(rounds)):
                rounds[knowledge, records].append(bench.measure(records, knowledge))
            print(f"round {number + 1} of {options.rounds}", flush=True)
        print(table(rounds))
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
