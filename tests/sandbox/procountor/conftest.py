"""A portal's side of the login pages, and a person in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests

from tests.sandbox.conftest import Caller
from tests.sandbox_server import SandboxServer

PERSON = 3001  # who has all rights in the main company
OTHER_COMPANY, OTHERS_PERSON = 10452, 3002


class Software(Caller):
    """A client that sends people to the login pages and swaps what they bring back."""

    @property
    def redirect_uri(self) -> str:
        return self.server.client["redirect_uri"]

    def address(self, page: str = "login", **changed: str | None) -> str:
        parameters = {
            "response_type": "code",
            "client_id": self.server.client["client_id"],
            "redirect_uri": self.redirect_uri,
            "state": "s t/1",
            **changed,
        }
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return f"{self.server.hosts['procountor']['authorize']}/{page}?{query}"

    def brought(self, location: str) -> dict[str, str]:
        """What stands in the query of the way back, after a look at where it leads."""
        address, _, query = location.partition("?")
        assert address == self.redirect_uri
        return dict(parse_qsl(query))

    def code(self, page: str = "login", **consent: Any) -> str:
        location = self.server.control("consent", {"url": self.address(page), **consent})["location"]
        return self.brought(location)["code"]

    def swap(self, what: str = "token", **changed: str | None) -> requests.Response:
        form = {"grant_type": "authorization_code", **self.server.client, **changed}
        data = {name: value for name, value in form.items() if value is not None}
        return self.post(f"{self.server.api}/oauth/{what}", data=data, timeout=10)

    def renew(self, token: str, **changed: str | None) -> requests.Response:
        return self.swap(grant_type="refresh_token", refresh_token=token, **changed)

    def sign_in(self, **consent: Any) -> dict[str, Any]:
        """The company's person signs in; the session speaks for the person from now on."""
        self.server.allow_usage(True)
        answer = self.swap(code=self.code(**consent))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        self.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens

    def call(self, method: str, path: str, body: Any = None, **parameters: Any) -> requests.Response:
        return self.request(method, self.server.api + path, json=body, params=parameters, timeout=10)


@pytest.fixture
def software(server: SandboxServer) -> Iterator[Software]:
    with Software(server) as one:
        yield one


@pytest.fixture
def writer(server: SandboxServer) -> Iterator[Software]:
    """A client whose technical user may do everything, by M2M."""
    with Software(server) as one:
        one.setup = server.setup_company(preset="everything")
        one.enter(one.setup["api_key"])
        yield one


def errors(answer: requests.Response, status: int = 400) -> dict[str | None, str]:
    """The messages of the usual error body by field."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    problems = answer.json()["errors"]
    assert {error["status"] for error in problems} == {status}
    return {error.get("field"): error["message"] for error in problems}


def visit(address: str, form: dict[str, Any] | None = None) -> requests.Response:
    """A look at a page, or its form sent, without following where it leads."""
    with requests.Session() as person:
        person.trust_env = False
        if form is None:
            return person.get(address, timeout=10, allow_redirects=False)
        return person.post(address, data=form, timeout=10, allow_redirects=False)
