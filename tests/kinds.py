"""What kind a test is: by its fixtures and marks, so that no list of files has to be kept.

`fast` tests need neither browser, process nor database: `make test-fast` runs them. Of these and of those with a database
alone, one that starts a process fails.
Where several workers share a run, dear kinds begin, so that none waits for a long test at the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
Function = TypeVar("Function", bound=Callable[..., Any])

DRILL, BROWSER, PROCESSES = "drill", "browser", "processes"
COMMITTED, ROLLED_BACK, NO_DATABASE = "database, committed", "database, rolled back", "no database"
DEAREST_FIRST = (DRILL, BROWSER, PROCESSES, COMMITTED, ROLLED_BACK, NO_DATABASE)
ENDS_AT_ONCE = {"openssl", "git"}  # programs that any test may run


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
    return COMMITTED if "django_db_setup" in fixtures else NO_DATABASE


def mark(item: pytest.Item) -> None:
    if kind_of(item) == NO_DATABASE:
        item.add_marker("fast")


def starts_none(item: pytest.Item) -> bool:
    """Whether the test has said nothing of processes, so that it may start none."""
    return kind_of(item) in (COMMITTED, ROLLED_BACK, NO_DATABASE)


def group_of(node: str) -> str:
    """Tests of one group run in one worker: a file's, or a folder's where its fixtures are for the whole folder.

    Each test is a group of its own where its file has the mark `split`. The process that shares the tests out has not
    collected them, so that it reads the file.
    """
    file = node.partition("::")[0]
    folder = str(Path(file).parent)
    if "pytest.mark.split" in _text(file):
        return node
    return folder if 'scope="package"' in _text(f"{folder}/conftest.py") else file


@cache
def _text(file: str) -> str:
    path = ROOT / file
    return path.read_text(encoding="utf-8") if path.exists() else ""


def begin_with_the_dearest(items: list[pytest.Item]) -> None:
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(group_of(item.nodeid), []).append(item)
    costs = {name: min(DEAREST_FIRST.index(kind_of(item)) for item in group) for name, group in groups.items()}
    items[:] = [item for name in sorted(groups, key=lambda name: costs[name]) for item in groups[name]]


class Groups(LoadScopeScheduling):
    """How pytest-xdist shares tests out: by group, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


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
