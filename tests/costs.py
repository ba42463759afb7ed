"""What a test run costs: `make test-costs` prints the dearest tests, and a table by kind of test.

Wall time lies on a busy machine, so seconds of processor are counted: of this process, of its children, and of the
servers that work for it in PostgreSQL. Beside them stand the seconds slept in this process and the processes started.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from tests.kinds import kind_of

DEAREST = 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """Seconds, but for `starts`, the number of processes started."""

    wall: float = 0.0
    own: float = 0.0
    children: float = 0.0
    database: float = 0.0
    slept: float = 0.0
    starts: float = 0.0

    @property
    def processor(self) -> float:
        return self.own + self.children + self.database

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Cost)))

    def __sub__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) - getattr(other, each.name) for each in fields(Cost)))


class Meter:
    """Reads what this process has cost so far."""

    def __init__(self) -> None:
        self._slept = 0.0
        self._starts = 0
        self._seconds: dict[tuple[str, int], float] = {}
        sys.addaudithook(self._hear)

    def _hear(self, event: str, values: tuple[Any, ...]) -> None:
        if event == "time.sleep":
            self._slept += values[0]
        elif event == "subprocess.Popen":
            self._starts += 1

    def read(self) -> Cost:
        own = resource.getrusage(resource.RUSAGE_SELF)
        self._read_others()
        return Cost(
            time.perf_counter(),
            own.ru_utime + own.ru_stime,
            sum(seconds for (kind, _), seconds in self._seconds.items() if kind == "child"),
            sum(seconds for (kind, _), seconds in self._seconds.items() if kind == "database"),
            self._slept,
            self._starts,
        )

    def _read_others(self) -> None:
        """The seconds of every process below this one, and of those that serve its database, dead ones as last seen."""
        parents: dict[int, int] = {}
        seconds: dict[int, float] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    words = (folder / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                pid = int(folder.name)
                parents[pid] = int(words[1])
                # With those of its children that have ended and been waited for.
                seconds[pid] = sum(map(int, words[11:15])) / TICKS_PER_SECOND
        for pid, spent in seconds.items():
            if kind := self._kind(pid, parents):
                self._seconds[kind, pid] = spent
        waited = resource.getrusage(resource.RUSAGE_CHILDREN)
        living = {("child", pid) for pid in seconds}
        for key in [key for key in self._seconds if key[0] == "child" and key not in living]:
            del self._seconds[key]  # ended and waited for: counted below
        self._seconds["child", 0] = waited.ru_utime + waited.ru_stime

    def _kind(self, pid: int, parents: dict[int, int]) -> str:
        if _serves_us(pid):
            return "database"
        if b"postgres" in _command(pid)[:40]:
            return ""
        while pid := parents.get(pid, 0):
            if pid == os.getpid():
                return "child"
        return ""


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _serves_us(pid: int) -> bool:
    from django.db import connection

    return f" {connection.settings_dict['NAME']} ".encode() in _command(pid)


_meter = Meter()
_costs: dict[str, Cost] = defaultdict(Cost)
_kinds: dict[str, str] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = _meter.read()
    item.user_properties.append(("kind", kind_of(item)))
    item.user_properties.append(("before", before))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    report = yield
    if call.when == "teardown":
        named = dict(item.user_properties)
        spent = _meter.read() - named["before"]
        report.user_properties = [
            ("cost", [getattr(spent, each.name) for each in fields(Cost)]),
            ("kind", named["kind"]),
        ]
    else:
        report.user_properties = []
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    named = dict(report.user_properties)
    if "cost" in named:
        _costs[report.nodeid] += Cost(*named["cost"])
        _kinds[report.nodeid] = named["kind"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _costs:
        return
    write = terminalreporter.write_line
    heads = ("processor", "own", "children", "database", "wall", "slept", "starts")

    def line(cost: Cost, text: str) -> None:
        write("".join(f"{getattr(cost, head):10.2f}" for head in heads) + f"  {text}")

    terminalreporter.section("what it cost, in seconds")
    write("".join(f"{head:>10}" for head in heads))
    by_kind: dict[str, list[Cost]] = defaultdict(list)
    by_file: dict[str, list[Cost]] = defaultdict(list)
    for name, cost in _costs.items():
        by_kind[_kinds[name]].append(cost)
        by_file[name.partition("::")[0]].append(cost)
    for title, groups in (("kind", by_kind), ("file", by_file)):
        sums = {name: sum(costs, Cost()) for name, costs in groups.items()}
        dearest = sorted(sums, key=lambda name: sums[name].processor, reverse=True)
        for name in dearest if title == "kind" else dearest[:DEAREST]:
            line(sums[name], f"{name} ({len(groups[name])} tests)")
        write("")
    for name in sorted(_costs, key=lambda name: _costs[name].processor, reverse=True)[:DEAREST]:
        line(_costs[name], name)
    write("")
    for name in sorted(_costs, key=lambda name: _costs[name].wall, reverse=True)[:DEAREST]:
        line(_costs[name], f"{name} (by wall time)")
    line(sum(_costs.values(), Cost()), f"all {len(_costs)} tests")
