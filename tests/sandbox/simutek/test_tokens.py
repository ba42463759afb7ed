"""Simutek's token request, who is let in with a token, and what ends one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.sandbox.simutek.conftest import JSON, Program
from tests.sandbox_server import SandboxServer

HOUR = 3600
Register = Callable[..., Program]


def refused(answer: requests.Response, status: int, challenge: str) -> None:
    """No body, and a challenge."""
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers["WWW-Authenticate"] == challenge
    assert "Content-Type" not in answer.headers


def test_the_hosts_are_announced_as_a_customer_would_type_them(server: SandboxServer, program: Program) -> None:
    hosts = server.hosts["simutek"]
    assert hosts["api"] == program.setup["api_url"]
    assert hosts["api"].startswith("https://localhost:")
    assert hosts["api"].count("/") == 2
    assert hosts["token"] == program.setup["token_url"] == hosts["api"] + "/connect/token"
    assert server.client == {}


def test_a_token_is_asked_for_without_a_scope(programs: Register) -> None:
    answer = programs().token()
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("access_token").startswith("eyJ")
    assert body == {"expires_in": HOUR, "token_type": "Bearer", "scope": "gks4.api"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"scope": "everything"}, "invalid_scope"),
    ],
)
def test_a_wrong_token_request_is_told_why(programs: Register, changed: dict[str, str | None], error: str) -> None:
    answer = programs().token(**changed)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_credentials_count_in_a_form_body_only(programs: Register) -> None:
    one = programs()
    where, form = one.setup["token_url"], {"grant_type": "client_credentials", **one.setup["credentials"]}
    assert one.post(where, json=form, timeout=10).json() == {"error": "invalid_request"}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert one.post(where, params=form, headers=kind, timeout=10).json() == {"error": "invalid_client"}
    assert one.get(where, params=form, timeout=10).status_code == 405


@pytest.mark.parametrize(
    ("switch", "position", "absent"),
    [("expires_in", "missing", "expires_in"), ("token_type", "off", "token_type"), ("token_scope", "off", "scope")],
)
def test_every_other_field_may_be_missing(
    server: SandboxServer, programs: Register, switch: str, position: str, absent: str
) -> None:
    server.switches(**{switch: position})
    body = programs().token().json()
    assert {"access_token", "expires_in", "token_type", "scope"} - set(body) == {absent}


def test_the_lifetime_may_be_short_and_told_as_text(server: SandboxServer, program: Program) -> None:
    server.switches(expires_in="text", token_lifetime="300")
    assert program.token().json()["expires_in"] == "300"
    program.enter()
    server.clock(299)
    assert program.ask("companies").status_code == 200
    server.clock(301)
    assert program.ask("companies").status_code == 401


def test_a_refused_token_request_has_other_shapes(server: SandboxServer, programs: Register) -> None:
    one = programs()
    server.switches(token_error_body="text", invalid_client_status="401")
    answer = one.token(client_secret="wrong")
    assert (answer.status_code, answer.text) == (401, "invalid_client")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert one.token(grant_type="password").status_code == 400
    server.switches(token_error_body="empty")
    assert one.token(client_secret="wrong").content == b""


def test_a_call_needs_a_living_token(server: SandboxServer, program: Program) -> None:
    good = program.headers.pop("Authorization")
    refused(program.ask("companies"), 401, "Bearer")
    for wrong in ("Bearer nonsense", "bearer eyJ.eyJ.x"):
        program.headers["Authorization"] = wrong
        refused(program.ask("companies"), 401, 'Bearer error="invalid_token"')
    program.headers["Authorization"] = f"Basic {str(good).split()[1]}"
    assert program.ask("companies").status_code == 401
    program.headers["Authorization"] = good
    assert program.ask("companies").status_code == 200
    server.clock(HOUR + 1)
    refused(program.ask("companies"), 401, 'Bearer error="invalid_token"')
    server.clock(-60)
    assert program.ask("companies").status_code == 200


def test_a_client_may_be_let_into_one_resource_only(programs: Register) -> None:
    one = programs(resources=["customers"]).enter()
    assert one.ask("companies").status_code == 200
    assert one.ask("customers/K100001").status_code == 200
    refused(one.create("salesorders", {}), 403, 'Bearer error="insufficient_scope"')
    other = programs(resources=["salesorders"]).enter()
    refused(other.ask("companies"), 403, 'Bearer error="insufficient_scope"')
    assert other.create("salesorders", {}).status_code == 400


@pytest.mark.parametrize("status", [415, 400])
def test_every_call_says_that_it_speaks_json_reads_too(server: SandboxServer, program: Program, status: int) -> None:
    server.switches(content_type_refusal=str(status))
    for kind in (None, "text/plain", "application/x-www-form-urlencoded"):
        program.headers.pop("Content-Type", None)
        if kind:
            program.headers["Content-Type"] = kind
        for answer in (
            program.ask("companies"),
            program.ask("customers/K100001"),
            program.post(program.setup["api_url"] + "/api/v1/customers", data="{}", timeout=10),
        ):
            assert answer.status_code == status, kind
            assert answer.json()["status"] == status
    program.headers["Content-Type"] = JSON + "; charset=utf-8"
    assert program.ask("companies").status_code == 200


def test_revoking_ends_clients_and_their_tokens(server: SandboxServer, programs: Register) -> None:
    one, other = programs().enter(), programs().enter()
    assert server.state()["live_access_tokens"] == 2
    ident = one.setup["credentials"]["client_id"]
    assert server.control("revoke", {"client_id": ident}) == {"revoked": [ident]}
    assert one.ask("companies").status_code == 401
    assert one.token().json() == {"error": "invalid_client"}
    assert other.ask("companies").status_code == 200
    server.control("revoke", {})
    assert other.ask("companies").status_code == 401
    state = server.state()
    assert (state["live_access_tokens"], state["live_refresh_tokens"]) == (0, 0)
