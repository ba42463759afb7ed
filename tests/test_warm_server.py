"""The tests' servers: kept from run to run, never for other migrations, and gone when nobody has used them for a while."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests import warm_server
from tests.kinds import starts_processes


@pytest.fixture
@starts_processes
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> warm_server.WarmServer:
    """One of this test's own, that ends when it has been idle for a second."""
    monkeypatch.setenv("PORTAL_TEST_SERVER", str(tmp_path / "warm"))
    monkeypatch.setenv(warm_server.IDLE_MINUTES, str(1 / 60))
    tmp_path.chmod(0o711)
    return warm_server.WarmServer()


def test_servers_stay_while_a_run_uses_them_and_end_by_themselves(server: warm_server.WarmServer) -> None:
    program = (
        "import sys; from tests.warm_server import WarmServer; server = WarmServer(); server.use(); server.start();"
        "print('there', flush=True); sys.stdin.read()"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=warm_server.REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PORTAL_TEST_SERVER": str(server.folder)},
    )
    assert run.stdin is not None
    assert run.stdout is not None
    assert run.stdout.readline() == b"there\n"
    time.sleep(3 * warm_server.LOOK_SECONDS)  # idle, but in use
    with psycopg.connect(server.admin_address(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE test_left_by_a_killed_run")
    run.kill()
    run.communicate()
    until = time.monotonic() + 60
    while server.folder.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not server.is_running()
    assert list(server.folder.parent.iterdir()) == []


def test_other_migrations_models_or_roles_mean_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_server, "REPOSITORY", tmp_path)
    migration = tmp_path / "connections" / "jobs" / "migrations" / "0001_initial.py"
    imported = tmp_path / "connections" / "transport" / "log" / "partitions.py"
    models = tmp_path / "portal" / "members" / "models.py"
    roles = tmp_path / "portal" / "operations" / "roles.py"
    aside = tmp_path / "connections" / "jobs" / "services.py"
    for path in (migration, imported, models, roles, aside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from connections.transport.log import partitions\n")
    seen = {warm_server.fingerprint()}
    for number, path in enumerate((migration, imported, models, roles), start=2):
        path.write_text(path.read_text() + "\n")
        seen.add(warm_server.fingerprint())
        assert len(seen) == number, path
    aside.write_text("")
    assert warm_server.fingerprint() in seen
