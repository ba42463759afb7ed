"""The sandbox with its control orders going to Simutek, and a customer's program that speaks to GKS4."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.sandbox_server import SandboxServer

JSON = "application/json"
CUSTOMER = {
    "name": "Påhittade Tryckköparen AB",
    "number": "WEB-1",
    "invoiceEmail": "faktura@tryckkoparen.example",
    "postalAddress": {"address1": "Exempelvägen 8", "city": "Exempelstad", "zipCode": "000 47", "countryCode": "SE"},
    "corporateIdentityNumber": "000999-0001",
}
ORDER = {
    "customerNumber": "K100001",
    "name": "Visitkort",
    "purchaseOrderNumber": "ref-1",
    "preferredLanguage": "sv",
    "currency": "SEK",
    "customerComment": "Ring först.",
    "contact": {"name": "Påhittad Person", "phone": "+46 000 000 00", "email": "person@kund.example"},
    "deliveryAddress": {"name": "Lagret", "address1": "Mallstigen 2", "countryCode": "SE"},
    "rows": [{"specification": "Visitkort, 500 st", "quantity": 500, "unitPrice": 1.25}],
}


@pytest.fixture(scope="session")
def running(running: SandboxServer) -> SandboxServer:
    """The same process as the other tests' of the sandbox, seen as Simutek's."""
    server = copy.copy(running)
    server.simulator = "simutek"
    return server


class Program(requests.Session):
    """A customer's program; `made` is what Simutek handed out for it."""

    def __init__(self, server: SandboxServer, **setup: Any) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = server.ca
        self.setup: dict[str, Any] = server.control("setup", setup)
        self.headers["Content-Type"] = JSON

    def token(self, **changed: str | None) -> requests.Response:
        form = {"grant_type": "client_credentials", **self.setup["credentials"], **changed}
        data = {name: value for name, value in form.items() if value is not None}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.post(self.setup["token_url"], data=data, headers=kind, timeout=10)

    def enter(self) -> Program:
        answer = self.token()
        assert answer.status_code == 200, answer.text
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self

    def ask(self, path: str, **parameters: Any) -> requests.Response:
        return self.get(f"{self.setup['api_url']}/api/v1/{path}", params=parameters, timeout=10)

    def create(self, path: str, body: Any) -> requests.Response:
        return self.post(f"{self.setup['api_url']}/api/v1/{path}", json=body, timeout=10)


@pytest.fixture
def program(server: SandboxServer) -> Iterator[Program]:
    with Program(server) as one:
        yield one.enter()


@pytest.fixture
def programs(server: SandboxServer) -> Iterator[Callable[..., Program]]:
    """`programs(resources=[...])` registers another client and gives its program, not yet with a token."""
    opened: list[Program] = []

    def register(**setup: Any) -> Program:
        opened.append(Program(server, **setup))
        return opened[-1]

    yield register
    for one in opened:
        one.close()
