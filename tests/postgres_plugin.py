"""Gives a test run PostgreSQL, Valkey and keys: the warm servers of the run before, or new ones for the first test that asks.

Named in pytest's `addopts`. Nothing starts where the caller brings DATABASE_URL (of a server prepared as in
tests/warm_server.py), nor for tests that need no database. The workers of pytest-xdist inherit the environment of the
run that started them. A killed run leaves nothing behind that does not end by itself.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from portal.operations.keys import ensure_keys
from portal.operations.refusal import Refused
from tests.warm_server import WarmServer

# What our settings accept until the servers are there, and nobody can connect to.
NOT_STARTED = {
    "DATABASE_URL": "postgresql://portal_owner@/portal?host=/not-started",
    "BROKER_URL": "redis+socket:///not-started/valkey.sock",
}

_states: list[Path] = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    try:
        prepare_environment()
        if any(each.startswith(("-n", "--numprocesses")) for each in args):
            start_servers()
    except Refused as refusal:
        _remove_state()
        message = f"the tests' servers cannot start: {refusal}"
        raise pytest.UsageError(message) from None


def prepare_environment() -> None:
    """Keys and a state folder of this run's own, and the servers' addresses if they are warm. Raises Refused."""
    _remove_what_killed_runs_left()
    state = Path(tempfile.mkdtemp(prefix=f"portal-tests-{os.getpid()}-"))
    _states.append(state)
    atexit.register(_remove_state)
    keys = ensure_keys(state / "keys")
    os.environ |= {
        "PORTAL_SECRET_KEY_FILE": str(keys.secret_key),
        "PORTAL_WEB_KEYSET_FILE": str(keys.web_keyset),
        "PORTAL_KEK_FILE": str(keys.kek),
        "PORTAL_VAR": str(state),
        "PORTAL_MODE": "demo",
        "PORTAL_PROCESS": "owner",
        "PORTAL_ORIGIN": "http://localhost:8000",
    }
    if "DATABASE_URL" not in os.environ:
        server = WarmServer()
        server.use()
        brought = {name: os.environ[name] for name in ("BROKER_URL",) if name in os.environ}
        os.environ |= (server.environment() if server.is_running() else NOT_STARTED) | brought


def start_servers() -> bool:
    """Whether they had to be started, so that settings read before have to be read again. Raises Refused."""
    if os.environ["DATABASE_URL"] != NOT_STARTED["DATABASE_URL"]:
        return False
    server = WarmServer()
    server.start()
    is_brought = os.environ["BROKER_URL"] != NOT_STARTED["BROKER_URL"]
    os.environ |= server.environment() | ({"BROKER_URL": os.environ["BROKER_URL"]} if is_brought else {})
    return True


def _remove_what_killed_runs_left() -> None:
    for state in Path(tempfile.gettempdir()).glob("portal-tests-*-*") if Path("/proc/self").exists() else ():
        pid = state.name.split("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(FileNotFoundError):  # another run was quicker
                if state.lstat().st_uid == os.geteuid():
                    shutil.rmtree(state, ignore_errors=True)


def _remove_state() -> None:
    while _states:
        shutil.rmtree(_states.pop(), ignore_errors=True)
