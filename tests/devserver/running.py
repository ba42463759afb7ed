"""Starts `manage.py up` for tests, and finds whatever it left behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("PORTAL_", "DATABASE_URL", "BROKER_URL", "DJANGO_", "PYTEST_", "PG_BIN")


def free_ports(count: int = 12) -> int:
    """The first of several neighbouring ports nobody listens on."""
    for first in range(20000 + os.getpid() % 20000, 60000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    message = "no free ports"
    raise AssertionError(message)


class Up:
    """One `manage.py up` on a state folder of its own."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.output = state.parent / f"{state.name}.out"

    def start(self, *arguments: str, in_background: bool = False, **environment: str) -> Up:
        """`in_background`: with SIGINT ignored, as a shell without job control does for `command &`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port), *arguments],
                cwd=ROOT,
                env={**inherited, "PORTAL_VAR": str(self.state), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_ignore_interrupts if in_background else None,
            )
        return self

    def says(self) -> str:
        return self.output.read_text(errors="replace")

    def until_it_says(self, text: str, seconds: float = 60) -> None:
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while text not in self.says():
            assert self.process.poll() is None, f"up ended with {self.process.returncode}:\n{self.says()}"
            assert time.monotonic() < deadline, f"up never said {text!r}:\n{self.says()}"
            time.sleep(0.05)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, seconds: float = 30) -> int:
        """Its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def processes(self) -> dict[int, str]:
        """Every living process that names our state folder: pid and command line."""
        commands = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if "\nState:\tZ" in (entry / "status").read_text():
                    continue
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                traces = command + (entry / "environ").read_bytes().decode(errors="replace")
                traces += str((entry / "cwd").readlink())
            except OSError:
                continue
            if str(self.state) in traces:
                commands[int(entry.name)] = command
        return commands

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What `make manage`, `make shell` and `make dbshell` run, from a terminal that knows the state folder alone."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return subprocess.run(
            [sys.executable, "-m", "portal.devserver.manage", *arguments],
            cwd=ROOT,
            env={**inherited, "PORTAL_VAR": str(self.state), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def memory_mb(self) -> float:
        """What all of them hold, each page that several share divided among them (PSS)."""
        sizes = [
            int(line.split()[1])
            for pid in self.processes()
            for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
            if line.startswith("Pss:")
        ]
        return sum(sizes) / 1024

    def remaining_after(self, seconds: float) -> dict[int, str]:
        deadline = time.monotonic() + seconds
        while (processes := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return processes

    def process_of(self, words: str) -> int:
        """The oldest process with these words in its command line, waited for if it is only just starting."""
        deadline = time.monotonic() + 10
        while not (pids := [pid for pid, command in self.processes().items() if words in command]):
            assert time.monotonic() < deadline, f"no process runs {words!r}"
            time.sleep(0.02)
        return min(pids)

    def environment_of(self, pid: int) -> dict[str, str]:
        lines = (Path("/proc") / str(pid) / "environ").read_bytes().decode().split("\0")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            return connection.getresponse().status
        finally:
            connection.close()


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
