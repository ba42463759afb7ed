"""One sandbox for the tests of SmartBusiness's simulator, and clients of both kinds that speak to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from tests.kinds import starts_processes
from tests.sandbox_server import SandboxServer

FIRST, SECOND = 418_000_101, 418_000_202


@pytest.fixture(scope="session")
@starts_processes
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("smartbusiness"), simulator="smartbusiness") as server:
        yield server


@pytest.fixture
def server(running: SandboxServer) -> SandboxServer:
    running.reset()
    return running


class Client(requests.Session):
    """A client of the API; `registered` is its id and secret, `held` its newest token answer."""

    def __init__(self, server: SandboxServer, registered: dict[str, str] | None = None) -> None:
        super().__init__()
        self.server, self.trust_env, self.verify = server, False, server.ca
        self.registered = registered or {name: server.client[name] for name in ("client_id", "client_secret")}
        self.tokens: dict[str, Any] = {}

    def ask(self, path: str, **parameters: Any) -> requests.Response:
        return self.get(self.server.api + path, params=parameters, timeout=30)

    def tell(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.request(method, self.server.api + path, json=body, timeout=30)

    def token(self, grant_type: str, form: bool = False, **more: str | None) -> requests.Response:
        """A token request; a field that is None is left out."""
        body = {"grant_type": grant_type, **self.registered, **more}
        values = {name: value for name, value in body.items() if value is not None}
        kind = {"data": values} if form else {"json": values}
        return self.post(self.server.hosts["smartbusiness"]["token"], timeout=30, **kind)  # type: ignore[arg-type]

    def hold(self, answer: requests.Response) -> Client:
        assert answer.status_code in (200, 201), answer.text
        self.tokens = answer.json()
        self.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"
        return self

    def authorization(self, **changed: str | None) -> str:
        """The address the portal would send a person to."""
        query = {"response_type": "code", "client_id": self.registered["client_id"], "state": "s-1"}
        query |= {"redirect_uri": self.server.client["redirect_uri"], "scope": "profile contact invoice", **changed}
        values = {name: value for name, value in query.items() if value is not None}
        return f"{self.server.hosts['smartbusiness']['authorize']}/auth/authorize?{urlencode(values)}"

    def consent(self, url: str | None = None, **order: Any) -> dict[str, str]:
        """What the client is told at its redirect address."""
        location = self.server.control("consent", {"url": url or self.authorization(), **order})["location"]
        assert location.startswith(f"{self.server.client['redirect_uri']}?")
        return dict(parse_qsl(urlsplit(location).query))

    def exchange(self, code: str, **more: str | None) -> requests.Response:
        return self.token(
            "authorization_code", code=code, **{"redirect_uri": self.server.client["redirect_uri"], **more}
        )

    def refresh(self, **more: str | None) -> requests.Response:
        return self.token("refresh_token", **{"refresh_token": self.tokens["refresh_token"], **more})


@pytest.fixture
def portal(server: SandboxServer) -> Iterator[Client]:
    """The portal's own client, to which nobody has consented yet."""
    with Client(server) as one:
        yield one


@pytest.fixture
def connected(portal: Client) -> Client:
    """The portal's client with the first pair of a consent."""
    return portal.hold(portal.exchange(portal.consent()["code"]))


@pytest.fixture
def own(server: SandboxServer) -> Iterator[Callable[..., Client]]:
    """`own(scopes=[...], rights={...}, company=...)`: a customer's own client with a token."""
    opened: list[Client] = []

    def make(**setup: Any) -> Client:
        one = Client(server, server.control("setup", setup)["credentials"])
        opened.append(one)
        return one.hold(one.token("client_credentials"))

    yield make
    for one in opened:
        one.close()


def refusal(answer: requests.Response) -> tuple[int, int]:
    """Status and code of the usual error body."""
    body = answer.json()
    assert set(body) == {"code", "message", "meta"}, body
    return answer.status_code, body["code"]


def field_errors(answer: requests.Response) -> set[tuple[str, int]]:
    assert refusal(answer) == (422, 1000), answer.text
    return {(error["key"], error["code"]) for error in answer.json()["meta"]["errors"]}
