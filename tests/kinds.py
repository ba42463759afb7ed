"""What kind a test is: by its fixtures and marks, so that no list of files has to be kept.

`fast` tests need neither browser nor process; `make test-fast` runs them, and there a test that starts a process fails.
Where several workers share a run, dear kinds begin, so that none waits for a long test at the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

Function = TypeVar("Function", bound=Callable[..., Any])

DRILL, BROWSER, PROCESSES = "drill", "browser", "processes"
COMMITTED, ROLLED_BACK, NO_DATABASE = "database, committed", "database, rolled back", "no database"
DEAREST_FIRST = (DRILL, BROWSER, PROCESSES, COMMITTED, ROLLED_BACK, NO_DATABASE)
ENDS_AT_ONCE = {"openssl", "git"}  # programs that a fast test may run


def starts_processes(fixture: Function) -> Function:
    """Below `pytest.fixture`: whatever test asks for it is none of the fast ones."""
    fixture.starts_processes = True  # type: ignore[attr-defined]
    return fixture


def kind_of(item: pytest.Item) -> str:
    for mark, kind in (("drill", DRILL), ("journey", BROWSER), ("process", PROCESSES)):
        if item.get_closest_marker(mark):
            return kind
    known = getattr(item, "_fixtureinfo", None)
    fixtures = known.name2fixturedefs if known else {}
    if any(hasattr(each.func, "starts_processes") for found in fixtures.values() for each in found):
        return PROCESSES
    if "committed_db" in fixtures:
        return COMMITTED
    if item.get_closest_marker("django_db") or not {"db", "rows"}.isdisjoint(fixtures):
        return ROLLED_BACK
    return NO_DATABASE


def mark(item: pytest.Item) -> None:
    if kind_of(item) in (COMMITTED, ROLLED_BACK, NO_DATABASE):
        item.add_marker("fast")


def share_out(items: list[pytest.Item]) -> None:
    """For pytest-xdist: a file's tests stay together unless it is marked `split`; those with one demo all together."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        folder, is_split = item.path.parent, item.get_closest_marker("split") is not None
        name = item.nodeid if is_split else str(folder if "live" in fixtures else item.path)
        groups.setdefault(name, []).append(item)
        if not is_split:
            item.add_marker(pytest.mark.xdist_group(name))
    costs = {name: min(DEAREST_FIRST.index(kind_of(item)) for item in group) for name, group in groups.items()}
    items[:] = [item for name in sorted(groups, key=lambda name: costs[name]) for item in groups[name]]


class NoProcesses:
    """Fails what starts a process while it stands."""

    def __init__(self) -> None:
        self.stands = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, values: tuple[Any, ...]) -> None:
        if self.stands and event == "subprocess.Popen":
            program = Path(os.fsdecode(values[0])).name
            if program not in ENDS_AT_ONCE:
                message = (
                    f"{program} is started: mark the test `process`, or its fixture with tests.kinds.starts_processes"
                )
                raise AssertionError(message)
