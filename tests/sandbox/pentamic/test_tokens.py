"""The authentication server: one grant, three error codes, and what a token is good for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.sandbox.pentamic.conftest import Program
from tests.sandbox_server import SandboxServer

Programs = Callable[..., Program]


def test_a_token_comes_with_exactly_the_documented_members(programs: Programs) -> None:
    answer = programs().token()
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "expires_in", "token_type"}
    assert (body["expires_in"], body["token_type"]) == (3600, "Bearer")
    assert body["access_token"].startswith("eyJ")
    assert body["access_token"].count(".") == 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"scope": "pa-reports"}, "invalid_scope"),
        ({"scope": "pa-api pa-reports"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"client_secret": "wrong", "scope": "x", "grant_type": "x"}, "invalid_client"),
    ],
)
def test_a_refused_token_request_tells_its_code_and_nothing_else(
    server: SandboxServer, programs: Programs, changed: dict[str, str | None], code: str
) -> None:
    program = programs()
    answer = program.token(**changed)
    assert (answer.status_code, answer.json()) == (400, {"error": code})
    server.switches(token_error_status="401")
    answer = program.token(**changed)
    assert (answer.status_code, answer.json()) == (401, {"error": code})


def test_credentials_count_only_in_the_form_body(programs: Programs) -> None:
    program = programs()
    url, verify = f"{program.setup['auth_url']}/connect/token", program.pins["identity"]
    form = {"grant_type": "client_credentials", **program.setup["credentials"]}
    assert program.post(url, json=form, verify=verify).json() == {"error": "invalid_client"}
    assert program.post(url, params=form, verify=verify).json() == {"error": "invalid_client"}
    assert program.get(url, params=form, verify=verify).status_code == 405
    assert program.post(f"{program.setup['auth_url']}/token", data=form, verify=verify).status_code == 404


def test_basic_authentication_is_a_switch(server: SandboxServer, programs: Programs) -> None:
    program = programs()
    credentials = program.setup["credentials"]
    program.auth = (credentials["client_id"], credentials["client_secret"])
    assert program.token(client_id=None, client_secret=None).status_code == 200
    server.switches(basic_client=False)
    assert program.token(client_id=None, client_secret=None).json() == {"error": "invalid_client"}


@pytest.mark.parametrize(("kind", "others"), [("Bearer", ["Token"]), ("bearer", ["Token"]), ("Token", ["Bearer", ""])])
def test_the_api_demands_the_type_that_was_told(
    server: SandboxServer, programs: Programs, kind: str, others: list[str]
) -> None:
    server.switches(token_type=kind)
    program = programs()
    token = program.token().json()
    assert token["token_type"] == kind
    program.headers["Authorization"] = f"{kind} {token['access_token']}"
    assert program.ask("/customers").status_code == 200
    for other in others:
        program.headers["Authorization"] = f"{other} {token['access_token']}".strip()
        assert program.ask("/customers").status_code == 401


@pytest.mark.parametrize(("position", "value"), [("number", 3600), ("text", "3600"), ("missing", None)])
def test_how_long_a_token_lives_may_be_told_oddly(
    server: SandboxServer, programs: Programs, position: str, value: object
) -> None:
    server.switches(expires_in=position)
    assert programs().token().json().get("expires_in") == value


def test_a_token_lives_an_hour_beside_others_and_at_both_doors(server: SandboxServer, program: Program) -> None:
    first = program.headers["Authorization"]
    program.enter()
    assert program.headers["Authorization"] != first
    assert server.state()["live_access_tokens"] == 2
    program.headers["Authorization"] = first
    assert program.ask("/customers").status_code == 200
    plain = server.hosts["pentamic"]["plain"]
    assert plain.startswith("http://")
    assert program.get(f"{plain}/customers").content == program.ask("/customers").content
    server.clock(3590)
    assert program.ask("/customers").status_code == 200
    server.clock(3601)
    answer = program.ask("/customers")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert server.state()["live_access_tokens"] == 0
    assert program.enter().ask("/customers").status_code == 200


@pytest.mark.parametrize("position", ["live", "dead"])
def test_a_disabled_client_gets_no_token_and_keeps_its_old_one_by_switch(
    server: SandboxServer, program: Program, position: str
) -> None:
    server.switches(disabled_client_tokens=position)
    assert server.control("revoke", {}) == {"revoked": 1}
    assert program.token().json() == {"error": "invalid_client"}
    assert program.ask("/customers").status_code == (200 if position == "live" else 401)
    assert server.state()["live_access_tokens"] == (1 if position == "live" else 0)
    server.control("client", {"client_id": program.setup["credentials"]["client_id"], "enabled": True})
    assert program.token().status_code == 200


def test_a_new_secret_ends_the_old_one(server: SandboxServer, program: Program) -> None:
    changed = server.control("client", {"client_id": program.setup["credentials"]["client_id"], "new_secret": True})
    assert program.token().json() == {"error": "invalid_client"}
    assert program.token(client_secret=changed["client_secret"]).status_code == 200
    assert program.ask("/customers").status_code == 200


def test_a_token_for_another_product_may_not_read_the_books(server: SandboxServer, programs: Programs) -> None:
    program = programs(scopes=["pa-api", "pa-reports"]).enter(scope="pa-reports")
    answer = program.ask("/customers")
    assert (answer.status_code, answer.content, "Content-Type" in answer.headers) == (403, b"", False)
    server.switches(scope_refusal="401")
    answer = program.ask("/customers")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer error="insufficient_scope"')
    assert program.enter(scope="pa-reports pa-api").ask("/customers").status_code == 200


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer eyJx.eyJy.z", "Basic YTpi"])
def test_no_token_no_books(server: SandboxServer, program: Program, authorization: str | None) -> None:
    program.headers["Authorization"] = authorization  # type: ignore[assignment]
    answer = program.ask("/customers")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert set(answer.json()) == {"Message"}
    server.switches(www_authenticate=False)
    assert "WWW-Authenticate" not in program.ask("/customers").headers


def test_a_token_opens_only_the_books_of_its_own_company(server: SandboxServer, programs: Programs) -> None:
    other = programs(company=502).enter()
    assert other.setup["company_id"] == 502
    first = server.control("records", stream="customers")["records"][0]["id"]
    assert other.order("DELETE", f"/customers/{first}").json() == {"error": "ID_NOTFOUND"}
    assert len(server.control("records", stream="customers", company=502)["records"]) == 30


def test_nothing_secret_is_printed_or_shown_in_what_was_asked(server: SandboxServer, program: Program) -> None:
    credentials, token = program.setup["credentials"], str(program.headers["Authorization"]).split()[1]
    program.token(client_secret="a wrong one that nobody may read")
    program.ask("/customers", client_secret=credentials["client_secret"], orderBy=token)
    program.ask(f"/customers/{token}/invoices")
    page = requests.get(f"{server.ui}/pentamic/calls", timeout=10).text
    assert "POST /connect/token" in server.state()["calls_by_operation"]
    assert "/customers/{id}/invoices" in page
    for hidden in (token, credentials["client_secret"], "a wrong one"):
        assert hidden not in page
        assert hidden not in server.output()
        assert hidden not in str(server.state())
