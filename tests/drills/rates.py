"""Eight processes with a backlog against limits, while the database that holds the limiter is stopped and killed.

    python -m tests.drills.rates --seconds 60 --budget 20000

A line of 60 a second in peace, then the same line and one of 4 a second through a restart of PostgreSQL, an immediate
stop of it and a killed backend (which both lose what was not yet on the disk), then a budget of a day that ten connections
share, through an immediate stop. Places are judged in database time; calls by the kernel's time of arrival at a server of
its own, so that how late this machine wakes that server does not matter. How late it wakes the callers does: the longest
way from a place to its arrival is told. Ends with 1 where anything was over, where a call came without a place of its own,
where less than 95 % of the allowance was used in peace, or where a budget was not used up.

With --short four processes, for some seconds, through a restart and a crash, and a small budget; nothing that a busy
machine decides is judged: neither the share nor what arrived too close together at the server.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.drills.house import House, until
from tests.sandbox_server import REPOSITORY

PROCESSES = 8
LEAST_SHARE = 0.95
EARLY = 0.002  # seconds; two readings of one machine's clock differ by less
DAY = 86_400


@dataclass
class Line:
    """What became of one limit."""

    name: str
    limit: int
    granted: int
    granted_over: int  # in any window of database time
    most_granted: int
    sent: int
    unplaced: int  # calls at the server without a place that was given, and given once
    sent_over: int  # in any window at the server
    most_sent: int
    early: int  # calls that arrived before their place
    late_ms: tuple[float, float]  # from a place to the arrival of its call: p99, longest
    share: float
    came_back_later: int
    database_gone: int


class Drill:
    def __init__(self, house: House, processes: int = PROCESSES) -> None:
        self.house, self.processes = house, processes
        command = [sys.executable, "-m", "tests.drills.counting"]
        self.server = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.server.stdout is not None
        self.port = int(self.server.stdout.readline())

    def stop(self) -> None:
        self.server.kill()
        self.server.wait()

    def report(self) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/report", timeout=30) as answer:
            return json.load(answer)

    def run(
        self,
        name: str,
        limit: int,
        *,
        per: float = 1.0,
        seconds: float,
        connections: int = 1,
        meanwhile: Sequence[Callable[[], None]] = (),
    ) -> Line:
        """All processes at one limit; each of `meanwhile` happens in its turn."""
        environment = {"PATH": os.environ["PATH"], **self.house.plan.worker("sync").environment}
        arguments = [str(self.port), name, str(limit), str(per), str(seconds), str(connections)]
        command = [sys.executable, "-m", "tests.drills.taking", *arguments]
        takers = [
            subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE)
            for _ in range(self.processes)
        ]
        until(lambda: len(self.report().get(name, [])) >= self.processes, "the first calls")
        for happen in meanwhile:
            # A budget is interrupted where it is being used, a line after some of its time.
            if per >= DAY:
                until(lambda: len(self.report()[name]) > limit / 2, "half of the budget")
            else:
                time.sleep(seconds / (len(meanwhile) + 2))
            happen()
        told = [json.loads(taker.communicate()[0]) for taker in takers]
        if any(taker.returncode for taker in takers):
            sys.exit("FAILED: a process ended with an error")
        found = self.report()[name]
        sent = sorted(at for at, _ in found)
        slots = sorted(slot for each in told for slot in each["slots"])
        late = sorted(at - float(place) for at, place in found) if slots else [0.0]
        most_granted, most_sent = most(slots, per), most(sent, per)
        span = slots[-1] - slots[0] if slots else 0
        return Line(
            name=name,
            limit=limit,
            granted=len(slots) or len(sent),
            granted_over=max(most_granted - limit, 0),
            most_granted=most_granted,
            sent=len(sent),
            unplaced=unplaced([float(place) for _, place in found], slots) if slots else 0,
            sent_over=max(most_sent - limit, 0),
            most_sent=most_sent,
            early=sum(each < -EARLY for each in late),
            late_ms=(round(late[len(late) * 99 // 100] * 1000, 1), round(late[-1] * 1000, 1)),
            share=round(len(sent) / span / limit * per if span else len(sent) / limit, 4),
            came_back_later=sum(each["refused"] for each in told),
            database_gone=sum(each["gone"] for each in told),
        )

    # -- what happens to the database --------------------------------------------------------------------------------

    def restart(self) -> None:
        before = self._began_anew()
        self.house.postgres.stop()
        self.house.postgres.start()
        if self._began_anew() != before:
            sys.exit("FAILED: an orderly restart was taken for a crash")

    def stop_at_once(self) -> None:
        """As when the machine dies: nothing is written any more, and the log is replayed at the start."""
        before, process = self._began_anew(), self.house.postgres.process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait()
        self.house.postgres.start()
        self._expect_crash(before)

    def kill_a_backend(self) -> None:
        """The server takes all others down with it, and its shared memory."""
        before = self._began_anew()
        with psycopg.connect(self.house.postgres.admin_address("portal"), autocommit=True) as link:
            found = link.execute(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'portal_worker' AND pid <> pg_backend_pid()"
            )
            os.kill(found.fetchall()[0][0], signal.SIGKILL)
        self._expect_crash(before)

    def _expect_crash(self, before: Any) -> None:
        def noticed() -> bool:
            try:
                return bool(self._began_anew() > before)
            except psycopg.OperationalError:
                return False  # it is still getting up

        until(noticed, "the statistics to begin anew, by which the limiter knows of a crash")

    def _began_anew(self) -> Any:
        with psycopg.connect(self.house.postgres.admin_address("portal")) as link:
            row = link.execute("SELECT stats_reset FROM pg_stat_bgwriter").fetchone()
            assert row is not None
            return row[0]


def most(instants: Sequence[float], span: float) -> int:
    """The most of these (sorted) in any window of `span` seconds."""
    found, first = 0, 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - span:
            first += 1
        found = max(found, last - first + 1)
    return found


def unplaced(noted: Sequence[float], places: Sequence[float]) -> int:
    """How many calls name a place that nobody was given, or that another call names, too."""
    return sum((Counter(noted) - Counter(places)).values())


def verdict(lines: Sequence[Line], *, in_time: bool) -> list[str]:
    """What was promised and not kept. `in_time`: whether the machine was quick enough to judge by arrivals."""
    wrong = []
    for line in lines:
        is_budget = line.name == "budget"
        if line.granted_over or line.unplaced:
            wrong.append(f"{line.name}: {line.granted_over} places over, {line.unplaced} calls without a place")
        if line.early:
            wrong.append(f"{line.name}: {line.early} calls came before their place")
        if is_budget and not line.came_back_later:
            wrong.append(f"{line.name}: nobody asked for a call too many")
        if line.sent_over and (in_time or is_budget):
            wrong.append(f"{line.name}: {line.sent_over} calls over at the server")
        # What was counted right before the crash, and not sent, is lost: one call of each process at most.
        if is_budget and line.sent < line.limit - PROCESSES:
            wrong.append(f"{line.name}: {line.sent} calls, so it was not used up, and its end was not seen")
        if in_time and line.name == "peace" and line.share < LEAST_SHARE:
            wrong.append(f"{line.name}: {line.share:.1%} of the allowance used")
    return wrong


def table(lines: Sequence[Line]) -> str:
    rows = [
        ("", *(line.name for line in lines)),
        ("limit", *(line.limit for line in lines)),
        ("places given", *(line.granted for line in lines)),
        ("  most in a window, over", *(f"{line.most_granted}, {line.granted_over}" for line in lines)),
        ("calls at the server", *(line.sent for line in lines)),
        ("  most in a window, over", *(f"{line.most_sent}, {line.sent_over}" for line in lines)),
        ("  without a place", *(line.unplaced for line in lines)),
        ("  before their place", *(line.early for line in lines)),
        ("  late: p99, longest (ms)", *("{}, {}".format(*line.late_ms) for line in lines)),
        ("share of the allowance", *(f"{line.share:.1%}" for line in lines)),
        ("told to come back later", *(line.came_back_later for line in lines)),
        ("database gone", *(line.database_gone for line in lines)),
    ]
    return "\n".join(f"{row[0]:26}" + "".join(f"{cell!s:>16}" for cell in row[1:]) for row in rows)


def long(drill: Drill, seconds: float, budget: int) -> Iterator[Line]:
    happenings = [drill.restart, drill.stop_at_once, drill.kill_a_backend]
    through = max(seconds, 15.0)
    yield drill.run("peace", 60, seconds=seconds)
    yield drill.run("restarts", 60, seconds=through, meanwhile=happenings)
    yield drill.run("slow-line", 4, seconds=through, meanwhile=happenings)
    yield drill.run("budget", budget, per=DAY, seconds=600, connections=10, meanwhile=[drill.stop_at_once])


def short(drill: Drill) -> Iterator[Line]:
    yield drill.run("restarts", 60, seconds=10, meanwhile=[drill.restart, drill.stop_at_once])
    yield drill.run("budget", 200, per=DAY, seconds=120, connections=10, meanwhile=[drill.stop_at_once])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--budget", type=int, default=20_000)
    parser.add_argument("--short", action="store_true", help="a minute at most, and nothing is judged by its time")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-"))
    house, drill = House(folder / "var"), None
    try:
        house.start_servers()
        drill = Drill(house, 4 if options.short else PROCESSES)
        lines = list(short(drill) if options.short else long(drill, options.seconds, options.budget))
        print(table(lines))
        if options.json:
            print(json.dumps([asdict(line) for line in lines]))
        if wrong := verdict(lines, in_time=not options.short):
            sys.exit("FAILED: " + "; ".join(wrong))
    finally:
        if drill is not None:
            drill.stop()
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
