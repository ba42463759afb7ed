"""A sandbox whose control orders go to Pentamic, and a customer's program that speaks to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.kinds import starts_processes
from tests.sandbox_server import SandboxServer

_STRING_OR_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.]*')


@pytest.fixture(scope="session")
@starts_processes
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("pentamic"), simulator="pentamic") as server:
        yield server


def lenient(text: str) -> Any:
    """JSON whose numbers may begin with zeros; every number becomes the text of its digits."""
    return json.loads(_STRING_OR_NUMBER.sub(lambda m: m[0] if m[0][0] == '"' else f'"{m[0]}"', text))


class Program(requests.Session):
    """A customer's program: trusts exactly the two certificates that the administrator gave; `made` is the hand-out."""

    def __init__(self, server: SandboxServer, **setup: Any) -> None:
        super().__init__()
        self.server = server
        self.trust_env = False
        self.setup: dict[str, Any] = server.control("setup", setup)
        self.base: str = self.setup["api_url"]
        self.pins = {}
        for door, pem in self.setup["certificates"].items():
            path = server.state_dir / f"pin-{door}-{self.setup['credentials']['client_id']}"
            path.write_text(pem)
            self.pins[door] = str(path)
        self.verify = self.pins["api"]

    def token(self, **changed: str | None) -> requests.Response:
        form = {"grant_type": "client_credentials", **self.setup["credentials"], **changed}
        data = {name: value for name, value in form.items() if value is not None}
        return self.post(
            f"{self.setup['auth_url']}/connect/token", data=data, verify=self.pins["identity"], timeout=30
        )

    def enter(self, **changed: str | None) -> Program:
        answer = self.token(**changed)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self.headers["Authorization"] = f"{body['token_type']} {body['access_token']}"
        return self

    def ask(self, path: str, **parameters: Any) -> requests.Response:
        return self.get(self.base + path, params=parameters, timeout=30)

    def order(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> requests.Response:
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        encoded = data.encode() if isinstance(data, str) else data
        return self.request(method, self.base + path, data=encoded, headers={"Content-Type": kind}, timeout=30)


@pytest.fixture
def programs(server: SandboxServer) -> Iterator[Callable[..., Program]]:
    """`programs(**setup)` gives a program whose company has a client; it has no token yet."""
    opened: list[Program] = []

    def start(**setup: Any) -> Program:
        opened.append(Program(server, **setup))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def program(programs: Callable[..., Program]) -> Program:
    """A program that has a token."""
    return programs().enter()
