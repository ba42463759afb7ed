"""Kills sync workers with -9 at random moments, again and again, and compares the books after every run.

    python -m tests.drills.kill_workers --kills 50 --seed 1

Real PostgreSQL, Valkey, sandbox, Celery workers and beat, in a temporary folder. Each kill takes either the pool child
that holds the run's lease, or the whole worker (which is started again, as a supervisor would), and counts only when
the run was being worked on at that moment. Nobody helps: the run must go on by itself. After every run the records must
equal what the simulator serves, none doubled, none missing, the counts exact. Ends with 1 at the first difference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.drills.house import House, running, until

STREAMS = ("partners", "invoices")


@dataclass
class Figures:
    kills: int = 0
    child_kills: int = 0
    worker_kills: int = 0
    missed: int = 0
    runs: int = 0
    killed_runs: int = 0
    most_kills_in_a_run: int = 0
    pages: int = 0
    records_served: int = 0
    lost: int = 0
    doubled: int = 0
    requests_seen: int = 0
    requests_logged: int = 0
    taken_up_after: list[float] = field(default_factory=list)


class Drill:
    """One connection that is synced over and over while its workers die."""

    def __init__(self, house: House, chance: random.Random, kills: int) -> None:
        self.house, self.chance, self.kills = house, chance, kills
        self.figures = Figures()

    def go(self) -> Figures:
        self.connection = self.house.connected()
        while self.figures.kills < self.kills:
            self._one_run()
        self._nothing_is_left()
        return self.figures

    # -- a run -----------------------------------------------------------------------------------------------------

    def _one_run(self) -> None:
        from connections.sync.models import SyncRun, Trigger
        from connections.sync.services import start_run
        from connections.tenancy.scope import SYSTEM, tenant_scope

        expected = self._prepare()
        self.house.sandbox.reset_counters()
        with tenant_scope(self.connection.tenant_id):
            run = start_run(connection=self.connection, trigger=Trigger.HAND, actor=SYSTEM)
        active = SyncRun.objects.active().filter(id=run.id)
        kills, begun = 0, time.monotonic()
        while active.exists():
            if time.monotonic() - begun > 180:
                sys.exit(f"FAILED: run {run.id} is stuck")
            if self.figures.kills < self.kills:
                time.sleep(self.chance.uniform(0.4, 0.5 + self.house.latency_ms / 60))
                kills += self._kill(run)
            else:
                time.sleep(0.05)
        run.refresh_from_db()
        self.figures.runs += 1
        self.figures.killed_runs += bool(kills)
        self.figures.most_kills_in_a_run = max(self.figures.most_kills_in_a_run, kills)
        self._compare(run, expected, kills)
        print(f"  run {self.figures.runs}: {run.state}, {kills} kills, {time.monotonic() - begun:.1f} s", flush=True)

    def _prepare(self) -> dict[str, dict[str, int]]:
        """Choose what this run meets; the counts it must end with, by stream."""
        from connections.sync.models import Record, StreamCursor

        kind = self.chance.choice(["first", "again", "changed", "since"]) if self.figures.runs else "first"
        expected: dict[str, dict[str, int]] = {}
        if kind == "first":
            Record.objects.all().delete()
            StreamCursor.objects.all().delete()
        for stream in STREAMS:
            served = self.house.sandbox.records(stream, active="all")
            ids = [record["id"] for record in served]
            expected[stream] = {"added": len(ids) if kind == "first" else 0, "changed": 0}
            if kind in ("changed", "since"):
                touched = self.chance.sample(ids, len(ids) * 2 // 3)
                self.house.sandbox.touch(stream, touched)
                expected[stream]["changed"] = len(touched)
            if kind in ("again", "changed"):
                StreamCursor.objects.filter(stream=stream).update(newest="")
            if kind != "since":
                expected[stream]["seen"] = len(ids)
        return expected

    # -- a kill ----------------------------------------------------------------------------------------------------

    def _kill(self, run: Any) -> int:
        from connections.jobs.models import Job
        from connections.jobs.services import MOST_CRASHES

        rows = Job.objects.filter(kind="sync.run", subject=run.id, state="running")
        # One that died often at the same page is left alone until it has kept one: it would rightly be parked.
        holder = rows.filter(starts__lt=MOST_CRASHES).values("owner", "epoch").first()
        if holder is None:
            return 0
        whole_worker = self.chance.random() < 0.3
        if whole_worker:
            self.house.kill_worker("sync")
        else:
            try:
                os.kill(int(holder["owner"].rpartition(":")[2]), signal.SIGKILL)
            except ProcessLookupError:
                self.figures.missed += 1
                return 0
        killed_at = time.monotonic()
        hit = rows.filter(epoch=holder["epoch"]).exists()
        if whole_worker:
            time.sleep(self.chance.uniform(0.0, 0.5))
            self.house.start_worker("sync")
        if not hit:  # it had just ended, or handed back
            self.figures.missed += 1
            return 0
        until(lambda: Job.objects.filter(subject=run.id, epoch__gt=holder["epoch"]).exists(), f"run {run.id} to go on")
        self.figures.taken_up_after.append(time.monotonic() - killed_at)
        self.figures.kills += 1
        self.figures.worker_kills += whole_worker
        self.figures.child_kills += not whole_worker
        return 1

    # -- the books -------------------------------------------------------------------------------------------------

    def _compare(self, run: Any, expected: dict[str, dict[str, int]], kills: int) -> None:
        from connections.sync.models import Record, StreamCursor, StreamProgress
        from connections.sync.pages import MOST_PAGES_AHEAD
        from connections.transport.models import RequestLogEntry

        if run.state != "succeeded":
            sys.exit(f"FAILED: run {run.id} ended {run.state} ({run.fault})")
        wrong = []
        for stream in STREAMS:
            served = {str(record["id"]): record for record in self.house.sandbox.records(stream, active="all")}
            rows = list(Record.objects.filter(stream=stream).values_list("external_id", "body"))
            kept = dict(rows)
            self.figures.records_served += len(served)
            self.figures.doubled += len(rows) - len(kept)
            self.figures.lost += len(served.keys() - kept.keys())
            if kept != served or len(rows) != len(served):
                differing = [key for key in served if kept.get(key) != served[key]]
                wrong.append(f"{stream}: {len(rows)} kept, {len(served)} served, differing: {differing[:5]}")
            progress = StreamProgress.objects.get(run=run, stream=stream)
            self.figures.pages += progress.pages
            counts = {name: getattr(progress, name) for name in expected[stream]}
            if counts != expected[stream]:
                wrong.append(f"{stream}: counted {counts}, expected {expected[stream]}")
            known = StreamCursor.objects.get(stream=stream).records
            if known != len(rows):
                wrong.append(f"{stream}: the cursor counts {known} records, there are {len(rows)}")
        seen = self.house.sandbox.state()["calls"]
        logged = RequestLogEntry.objects.filter(run_id=run.id).count()
        self.figures.requests_seen += seen
        self.figures.requests_logged += logged
        # A kill may take the log of the page in hand with it, and of those that were fetched ahead; no more.
        if not seen - kills * (1 + MOST_PAGES_AHEAD) <= logged <= seen:
            wrong.append(f"{seen} requests seen, {logged} logged, {kills} kills")
        if wrong:
            sys.exit("FAILED: " + "; ".join(wrong))

    def _nothing_is_left(self) -> None:
        from connections.jobs.models import Job
        from connections.sync.models import SyncRun

        until(
            lambda: not Job.objects.filter(kind__startswith="sync.run", state="running").exists(), "the queue to rest"
        )
        stuck = SyncRun.objects.active().count() + Job.objects.filter(state="parked").count()
        if stuck:
            sys.exit(f"FAILED: {stuck} runs or jobs are stuck")


def table(figures: Figures, seconds: float) -> str:
    waits = sorted(figures.taken_up_after)
    lines = [
        (
            "kills in the middle of a sync",
            f"{figures.kills} (pool child {figures.child_kills}, worker {figures.worker_kills})",
        ),
        ("kills that hit nothing", figures.missed),
        ("runs, of them killed", f"{figures.runs}, {figures.killed_runs}"),
        ("most kills in one run", figures.most_kills_in_a_run),
        ("resumed by itself", len(waits)),
        ("taken up again after", f"p50 {statistics.median(waits):.2f} s, max {waits[-1]:.2f} s" if waits else "-"),
        ("pages kept, records compared", f"{figures.pages}, {figures.records_served}"),
        ("records lost, doubled", f"{figures.lost}, {figures.doubled}"),
        ("requests the simulator saw, logged", f"{figures.requests_seen}, {figures.requests_logged}"),
        ("took", f"{seconds:.0f} s"),
    ]
    return "\n".join(f"{name:36} {value}" for name, value in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--latency-ms", type=int, default=100, help="of every answer of the simulator")
    parser.add_argument("--lease-seconds", type=int, default=2)
    parser.add_argument("--sweep-seconds", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    begun = time.monotonic()
    with TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder:
        house = House(
            Path(folder, "var"),
            latency_ms=options.latency_ms,
            lease_seconds=options.lease_seconds,
            sweep_seconds=options.sweep_seconds,
        )
        with running(house):
            figures = Drill(house, random.Random(options.seed), options.kills).go()
    print(table(figures, time.monotonic() - begun))
    if options.json:
        print(json.dumps(vars(figures)))


if __name__ == "__main__":
    main()
