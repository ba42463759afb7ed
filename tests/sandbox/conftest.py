"""One sandbox for the tests of the sandbox, as on the first day for each of them, and people who speak to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.kinds import starts_processes
from tests.sandbox_server import SandboxServer


@pytest.fixture(scope="session", autouse=True)
def key_files() -> None:
    """The sandbox has nothing to do with the portal's keys."""


@pytest.fixture(autouse=True)
def no_doorbell() -> None:
    """Nor with its queue."""


@pytest.fixture(scope="session")
@starts_processes
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture
def server(running: SandboxServer) -> SandboxServer:
    running.reset()
    return running


class Caller(requests.Session):
    """A client of the API that trusts the sandbox's authority and nothing else; `made` is what its setup answered."""

    setup: dict[str, Any]

    def __init__(self, server: SandboxServer) -> None:
        super().__init__()
        self.server = server
        self.trust_env = False
        self.verify = server.ca

    def ask(self, path: str, **parameters: Any) -> requests.Response:
        return self.get(self.server.api + path, params=parameters, timeout=30)

    def token(self, api_key: str, **changed: str | None) -> requests.Response:
        form = {"grant_type": "client_credentials", "api_key": api_key, **self.server.client, **changed}
        data = {name: value for name, value in form.items() if value is not None}
        return self.post(self.server.api + "/oauth/token", data=data, timeout=30)

    def enter(self, api_key: str) -> Caller:
        answer = self.token(api_key)
        assert answer.status_code == 200, answer.text
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self


@pytest.fixture
def caller(server: SandboxServer) -> Iterator[Caller]:
    with Caller(server) as one:
        yield one


@pytest.fixture
def entered(server: SandboxServer) -> Iterator[Callable[..., Caller]]:
    """`entered(preset="all-needed", ...)` sets a company up and gives a caller with a token; `made` is the setup."""
    opened: list[Caller] = []

    def enter(company: int | None = None, **setup: Any) -> Caller:
        one = Caller(server)
        opened.append(one)
        one.setup = server.setup_company(company, **setup)
        return one.enter(one.setup["api_key"])

    yield enter
    for one in opened:
        one.close()
