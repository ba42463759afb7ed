"""The sandbox as a child process, for every test that needs a provider over a real socket with real TLS."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 30
STOP_SECONDS = 10


class SandboxRefused(RuntimeError):
    """The sandbox did not start, or refused a control request; the text says why."""


class SandboxServer:
    """A running sandbox; `hosts`, `ui` and `client` are filled by `start`.

    `hosts` has the form of PORTAL_SANDBOX_HOSTS (all simulators), `client` the id, secret and redirect URI of this
    simulator's first API client. A second `start` takes the same ports, so that addresses stay good over a restart.
    """

    def __init__(
        self, state_dir: Path, records: str = "small", latency_ms: int = 0, simulator: str = "procountor"
    ) -> None:
        self.state_dir = Path(state_dir)
        self.records_size = records
        self.latency_ms = latency_ms
        self.simulator = simulator
        self.hosts: dict[str, dict[str, str]] = {}
        self.clients: dict[str, dict[str, str]] = {}
        self.ui = ""
        self._child: subprocess.Popen[bytes] | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> SandboxServer:
        """Start it and wait until everything listens. Raises SandboxRefused with what it said."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        log = self.state_dir / "output.log"
        command = [sys.executable, "-m", "connections.sandbox", "--state", str(self.state_dir), "--stop-on-eof"]
        command += ["--ui-port", "0", "--api-port", "0"]  # a restart takes the same ones again
        command += ["--latency-ms", str(self.latency_ms), "--records", self.records_size]
        with log.open("ab") as output:
            # Its standard input is our pipe: however this process dies, the sandbox sees the end and stops.
            self._child = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        addresses = self.state_dir / "addresses.json"
        until = time.monotonic() + START_SECONDS
        while True:
            if self._child.poll() is not None:
                msg = f"the sandbox ended with {self._child.returncode}: {log.read_text()[-2000:]}"
                self.stop()
                raise SandboxRefused(msg)
            if addresses.exists():
                told = json.loads(addresses.read_text())
                if told["pid"] == self._child.pid:
                    break
            if time.monotonic() > until:
                self.stop()
                msg = f"the sandbox did not listen within {START_SECONDS} s: {log.read_text()[-2000:]}"
                raise SandboxRefused(msg)
            time.sleep(0.02)
        self.ui, self.hosts, self.clients = told["ui"], told["hosts"], told["clients"]
        return self

    def stop(self) -> int:
        """Ask it to stop, wait, and return its exit status; harmless when it is not running."""
        child, self._child = self._child, None
        if child is None:
            return 0
        child.terminate()
        try:
            status = child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
        if child.stdin:
            child.stdin.close()
        return status

    def restart(self) -> SandboxServer:
        self.stop()
        return self.start()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        if self._child is None:
            msg = "the sandbox is not running"
            raise SandboxRefused(msg)
        return self._child.pid

    @property
    def client(self) -> dict[str, str]:
        return self.clients[self.simulator]

    @property
    def api(self) -> str:
        return self.hosts[self.simulator]["api"]

    @property
    def ca(self) -> str:
        return self.hosts[self.simulator]["ca"]

    def output(self) -> str:
        """Everything it printed so far."""
        return (self.state_dir / "output.log").read_text()

    # -- control API -----------------------------------------------------------------------------------------------

    def control(self, what: str, body: Any = None, **query: Any) -> Any:
        """GET (without a body) or POST `/<simulator>/control/<what>`; returns the JSON. Raises SandboxRefused."""
        # Loopback by address, never through a proxy of the environment.
        link = http.client.HTTPConnection("127.0.0.1", urlsplit(self.ui).port, timeout=30)
        path = f"/{self.simulator}/control/{what}" + (f"?{urlencode(query)}" if query else "")
        try:
            if body is None:
                link.request("GET", path)
            else:
                link.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        if answer.status != 200:
            msg = f"{path} answered {answer.status}: {text[:500]}"
            raise SandboxRefused(msg)
        return json.loads(text)

    def setup_company(
        self,
        company: int | None = None,
        *,
        usage_allowed: bool = True,
        preset: str = "all-needed",
        rights: Mapping[str, Any] | None = None,
        name: str | None = None,
        m2m_only: bool = True,
        client_id: str | None = None,
    ) -> dict[str, Any]:
        """Allow usage, make a technical user and a key: {"company_id", "user_id", "api_key"}."""
        user: dict[str, Any] = {"preset": preset, "rights": dict(rights or {}), "m2m_only": m2m_only}
        if name is not None:
            user["name"] = name
        wanted: dict[str, Any] = {"usage_allowed": usage_allowed, "user": user, "client_id": client_id}
        answer: dict[str, Any] = self.control("setup", wanted | _company(company))
        return answer

    def new_key(self, user_id: int, company: int | None = None) -> str:
        key: str = self.control("key", {"user_id": user_id} | _company(company))["api_key"]
        return key

    def revoke(self, api_key: str) -> None:
        self.control("revoke", {"api_key": api_key})

    def allow_usage(self, allowed: bool, company: int | None = None) -> None:
        self.control("usage", {"allowed": allowed} | _company(company))

    def change_user(self, user_id: int, company: int | None = None, **change: Any) -> None:
        """`rights={...}`, `preset="..."`, `password_changed=True` or `removed=True`."""
        self.control("user", {"user_id": user_id, **change} | _company(company))

    def records(self, stream: str, company: int | None = None, active: str = "true") -> list[dict[str, Any]]:
        """What the list call serves in all its pages, by id ascending; `active` = "all" adds the hidden partners."""
        found: list[dict[str, Any]] = self.control("records", stream=stream, active=active, **_company(company))
        return found

    def touch(self, stream: str, ids: Sequence[int], company: int | None = None, **change: Any) -> str:
        """Change these records now (`active=False` hides a partner); returns their new version."""
        version: str = self.control("touch", {"stream": stream, "ids": list(ids), **change} | _company(company))[
            "version"
        ]
        return version

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.control("state")
        return state

    def faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Replace the waiting faults; [] heals."""
        self.control("faults", [dict(fault) for fault in faults])

    def clock(self, offset_seconds: float) -> None:
        self.control("clock", {"offset_seconds": offset_seconds})

    def switches(self, **positions: str | bool) -> None:
        self.control("switches", positions)

    def reset_counters(self) -> None:
        self.control("reset-counters", {})

    def reset(self) -> None:
        """Everything as on the first day but the API clients: no users, keys, faults, switches, touches or counters."""
        self.control("reset", {})

    def kill(self) -> None:
        """As if the provider's machine lost power."""
        if self._child is not None:
            os.kill(self._child.pid, 9)
            self._child.wait()
            if self._child.stdin:
                self._child.stdin.close()
            self._child = None


def _company(company: int | None) -> dict[str, int]:
    return {} if company is None else {"company": company}
