"""One process for each mutant, forked from one that has the libraries, the servers and a migrated database ready."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import psycopg
import pytest

from tests.mutation.subsets import LONGEST, SLOW
from tests.warm_server import TEMPLATE, WarmServer

OURS = ("portal", "connections", "tests")
DATABASE = "test_mutation"
FLAGS = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider")
MEMORY = 4 << 30  # bytes: a loop that a mutant never leaves may collect
Report = dict[str, Any]


class Judge:
    """Runs a module's tests against code that stands in for its own."""

    def __init__(self) -> None:
        for name in ("DATABASE_URL", "BROKER_URL", "PORTAL_TEST_DATABASE"):
            os.environ.pop(name, None)
        from tests import postgres_plugin

        postgres_plugin.prepare_environment()
        postgres_plugin.start_servers()
        self._admin = WarmServer().admin_address()
        report, _ = self._forked(_make_template, 120)
        if "error" in report:
            raise SystemExit(report["error"])

    def look(self, module: str, files: tuple[str, ...]) -> Report:
        """The unbroken module: `took` of every test that may judge, `failed`, and the tests that reach each line."""
        self._renew_database()
        report, _ = self._forked(lambda: _run(Looking(module), [*files, "-k", SLOW, "--maxfail=0"]), 600)
        for name in report.get("libraries", ()):
            with suppress(Exception):  # what needs Django's settings comes later
                importlib.import_module(name)
        gc.collect()
        gc.freeze()  # or each child's collector would copy every page that it shares with this process
        return report

    def run(self, module: str, code: CodeType, tests: list[str], seconds: float) -> Report:
        """`code` of pytest and the test that `failed`; `late` where it had to be stopped."""
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        report, is_late = self._forked(lambda: _run(Broken(module, code, tests), files), seconds)
        if is_late:
            self._renew_database()  # a test that is stopped leaves its rows behind
        return {"late": True} if is_late else report

    def _renew_database(self) -> None:
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE} OWNER portal_owner")

    def _forked(self, work: Callable[[], Report], seconds: float) -> tuple[Report, bool]:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            _begin()
            try:
                report = work()
            except BaseException as error:
                report = {"code": -1, "error": repr(error)}
            with os.fdopen(writes, "w") as pipe:
                json.dump(report, pipe)
            os._exit(0)
        os.close(writes)
        try:
            answer = _read(reads, seconds)
        finally:
            os.close(reads)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # with all that it started
            os.waitpid(child, 0)
        return (json.loads(answer) if answer else {"code": -1, "error": "it died"}), answer is None


def _read(pipe: int, seconds: float) -> bytes | None:
    """All that is said until the other side ends; None where that takes longer."""
    content, until = b"", time.monotonic() + seconds
    while (seconds_left := until - time.monotonic()) > 0:
        if select.select([pipe], [], [], seconds_left)[0]:
            block = os.read(pipe, 1 << 20)
            if not block:
                return content
            content += block
    return None


def _begin() -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in () if os.environ.get("MUTATION_OUTPUT") else (0, 1, 2):
        os.dup2(nothing, stream)
    for name in [name for name in sys.modules if name.split(".")[0] in OURS and name != "tests.mutation.subsets"]:
        del sys.modules[name]


def _run(plugin: Looking | Broken, arguments: list[str]) -> Report:
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=40,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")
    code = pytest.main([*FLAGS, *arguments], plugins=[plugin])
    return {"code": int(code), **plugin.report()}


def _make_template() -> Report:
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    import django

    django.setup()
    from tests import databases

    with databases.test_database():
        pass
    return {}


class _Plugin:
    """Uses the database that is there, and imports the module before the first test."""

    def __init__(self, module: str) -> None:
        self._module = module
        self.failed: list[str] = []

    def pytest_collection_finish(self) -> None:
        databases = importlib.import_module("tests.databases")
        databases.test_database = _use_database  # type: ignore[attr-defined]
        importlib.import_module(self._module)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


@contextmanager
def _use_database() -> Iterator[None]:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = DATABASE
    yield


class Looking(_Plugin):
    """Measures every test and notes which lines of the module it runs."""

    def __init__(self, module: str) -> None:
        super().__init__(module)
        self._took: dict[str, float] = {}
        self._path = _path(module)
        self._reached: dict[int, set[str]] = {}
        self._test = ""  # none: the module is imported
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, _value: object) -> Any:
        if frame.f_code.co_filename != self._path:
            return None
        self._reached.setdefault(frame.f_lineno, set()).add(self._test)
        return self._trace

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        yield
        self._test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        super().pytest_runtest_logreport(report)
        self._took[report.nodeid] = self._took.get(report.nodeid, 0.0) + report.duration

    def report(self) -> Report:
        sys.settrace(None)
        reached = {line: sorted(tests) for line, tests in self._reached.items()}
        took = {test: spent for test, spent in self._took.items() if spent < LONGEST}
        libraries = [name for name in sys.modules if name.split(".")[0] not in (*OURS, "__main__")]
        return {"took": took, "failed": self.failed, "reached": reached, "libraries": libraries}


def _path(module: str) -> str:
    return str(Path(*module.split(".")).with_suffix(".py").absolute())


class _Loader(importlib.machinery.SourceFileLoader):
    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        return self.code


class Broken(_Plugin, importlib.abc.MetaPathFinder):
    """Gives the code to whoever imports the module, and runs the tests in their order."""

    def __init__(self, module: str, code: CodeType, tests: list[str]) -> None:
        super().__init__(module)
        self._code, self._order = code, {test: place for place, test in enumerate(tests)}
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        place = _path(fullname)
        loader = _Loader(fullname, place)
        loader.code = self._code
        return importlib.util.spec_from_file_location(fullname, place, loader=loader)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (each for each in items if each.nodeid in self._order), key=lambda each: self._order[each.nodeid]
        )

    def report(self) -> Report:
        return {"failed": self.failed}
