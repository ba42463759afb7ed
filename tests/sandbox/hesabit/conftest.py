"""One sandbox for the tests of Hesabit's simulator, and clients that speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from tests.kinds import starts_processes
from tests.sandbox_server import SandboxServer

FIRST, SECOND = 7101, 7102
HOURS = 3600


@pytest.fixture(scope="session")
@starts_processes
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("hesabit"), simulator="hesabit") as server:
        yield server


@pytest.fixture
def server(running: SandboxServer) -> SandboxServer:
    running.reset()
    return running


class Client(requests.Session):
    """A client of the API; `registered` is its id, secret and redirect address, `held` its newest token answer."""

    def __init__(self, server: SandboxServer, registered: dict[str, str] | None = None) -> None:
        super().__init__()
        self.server, self.trust_env, self.verify = server, False, server.ca
        self.registered = registered or server.client
        self.tokens: dict[str, Any] = {}

    def ask(self, path: str, method: str = "GET", body: Any = None, **parameters: Any) -> requests.Response:
        """One call with the access token in its address."""
        query = {"access_token": self.tokens.get("access_token"), **parameters}
        where = self.server.api + path
        return self.request(method, where, params=query, json=body, timeout=30, allow_redirects=False)

    def token(self, grant_type: str | None, *, form: bool = False, **more: Any) -> requests.Response:
        """A token request; a field that is None is left out."""
        body = {"grant_type": grant_type, **self.registered, **more}
        if grant_type == "refresh_token" and "redirect_uri" not in more:
            del body["redirect_uri"]
        values = {name: value for name, value in body.items() if value is not None}
        kind: dict[str, Any] = {"data": values} if form else {"json": values}
        return self.post(self.server.hosts["hesabit"]["token"], timeout=30, **kind)

    def authorization(self, **changed: str | None) -> str:
        """The address the portal would send a person to."""
        query = {name: self.registered[name] for name in ("client_id", "redirect_uri")}
        query |= {"response_type": "code", "scope": "write", "access_type": "offline", "state": "s-1"}
        values = {name: value for name, value in {**query, **changed}.items() if value is not None}
        return f"{self.server.hosts['hesabit']['authorize']}/oauth2/authorize?{urlencode(values)}"

    def consent(self, *, deny: bool = False, shop: int = FIRST, **changed: str | None) -> dict[str, str]:
        """What the client is told at its redirect address."""
        order = {"url": self.authorization(**changed), "deny": deny, "shop": shop}
        location = self.server.control("consent", order)["location"]
        assert location.partition("?")[0] == self.registered["redirect_uri"]
        return dict(parse_qsl(urlsplit(location).query))

    def connect(self, **how: Any) -> Client:
        answer = self.token("authorization_code", code=self.consent(**how)["code"])
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()
        return self

    def refresh(self, **more: Any) -> requests.Response:
        return self.token("refresh_token", **{"refresh_token": self.tokens["refresh_token"], **more})


@pytest.fixture
def portal(server: SandboxServer) -> Iterator[Client]:
    """The portal's own client, to which nobody has consented yet."""
    with Client(server) as one:
        yield one


@pytest.fixture
def connected(portal: Client) -> Client:
    """The portal's client with the tokens of a consent of the first shop."""
    return portal.connect()


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Status and error word of the usual error body."""
    body = answer.json()
    assert set(body) == {"error", "message", "errors"}, body
    return answer.status_code, body["error"]


def token_refusal(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "error_description"}, body
    return answer.status_code, body["error"]


def wrong_fields(answer: requests.Response, status: int = 400) -> set[str]:
    assert refusal(answer) == (status, "invalid_request"), answer.text
    return set(answer.json()["errors"])
