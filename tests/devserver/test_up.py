"""The whole portal from one command, for real: what it starts, what each process is told, and that nothing stays."""

from __future__ import annotations

import json
import os
import pwd
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.devserver.running import ROOT, Up, free_ports

pytestmark = pytest.mark.drill

MOST_MEMORY_MB = 500  # README.md says so
NEIGHBOURS = (Path("/"), Path("/tmp"), ROOT, ROOT / ".venv")


def _modes(state: Path) -> dict[Path, tuple[int, int]]:
    watched = {*NEIGHBOURS, *state.parents}
    return {path: (path.stat().st_mode, path.stat().st_uid) for path in watched if path.exists()}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "state"


@pytest.fixture(scope="module")
def before(state: Path) -> tuple[dict[Path, tuple[int, int]], list[str]]:
    return _modes(state), [account.pw_name for account in pwd.getpwall()]


@pytest.fixture(scope="module")
def up(state: Path, before: object) -> Iterator[Up]:
    """Started once, with the demo; the tests below run in their order and the last ones kill it."""
    running = Up(state, free_ports())
    running.start()
    try:
        running.until_it_says("Ctrl-C stops everything")
        yield running
    finally:
        running.stop()


def _owner(up: Up) -> str:
    """The owner's URL, as a child was told its own."""
    web = (up.state / "keys" / "web.database").read_text()
    password = (up.state / "keys" / "portal_owner.password").read_text()
    return f"postgresql://portal_owner:{password}@{web.rpartition('@')[2]}"


def test_it_answers_and_says_what_is_where(up: Up) -> None:
    _await_readiness(up)
    output = up.says()
    assert f"http://localhost:{up.port}/admin/" in output
    assert f"http://localhost:{up.port + 1}/" in output
    assert "the wall between web and worker is only" in output
    sign_ins = json.loads((up.state / "demo.json").read_text())["sign_ins"]
    assert all(person["email"] in output and person["password"] in output for person in sign_ins)


def test_commands_run_beside_it_with_its_own_database(up: Up) -> None:
    count = "from connections.tenancy.models import Tenant; print(Tenant.objects.count(), 'tenants')"
    assert "2 tenants" in up.manage("shell", "-c", count).stdout
    assert "[X] 0001_squashed" in up.manage("showmigrations", "tenancy").stdout
    command = up.manage(
        "dbshell", "--", "-Atc", "SELECT current_user || ' of ' || current_database()", PGUSER="nobody"
    )
    assert command.stdout == "portal_owner of portal\n"


def test_commands_say_so_where_nothing_runs(up: Up, tmp_path: Path) -> None:
    other = Up(tmp_path / "state", up.port)
    refused = other.manage("shell")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"nothing runs in {tmp_path / 'state'}. Start it with `make run`" in refused.stderr


def test_all_its_processes_fit_into_the_memory_of_a_small_machine(up: Up) -> None:
    assert up.memory_mb() < MOST_MEMORY_MB, up.processes()


def test_keys_are_closed_to_others(up: Up) -> None:
    keys = up.state / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    assert (up.state / "postgres").stat().st_mode & 0o777 == 0o700


def test_nothing_outside_changed_and_no_account_was_made(
    up: Up, state: Path, before: tuple[dict[Path, tuple[int, int]], list[str]]
) -> None:
    assert (_modes(state), [account.pw_name for account in pwd.getpwall()]) == before


def test_each_process_is_told_its_own_part_only(up: Up) -> None:
    environments = {
        name: up.environment_of(up.process_of(words))
        for name, words in {
            "web": "manage.py serve",
            "interactive": "--name interactive",
            "sync": "--name sync",
            "sandbox": "connections.sandbox",
        }.items()
    }
    kek = str(up.state / "keys" / "kek.json")
    holders = {name for name, environment in environments.items() if kek in environment.values()}
    assert holders == {"interactive", "sync"}
    keyset = str(up.state / "keys" / "web_keyset.json")
    assert {name for name, environment in environments.items() if keyset in environment.values()} == {"web"}
    addresses = {name: Path(environments[name]["DATABASE_URL_FILE"]) for name in environments if name != "sandbox"}
    assert {path.stat().st_mode & 0o777 for path in addresses.values()} == {0o600}
    logins = {name: path.read_text().split(":")[1].strip("/") for name, path in addresses.items()}
    assert logins == {"web": "portal_web", "interactive": "portal_worker", "sync": "portal_worker"}
    assert not any(name.startswith(("PORTAL_", "DATABASE_", "BROKER_")) for name in environments["sandbox"])
    passwords = [path.read_text() for path in (up.state / "keys").glob("*.password")]
    assert len(passwords) == 4
    for environment in environments.values():
        assert not any(secret in value for value in environment.values() for secret in ("portal_owner", *passwords))


