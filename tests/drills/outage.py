"""A provider that answers nothing but 503 for ten minutes, and a fleet of connections whose workers want to read.

    python -m tests.drills.outage --minutes 10

Real PostgreSQL, Valkey, sandbox, Celery workers and beat. Counted at the simulator: how many calls come before the breaker
opens, the most in any minute from the first 503 on, how long after its recovery the first good answer comes, and how many
calls follow. No connection may be broken by it, and every run must end by itself as one did before. Ends with 1 otherwise.

With --short the recovery comes soon, most of the wait for it is skipped by setting the database's rows back, and how
long anything took is not judged, nor how many calls were on their way when the breaker opened.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.drills.house import House, running, until

MOST_A_MINUTE = 5
NOTICED_WITHIN = 60.0
BURST = 10  # calls in the first five seconds after the recovery; in each five seconds that follow, twice as many
TICK = 0.2  # seconds between two looks at the simulator's counters


@dataclass
class Figures:
    connections: int
    minutes: float
    calls_before_opening: int = 0
    opened_after_s: float = 0.0
    calls_while_open: int = 0
    most_while_open: int = 0  # in any minute
    most_in_a_minute: int = 0  # with those that opened it
    longest_pause_s: float = 0.0
    noticed_after_s: float = 0.0
    calls_by_five_seconds: tuple[int, ...] = ()
    all_read_after_s: float = 0.0
    broken: int = 0


class Drill:
    def __init__(self, house: House, figures: Figures, *, skip_s: float = 0.0, follow_s: int = 30) -> None:
        """`skip_s`: of the time until somebody looks again; `follow_s`: how long the way back in is watched."""
        self.house, self.figures = house, figures
        self.skip_s, self.follow_s = skip_s, follow_s
        self.asked: list[float] = []  # when the simulator's counter went up, a time for each call
        self.good = self.counted = 0

    def go(self) -> Figures:
        from connections.transport.limits.circuit_breaker import trouble_since

        fleet = [self.house.connected(f"Fleet {n} Oy", f"fleet-{n}") for n in range(self.figures.connections)]
        for each in fleet:
            self._start(each)
        as_before = self._until_read("the first runs")
        self.house.sandbox.faults([{"path": "*", "status": 503, "times": None}])
        self.house.sandbox.reset_counters()
        begun = time.monotonic()
        for each in fleet:
            self._start(each)
        while trouble_since(fleet[0]) is None:
            self._look()
            if time.monotonic() - begun > 60:
                sys.exit("FAILED: the breaker never opened")
        opened = time.monotonic()
        # What was on its way when it opened.
        while time.monotonic() < opened + 1:
            self._look()
        self.figures.opened_after_s = round(opened - begun, 1)
        self.figures.calls_before_opening = before = len(self.asked)
        while time.monotonic() < begun + self.figures.minutes * 60:
            self._look()
            self._nobody_is_broken()
        if trouble_since(fleet[0]) is None:
            sys.exit("FAILED: the pages do not say that there is trouble")
        while_open = self.asked[before:]
        self.figures.calls_while_open = len(while_open)
        self.figures.most_while_open = most(while_open, 60.0)
        self.figures.most_in_a_minute = most(self.asked, 60.0)
        self.figures.longest_pause_s = round(longest_pause(opened, while_open, time.monotonic()), 1)
        self._recover(fleet, as_before)
        return self.figures

    def _recover(self, fleet: list[Any], as_before: set[tuple[str, str]]) -> None:
        from connections.transport.limits.circuit_breaker import trouble_since

        self.asked.clear()
        self.house.sandbox.faults([])
        healed = time.monotonic()
        self._skip()
        while not self.good:
            self._look()
            if time.monotonic() > healed + 2 * NOTICED_WITHIN:
                sys.exit("FAILED: nobody came to look")
        noticed = time.monotonic()
        self.figures.noticed_after_s = round(noticed - healed + self.skip_s, 1)
        while time.monotonic() < noticed + self.follow_s:
            self._look()
        self.figures.calls_by_five_seconds = tuple(
            sum(1 for at in self.asked if noticed + start <= at < noticed + start + 5)
            for start in range(0, self.follow_s, 5)
        )
        if trouble_since(fleet[0]) is not None:
            sys.exit("FAILED: the pages still say that there is trouble")
        if (ended := self._until_read("the interrupted runs")) != as_before:
            sys.exit(f"FAILED: runs ended {ended}, before that {as_before}")
        self.figures.all_read_after_s = round(time.monotonic() - healed, 1)
        self._nobody_is_broken()

    def _skip(self) -> None:
        """So much time has passed, as far as those who wait can tell."""
        from django.db.models import F

        from connections.jobs.models import Job, JobState
        from connections.transport.models import Breaker

        by = timedelta(seconds=self.skip_s)
        Breaker.objects.update(next_at=F("next_at") - by)
        Job.objects.filter(state=JobState.QUEUED).update(due_at=F("due_at") - by)

    def _start(self, connection: Any) -> None:
        from connections.sync.models import Trigger
        from connections.sync.services import start_run
        from connections.tenancy.scope import SYSTEM, tenant_scope

        with tenant_scope(connection.tenant_id):
            start_run(connection=connection, trigger=Trigger.HAND, actor=SYSTEM)

    def _until_read(self, what: str) -> set[tuple[str, str]]:
        """How all runs ended: (state, fault)."""
        from connections.sync.models import SyncRun

        until(lambda: not SyncRun.objects.active().exists(), what, seconds=300, every=0.5)
        return set(SyncRun.objects.values_list("state", "fault"))

    def _look(self) -> None:
        time.sleep(TICK)
        state = self.house.sandbox.state()
        self.good = sum(count for status, count in state["calls_by_status"].items() if status.startswith("2"))
        self.asked += [time.monotonic()] * (state["calls"] - self.counted)
        self.counted = state["calls"]

    def _nobody_is_broken(self) -> None:
        from connections.vault.models import Connection

        self.figures.broken = max(self.figures.broken, Connection.objects.exclude(state="connected").count())


def most(instants: list[float], span: float) -> int:
    return max((sum(1 for other in instants if start <= other < start + span) for start in instants), default=0)


def longest_pause(begun: float, instants: list[float], ended: float) -> float:
    moments = [begun, *instants, ended]
    return max(later - sooner for sooner, later in pairwise(moments))


def table(found: Figures) -> str:
    rows = [
        ("connections, minutes of 503", f"{found.connections}, {found.minutes:g}"),
        ("calls before the breaker opened", f"{found.calls_before_opening} in {found.opened_after_s} s"),
        ("calls while it was open", found.calls_while_open),
        ("  most in any minute, with the opening", f"{found.most_while_open}, {found.most_in_a_minute}"),
        ("  longest pause", f"{found.longest_pause_s} s"),
        ("recovery noticed after", f"{found.noticed_after_s} s"),
        ("calls in each 5 s that follow", ", ".join(map(str, found.calls_by_five_seconds))),
        ("every run ended as before after", f"{found.all_read_after_s} s"),
        ("connections broken", found.broken),
    ]
    return "\n".join(f"{name:40} {value}" for name, value in rows)


def verdict(found: Figures, *, in_time: bool) -> list[str]:
    """What was promised and not kept; `in_time`: whether it came in time as well."""
    wrong = []
    if (most_found := found.most_in_a_minute if in_time else found.most_while_open) > MOST_A_MINUTE:
        wrong.append(f"{most_found} calls in a minute")
    if in_time and found.noticed_after_s > NOTICED_WITHIN:
        wrong.append(f"recovery was noticed after {found.noticed_after_s} s")
    if any(calls > BURST * 2**number for number, calls in enumerate(found.calls_by_five_seconds)):
        wrong.append(f"a burst of calls: {found.calls_by_five_seconds}")
    if found.broken:
        wrong.append(f"{found.broken} connections are broken")
    return wrong


def drill(house: House, options: argparse.Namespace) -> Figures:
    if not options.short:
        return Drill(house, Figures(options.connections, options.minutes)).go()
    for stream in ("invoices", "partners", "products", "ledger_receipts", "payments"):
        house.sandbox.control("records", {"stream": stream, "count": 5})
    return Drill(house, Figures(4, 0.2), skip_s=22.0, follow_s=10).go()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--short", action="store_true", help="some seconds, four connections, no time is judged")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder:
        house = House(Path(folder, "var"), records="small" if options.short else "demo")
        with running(house):
            figures = drill(house, options)
            print(table(figures))
            if options.json:
                print(json.dumps(asdict(figures)))
            if wrong := verdict(figures, in_time=not options.short):
                sys.exit("FAILED: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
