"""What cannot start says so in one line that names the way out, before any process runs."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from portal import env
from portal.devserver import binaries, locks
from portal.devserver.state import Folders
from portal.devserver.up import Start
from portal.operations.refusal import Refused


@pytest.fixture(autouse=True)
def server_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("PORTAL_", "DATABASE_URL", "BROKER_URL", "PG_BIN")) or name == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PORTAL_VAR", str(tmp_path / "state"))
    monkeypatch.setattr(os, "chown", _nobody_chowns)


def _nobody_chowns(*args: Any, **kwargs: Any) -> None:
    message = "a refused start gave a file away"
    raise AssertionError(message)


def refused(port: str | None = None) -> str:
    with pytest.raises((Refused, env.BadEnvironment)) as refusal:
        Start(port=port, demo=False, stop_signals=None)  # type: ignore[arg-type]
    text = str(refusal.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORTAL_MODE", "test", "PORTAL_MODE must be one of demo, production"),
        ("PORT", "eight", "PORT must be a whole number"),
        ("PORT", "70000", "PORT must be between"),
        ("PORTAL_SANDBOX_HOSTS", "{", "PORTAL_SANDBOX_HOSTS must be JSON"),
        ("PORTAL_SMTP_URL", "mail.example", "PORTAL_SMTP_URL must be of the form"),
        ("PORTAL_OWN_NETWORKS", "10.0.0.1/8", "PORTAL_OWN_NETWORKS must be networks"),
        ("PORTAL_EGRESS_PROXY", "proxy:3128", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "https://proxy:3128", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://proxy", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://proxy:x", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://a:b@proxy:3128", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://proxy:3128/x", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://proxy:3128#x", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://pro xy:3128", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_EGRESS_PROXY", "http://proxy:0", "PORTAL_EGRESS_PROXY must be of the form http://host:port"),
        ("PORTAL_TRUSTED_PROXIES", "some", "PORTAL_TRUSTED_PROXIES must be a whole number"),
        ("PORTAL_SECRET_KEY_FILE", "/nowhere/key", "PORTAL_SECRET_KEY_FILE cannot be read"),
        ("BROKER_URL", "amqp://guest@localhost", "BROKER_URL must be of the form redis://"),
        ("BROKER_URL_FILE", "/nowhere/broker", "BROKER_URL_FILE cannot be read"),
        ("DATABASE_URL", "mysql://x@y/z", "DATABASE_URL is not a PostgreSQL address"),
        ("PORTAL_VAR", "/dev/null/state", "cannot be written"),
        ("PG_BIN", "/nowhere", "PG_BIN=/nowhere holds no runnable initdb and postgres"),
    ],
)
def test_an_unusable_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    assert says in refused()


def test_a_proxy_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.proxy("PORTAL_EGRESS_PROXY") is None
    monkeypatch.setenv("PORTAL_EGRESS_PROXY", "http://proxy.example:3128/")
    assert env.proxy("PORTAL_EGRESS_PROXY") == ("proxy.example", 3128)
    monkeypatch.setenv("PORTAL_EGRESS_PROXY", "http://[fd00::1]:3128")
    assert env.proxy("PORTAL_EGRESS_PROXY") == ("fd00::1", 3128)


def test_production_does_not_run_on_the_embedded_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_MODE", "production")
    assert "set DATABASE_URL" in refused()


def test_production_knows_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_MODE", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@localhost/portal")
    monkeypatch.setenv("PORTAL_SANDBOX_HOSTS", '{"procountor": {"api": "https://localhost:1"}}')
    assert "PORTAL_SANDBOX_HOSTS is for the demo" in refused()


def test_a_folder_with_other_peoples_things_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "run" / "theirs").touch()
    home.chmod(0o750)
    monkeypatch.setenv("PORTAL_VAR", str(home))
    assert "set PORTAL_VAR to a folder of its own" in refused()
    assert (home / "run" / "theirs").exists()
    assert home.stat().st_mode & 0o777 == 0o750


def test_a_second_start_in_the_same_folder(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "state")
    folders.make()
    with (folders.state / "up.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        with pytest.raises(Refused, match=r"already runs in .* \(process 4711\)") as refusal:
            locks.lock_state_folder(folders)
    assert refusal.value.exit_code == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_taken_port_names_the_way_out(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Refused, match=rf"port {port} is taken .* PORT={port + 1000}") as refusal:
            locks.check_port(port, port, wait_seconds=0)
    assert refusal.value.exit_code == 4


@pytest.mark.process
def test_an_old_postgresql_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("initdb", "postgres"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18 (Some 15.18-0)'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(Refused, match="is PostgreSQL 15; name one of version 16 or newer"):
        binaries.find_postgres()


@pytest.mark.process
def test_a_cluster_of_another_version_is_not_touched(tmp_path: Path) -> None:
    from portal.devserver.postgres import Postgres

    folders = Folders(tmp_path / "state")
    folders.make()
    postgres = Postgres(folders, superuser_password="x")
    postgres.data.mkdir(mode=0o700)
    (postgres.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(Refused, match=r"was made by PostgreSQL 16, but .* set PG_BIN to version 16"):
        postgres.start()
    assert [path.name for path in postgres.data.iterdir()] == ["PG_VERSION"]
    assert postgres.process is None