def test_the_web_is_one_process_that_knows_nothing_of_the_kek(up: Up) -> None:
    [web] = [pid for pid, command in up.processes().items() if "manage.py serve" in command]
    assert not any("kek" in value.lower() for value in up.environment_of(web).values())


def test_a_second_start_in_the_same_folder_is_refused(up: Up) -> None:
    second = Up(up.state, free_ports())
    second.output = up.state.parent / "second.out"
    assert second.start("--no-demo").ended() == 3
    assert "already runs in" in second.says()
    assert up.get("/health/live") == 200


def test_a_taken_port_is_refused_before_anything_starts(up: Up, tmp_path: Path) -> None:
    other = Up(tmp_path / "state", up.port)
    assert other.start("--no-demo").ended() == 4
    assert f"PORT={up.port + 1000}" in other.says()
    assert not (other.state / "postgres").exists()
    assert not (other.state / "keys").exists()


def test_killed_outright_it_leaves_nobody(up: Up) -> None:
    with psycopg.connect(_owner(up), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert len(up.processes()) > 10
    up.send(signal.SIGKILL)
    up.ended()
    assert up.remaining_after(30) == {}


def test_after_a_kill_it_starts_clean_with_all_data_and_the_same_keys(up: Up) -> None:
    keys = {path.name: path.read_bytes() for path in (up.state / "keys").iterdir()}
    up.start("--no-demo", in_background=True)
    up.until_it_says("Ctrl-C stops everything")
    _await_readiness(up)
    with psycopg.connect(_owner(up), autocommit=True) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        connection.execute("DROP TABLE kept")
    assert {path.name: path.read_bytes() for path in (up.state / "keys").iterdir()} == keys


def test_an_interrupt_stops_everything_even_in_the_background(up: Up) -> None:
    up.send(signal.SIGINT)
    assert up.ended() == 0
    assert up.remaining_after(0) == {}
    assert "Stopped." in up.says()
    assert "nothing runs in" in up.manage("check").stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_stop_in_the_middle_of_starting(up: Up, number: int) -> None:
    up.start("--no-demo")
    up.until_it_says("Bringing the database up to date")
    assert "is still starting" in up.manage("check").stderr
    up.send(number)
    assert up.ended() == 0
    assert up.remaining_after(0) == {}


def test_what_dies_is_started_again_while_the_rest_goes_on(up: Up) -> None:
    up.start("--no-demo")
    up.until_it_says("Ctrl-C stops everything")
    named = {
        "worker-interactive": "--name interactive",
        "worker-sync": "--name sync",
        "valkey": "valkey-server",
        "web": "manage.py serve",
        "postgres": "postgres -D",
    }
    for name, words in named.items():
        os.kill(up.process_of(words), signal.SIGKILL)
        up.until_it_says(f"up: {name} was ended by SIGKILL; it is started again at once")
    _await_readiness(up)
    assert set(named) <= {name for name, words in named.items() if up.process_of(words)}
    up.send(signal.SIGTERM)
    assert up.ended() == 0
    assert up.remaining_after(0) == {}


def _await_readiness(up: Up) -> None:
    """It gives a database little time, and a busy machine may give neither."""
    deadline = time.monotonic() + 60
    while _readiness(up) != 200:
        assert time.monotonic() < deadline, up.says()
        time.sleep(0.2)


def _readiness(up: Up) -> int:
    try:
        return up.get("/health/ready")
    except OSError:
        return 0


def test_a_child_that_dies_while_everything_starts_ends_the_run_and_shows_its_log(up: Up) -> None:
    up.start("--no-demo")
    up.until_it_says("Starting the portal")
    os.kill(up.process_of("--name sync"), signal.SIGKILL)
    assert up.ended() == 1
    assert "worker-sync was ended by SIGKILL" in up.says()
    assert str(up.state / "log" / "worker-sync.log") in up.says()
    assert up.remaining_after(0) == {}
