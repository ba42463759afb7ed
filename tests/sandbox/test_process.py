"""The sandbox as a process: where it listens, what it keeps, how it stops, what it never says."""

from __future__ import annotations

import ast
import http.client
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from connections.sandbox.kit import discover, simulators_in
from tests.sandbox.conftest import Caller
from tests.sandbox_server import REPOSITORY, SandboxRefused, SandboxServer

pytestmark = pytest.mark.process


def test_a_restart_keeps_people_keys_clients_tokens_and_the_authority(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path).start()
    setup = server.setup_company()
    with Caller(server) as caller:
        caller.enter(setup["api_key"])
        before = (server.api, server.client, Path(server.ca).read_bytes(), server.touch("partners", [_first(server)]))
        server.switches(total_count=False)
        server.clock(120)
        server.restart()
        assert (server.api, server.client, Path(server.ca).read_bytes()) == before[:3]
        assert caller.ask("/sessioninfo").json()["userId"] == setup["user_id"]
        assert caller.token(setup["api_key"]).status_code == 200
        assert server.records("partners")[0]["version"] == before[3]
        state = server.state()
        assert (state["switches"]["total_count"], state["clock_offset_seconds"]) == ("off", 120)
    assert server.stop() == 0


def test_a_killed_sandbox_loses_nothing_and_leaves_no_lock(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path).start()
    setup = server.setup_company()
    server.kill()
    server.start()
    with Caller(server) as caller:
        assert caller.token(setup["api_key"]).status_code == 200
    assert server.stop() == 0


def test_it_stops_when_its_parent_dies_and_takes_its_address_file_along(tmp_path: Path) -> None:
    program = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from tests.sandbox_server import SandboxServer
print(SandboxServer(Path({str(tmp_path)!r})).start().pid, flush=True)
os.kill(os.getpid(), 9)
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid, until = int(child.stdout), time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < until, "the orphan lives on"
        time.sleep(0.05)
    assert not (tmp_path / "addresses.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_it_in_order(tmp_path: Path, number: int) -> None:
    server = SandboxServer(tmp_path).start()
    child = server._child
    assert child is not None
    os.kill(child.pid, number)
    assert child.wait(5) == 0
    server.stop()


@pytest.mark.parametrize("option", ["--ui-port", "--api-port"])
def test_a_taken_port_is_refused_with_one_line_and_status_4(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ports = {"--ui-port": "0", "--api-port": "0"} | {option: str(port)}
        command = [sys.executable, "-m", "connections.sandbox", "--state", str(tmp_path)]
        command += [word for pair in ports.items() for word in pair]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr.splitlines() == [
        f"sandbox: port {port} is taken by another program; choose another one with {option}"
    ]
    assert not (tmp_path / "addresses.json").exists()


def test_a_second_one_on_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with SandboxServer(tmp_path) as first:
        with pytest.raises(SandboxRefused, match="another sandbox is running"):
            SandboxServer(tmp_path).start()
        assert first.state()["calls"] == 0
        assert (tmp_path / "addresses.json").exists()


def test_files_with_secrets_are_for_their_owner_alone(server: SandboxServer) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in server.state_dir.iterdir()}
    certificates = {name for name in modes if name.endswith(".pem") and not name.endswith("-key.pem")}
    assert {modes.pop(name) for name in certificates} == {0o644}
    assert modes.pop("output.log")
    assert set(modes.values()) == {0o600}, modes
    assert {"addresses.json", "ca-key.pem", "procountor.sqlite3"} <= set(modes)


def test_it_listens_on_loopback_only(server: SandboxServer) -> None:
    loopback = {"0100007F", "00000000000000000000000001000000"}
    lines = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    for port in (urlsplit(server.ui).port, urlsplit(server.api).port):
        addresses = {line[1].split(":")[0] for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "0A"}
        assert addresses
        assert addresses <= loopback


def test_its_certificate_is_good_for_loopback_names_under_its_authority_alone(server: SandboxServer) -> None:
    port = urlsplit(server.api).port or 0
    for name in ("localhost", "127.0.0.1"):
        context = ssl.create_default_context(cafile=server.ca)
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain, server_hostname=name):
            pass
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


def test_connections_are_kept_alive(server: SandboxServer) -> None:
    host = urlsplit(server.api)
    link = http.client.HTTPSConnection("localhost", host.port, context=ssl.create_default_context(cafile=server.ca))
    link.connect()
    first = link.sock
    for _ in range(5):
        link.request("GET", "/api/status")
        assert link.getresponse().read()
        assert link.sock is first
    link.close()


def test_a_silent_client_holds_nobody_up(server: SandboxServer, caller: Caller) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(server.api).port or 0)):
        begun = time.monotonic()
        assert caller.ask("/status").status_code == 200
        assert time.monotonic() - begun < 30


def test_32_clients_at_once_are_all_served(server: SandboxServer) -> None:
    setup = server.setup_company()
    with Caller(server) as one:
        authorization = one.enter(setup["api_key"]).headers["Authorization"]
    together = threading.Barrier(32)

    def read(_: int) -> list[int]:
        with Caller(server) as caller:
            caller.headers["Authorization"] = authorization
            together.wait(20)
            return [caller.ask("/invoices", size=200).status_code for _ in range(5)]

    with ThreadPoolExecutor(32) as pool:
        answers = [status for statuses in pool.map(read, range(32)) for status in statuses]
    assert answers == [200] * 160
    state = server.state()
    assert state["calls_by_operation"]["GET /invoices"] == 160
    assert state["peak_per_second"] > 60


def test_no_secret_is_printed_or_shown_in_what_was_asked(server: SandboxServer, caller: Caller) -> None:
    setup = server.setup_company()
    caller.enter(setup["api_key"])
    token = str(caller.headers["Authorization"]).split()[1]
    secret = server.client["client_secret"]
    caller.token(setup["api_key"], client_secret="a wrong one that nobody may read")
    caller.ask("/invoices", size=1, api_key=setup["api_key"], status=token, **{secret: "x"})
    caller.ask(f"/invoices/{token}")
    caller.ask(f"/{secret}")
    page = requests.get(f"{server.ui}/procountor/calls", timeout=10).text
    assert "/invoices/{ids}" in page
    for hidden in (setup["api_key"], token, secret, "a wrong one"):
        assert hidden not in page
        assert hidden not in server.output()
        assert hidden not in str(server.state())


def test_the_sandbox_imports_nothing_of_what_it_tests() -> None:
    folder = REPOSITORY / "connections" / "sandbox"
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith(("django", "portal")), f"{path}: {name}"
                assert not name.startswith("connections") or name.startswith("connections.sandbox"), f"{path}: {name}"


def _first(server: SandboxServer) -> int:
    number: int = server.records("partners")[0]["id"]
    return number


def test_one_more_module_is_one_more_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "yard_of_one"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("raise SystemExit('not to be imported')")
    (package / "shared.py").write_text("SIMULATOR = 'not one'")
    (package / "newcomer.py").write_text(
        "from connections.sandbox.kit import Simulator\n"
        "SIMULATOR = Simulator('newcomer', 'Newcomer', 9, 'One more.', '', (), lambda kit: None)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [simulator.slug for simulator in simulators_in("yard_of_one", [str(package)])] == ["newcomer"]
    assert next(simulator.slug for simulator in discover()) == "procountor"
