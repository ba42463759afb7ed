"""What the door costs: a call through Client against a bare keep-alive session, and a backlog against the limiter.

    python -m tests.benchmarks.bench_transport --calls 2000 --rounds 5

Both contestants ask the same small question of the same server over plain HTTP, one call at a time, in turns; medians,
ratios of one run. Client does all it does for real (judged address, token, place in the quota, log entry written per
twenty calls); its quota is lifted, not skipped. The limiter's share is measured with four processes and 60 a second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from tests.benchmarks.bench_sync import Bench
from tests.drills.house import House
from tests.sandbox_server import REPOSITORY

PAGE = 20  # calls whose entries are written together


def through_client(bench: Bench, calls: int) -> None:
    from connections.tenancy.scope import tenant_scope
    from connections.transport.client import Client

    client = Client(connection=bench.connection)
    for call in range(calls):
        assert client.send("session").status == 200
        if call % PAGE == PAGE - 1:
            with tenant_scope(bench.connection.tenant_id):
                client.write_pending()


def bare(bench: Bench, calls: int) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(calls):
            session.get(f"http://127.0.0.1:{bench.port}/api/sessioninfo", timeout=10).json()


CONTESTANTS = {"client": through_client, "bare": bare}


def measure(bench: Bench, name: str, calls: int) -> tuple[float, float]:
    """(wall, CPU of this process) per call in microseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    CONTESTANTS[name](bench, calls)
    return (time.perf_counter() - wall) / calls * 1e6, (time.process_time() - cpu) / calls * 1e6


def backlog(house: House, seconds: int) -> str:
    """Four processes that never rest: the share of the allowance they used, and the most in any second."""
    environment = {**house.plan.worker("sync").environment, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    takers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.transport.quota_worker", "slot", "line", "60", str(seconds)],
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    granted = sorted(tuple(each) for taker in takers for each in json.loads(taker.communicate()[0]))
    places = [place for place, _ in granted]
    starts = sorted(start for _, start in granted)
    share = len(places) / (places[-1] - places[0]) / 60
    return f"limiter: share used {share:.3f}, most places in a second {most(places)}, most starts {most(starts)}"


def most(instants: list[float]) -> int:
    return max(sum(1 for other in instants if start <= other < start + 1) for start in instants)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="of the limiter's backlog")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    bench = None
    try:
        house.start_servers()
        house.set_up_django(PORTAL_KEK_FILE=str(house.keys.kek))
        bench = Bench(house, 200)
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
        for name in CONTESTANTS:
            measure(bench, name, 100)
        for _ in range(options.rounds):
            for name in random.sample(list(rounds), len(rounds)):
                rounds[name].append(measure(bench, name, options.calls))
        walls = {name: statistics.median(wall for wall, _ in found) for name, found in rounds.items()}
        for name, found in rounds.items():
            cpu = statistics.median(cpu for _, cpu in found)
            print(f"{name:8}{walls[name]:8.0f} us a call ({min(found)[0]:.0f}-{max(found)[0]:.0f}), CPU {cpu:.0f} us")
        print(f"client of bare {walls['client'] / walls['bare']:.2f}")
        print(backlog(house, options.seconds))
    finally:
        if bench is not None:
            bench.stop()
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
