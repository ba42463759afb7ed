"""Getting, refreshing and losing tokens, in both grants."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from connections.sandbox.kit import open_kit
from connections.sandbox.smartbusiness import SIMULATOR
from connections.sandbox.smartbusiness.accounts import Accounts
from connections.sandbox.smartbusiness.grants import Grants
from tests.sandbox.smartbusiness.conftest import FIRST, SECOND, Client
from tests.sandbox_server import SandboxServer

HOURS = 3600


def league(answer: requests.Response) -> tuple[int, str]:
    """Status and error of a refused token request."""
    body = answer.json()
    assert set(body) == {"error", "message", "hint"}, body
    return answer.status_code, body["error"]


def test_an_own_client_gets_a_token_for_twelve_hours_and_no_refresh_token(
    server: SandboxServer, own: Callable[..., Client]
) -> None:
    client = own()
    assert set(client.tokens) == {"token_type", "expires_in", "access_token"}
    assert (client.tokens["token_type"], client.tokens["expires_in"]) == ("Bearer", 43_200)
    assert client.ask("/auth/profile").json()["item"]["id"] == FIRST
    server.clock(12 * HOURS - 60)
    assert client.ask("/auth/profile").status_code == 200
    server.clock(12 * HOURS + 1)
    refused = client.ask("/auth/profile")
    assert refused.status_code == 401
    assert refused.json()["meta"]["error_type"] == "access_denied"


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": "x"}, 400, "unauthorized_client"),
        ({"scope": "profile nonsense"}, 400, "invalid_scopes"),
        ({"scope": "profile invoice"}, 400, "invalid_scopes"),
    ],
)
def test_a_bad_token_request_is_refused(
    own: Callable[..., Client], changed: dict[str, str | None], status: int, error: str
) -> None:
    client = own(scopes=["profile", "contact"])
    assert league(client.token(**{"grant_type": "client_credentials", **changed})) == (status, error)  # type: ignore[arg-type]


def test_scopes_may_be_a_part_and_calls_beyond_them_are_refused(
    server: SandboxServer, own: Callable[..., Client]
) -> None:
    client = own()
    client.hold(client.token("client_credentials", scope="profile contact"))
    assert client.ask("/contacts").status_code == 200
    refused = client.ask("/receivables/invoices")
    assert (refused.status_code, refused.json()["code"]) == (400, 11)
    assert refused.json()["meta"]["error_type"] == "required_scopes_missing"
    server.switches(missing_scope="403")
    assert client.ask("/receivables/invoices").status_code == 403
    client.hold(client.token("client_credentials", scope="contact"))
    assert client.ask("/auth/profile").status_code == 403
    server.switches(missing_scope_parameter="refused")
    assert league(client.token("client_credentials")) == (400, "required_scopes_missing")


def test_the_body_is_json_and_a_form_by_switch(server: SandboxServer, own: Callable[..., Client]) -> None:
    client = own()
    assert client.token("client_credentials", form=True).status_code == 201
    server.switches(token_body="json")
    assert league(client.token("client_credentials", form=True)) == (400, "invalid_request")
    assert client.token("client_credentials").status_code == 201
    url = server.hosts["smartbusiness"]["token"]
    for body in ("[1]", "{", '{"client_id": 7}'):
        answer = client.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=9)
        assert league(answer) == (400, "invalid_request")
    # Nothing that stands in the address is read.
    query = {"grant_type": "client_credentials", **client.registered}
    assert league(client.post(url, params=query, json={}, timeout=9)) == (400, "invalid_request")


def test_shapes_of_the_token_answer(server: SandboxServer, own: Callable[..., Client]) -> None:
    client = own()
    server.switches(token_status="200", expires_in="text")
    answer = client.token("client_credentials")
    assert (answer.status_code, answer.json()["expires_in"]) == (200, "43200")
    server.switches(expires_in="absent")
    assert "expires_in" not in client.token("client_credentials").json()
    server.switches(token_error_body="oauth")
    assert client.token("client_credentials", client_secret="x").json()["error"] == "invalid_client"
    assert set(client.token("client_credentials", client_secret="x").json()) == {"error", "error_description"}
    server.switches(token_error_body="envelope", unauthorized_body="league")
    body = client.token("client_credentials", client_secret="x").json()
    assert (body["code"], body["meta"]["error_type"]) == (4, "invalid_client")
    client.headers["Authorization"] = "Bearer nonsense"
    assert league(client.ask("/auth/profile")) == (401, "access_denied")
    assert server.state()["tokens_issued"] == 3


def test_a_consent_brings_a_code_that_works_once(server: SandboxServer, portal: Client) -> None:
    query = portal.consent()
    assert query["state"] == "s-1"
    assert league(portal.exchange(query["code"], redirect_uri="https://elsewhere.example/")) == (400, "invalid_grant")
    portal.hold(portal.exchange(query["code"]))
    assert set(portal.tokens) == {"token_type", "expires_in", "access_token", "refresh_token"}
    assert portal.ask("/auth/owner").json()["item"] == {"id": FIRST, "name": "Nina", "surname": "Erfunden"}
    assert league(portal.exchange(query["code"])) == (400, "invalid_grant")
    late = portal.consent(company=SECOND)["code"]
    server.clock(601)
    assert league(portal.exchange(late)) == (400, "invalid_grant")


def test_each_consent_speaks_for_its_own_company(portal: Client) -> None:
    for company, name in ((FIRST, "Alpwerk Muster AG"), (SECOND, "Atelier du Lac Fictif Sàrl")):
        portal.hold(portal.exchange(portal.consent(company=company)["code"]))
        profile = portal.ask("/auth/profile").json()["item"]
        assert (profile["id"], profile["company_name"]) == (company, name)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile nonsense"}, "invalid_scopes"),
    ],
)
def test_a_bad_consent_request_is_told_to_the_client(portal: Client, changed: dict[str, str], error: str) -> None:
    assert portal.consent(portal.authorization(**changed)) == {"error": error, "state": "s-1"}


def test_a_denial_is_told_or_not(server: SandboxServer, portal: Client) -> None:
    assert portal.consent(deny=True) == {"error": "access_denied", "state": "s-1"}
    server.switches(denied_consent="page")
    assert server.control("consent", {"url": portal.authorization(), "deny": True}) == {"location": None}
    assert server.state()["live_refresh_tokens"] == 0


def test_a_refresh_token_works_once_and_brings_the_next(server: SandboxServer, connected: Client) -> None:
    first = dict(connected.tokens)
    connected.hold(connected.refresh())
    assert connected.tokens["refresh_token"] != first["refresh_token"]
    assert league(connected.refresh(refresh_token=first["refresh_token"])) == (400, "invalid_grant")
    assert connected.ask("/auth/profile").status_code == 200
    old = Client(server)
    old.headers["Authorization"] = f"Bearer {first['access_token']}"
    assert old.ask("/auth/profile").status_code == 200
    connected.hold(connected.refresh())
    server.clock(400 * 24 * HOURS)
    connected.hold(connected.refresh())  # never expires
    assert server.state()["live_refresh_tokens"] == 1
    server.switches(refused_refresh="401")
    assert league(connected.refresh(refresh_token=first["refresh_token"])) == (401, "invalid_request")


def test_reuse_of_a_spent_refresh_token_may_kill_the_grant(server: SandboxServer, connected: Client) -> None:
    server.switches(spent_refresh="kills_grant")
    spent = connected.tokens["refresh_token"]
    connected.hold(connected.refresh())
    assert connected.refresh(refresh_token=spent).status_code == 400
    assert connected.refresh().status_code == 400
    assert connected.ask("/auth/profile").status_code == 401
    assert server.state()["live_refresh_tokens"] == 0


def test_of_many_refreshes_at_once_one_wins(server: SandboxServer, connected: Client) -> None:
    together = threading.Barrier(8)

    def refresh(_: int) -> int:
        with Client(server) as one:
            one.tokens = connected.tokens
            together.wait(20)
            return one.refresh().status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(refresh, range(8))) == [201] + [400] * 7


def test_a_refresh_may_end_the_access_token_before(server: SandboxServer, connected: Client) -> None:
    server.switches(refresh_ends_access=True)
    assert connected.refresh().status_code == 201
    assert connected.ask("/auth/profile").status_code == 401


def test_rotation_can_be_turned_off(server: SandboxServer, connected: Client) -> None:
    server.switches(rotation="kept")
    assert connected.refresh().json()["refresh_token"] == connected.tokens["refresh_token"]
    server.switches(rotation="absent")
    assert "refresh_token" not in connected.refresh().json()
    assert connected.refresh().status_code == 201


def test_scope_in_a_refresh(server: SandboxServer, connected: Client) -> None:
    connected.hold(connected.refresh(scope="profile"))
    assert connected.ask("/contacts").status_code == 400
    assert league(connected.refresh(scope="profile offer")) == (400, "invalid_scopes")
    server.switches(refresh_scope="required")
    assert league(connected.refresh()) == (400, "required_scopes_missing")
    server.switches(refresh_scope="ignored")
    connected.hold(connected.refresh(scope="profile"))
    assert connected.ask("/contacts").status_code == 200


def test_a_token_or_code_of_another_client_is_unknown(server: SandboxServer, connected: Client) -> None:
    order = {"grant": "authorization_code", "redirect_uri": "https://other.example/back"}
    with Client(server, server.control("setup", order)["credentials"]) as other:
        other.tokens = connected.tokens
        assert league(other.refresh()) == (400, "invalid_grant")
        assert league(other.exchange(connected.consent()["code"])) == (400, "invalid_grant")
    assert league(connected.refresh(refresh_token="def50200nonsense")) == (400, "invalid_grant")
    assert connected.refresh().status_code == 201


def test_pkce(server: SandboxServer, portal: Client) -> None:
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    url = portal.authorization(code_challenge=challenge, code_challenge_method="S256")
    assert portal.exchange(portal.consent(url)["code"]).status_code == 201  # ignored
    server.switches(pkce="enforced")
    code = portal.consent(url)["code"]
    assert league(portal.exchange(code)) == (400, "invalid_grant")
    assert league(portal.exchange(code, code_verifier="w" * 50)) == (400, "invalid_grant")
    assert portal.exchange(code, code_verifier=verifier).status_code == 201
    assert portal.exchange(portal.consent()["code"]).status_code == 201
    server.switches(pkce="refused")
    assert portal.consent(url)["error"] == "invalid_request"
    code = portal.consent()["code"]
    assert league(portal.exchange(code, code_verifier=verifier)) == (400, "invalid_request")
    assert portal.exchange(code).status_code == 201


def test_revocation_ends_everything_but_the_portal_s_client(
    server: SandboxServer, own: Callable[..., Client], connected: Client
) -> None:
    customer = own()
    server.control("revoke", {})
    assert league(connected.refresh()) == (400, "invalid_grant")
    assert league(customer.token("client_credentials")) == (401, "invalid_client")
    assert [client.ask("/auth/profile").status_code for client in (connected, customer)] == [401, 401]
    state = server.state()
    assert (state["live_access_tokens"], state["live_refresh_tokens"]) == (0, 0)
    connected.hold(connected.exchange(connected.consent()["code"]))
    server.switches(revocation_ends_access=False)
    server.control("revoke", {"company": FIRST})
    assert connected.ask("/auth/profile").status_code == 200
    assert connected.refresh().status_code == 400


def test_secret_and_tokens_outlive_a_restart(server: SandboxServer, connected: Client) -> None:
    before = dict(server.client)
    server.restart()
    assert server.client == before
    with Client(server) as again:
        again.tokens = connected.tokens
        again.hold(again.refresh())
        assert again.ask("/auth/profile").status_code == 200


def test_the_portal_s_address_is_followed_at_each_start(tmp_path: Path) -> None:
    def client(portal: str) -> dict[str, str]:
        kit = open_kit(SIMULATOR, folder=tmp_path, records="small", latency_seconds=0, portal=portal, doors={})
        grants = Grants(kit, Accounts(kit))
        row = grants.client(SIMULATOR.open(kit).client()["client_id"])
        assert row
        return {name: row[name] for name in ("secret", "redirect_uri")}

    first, second = client("http://localhost:8000"), client("http://localhost:9000")
    assert first["redirect_uri"] == "http://localhost:8000/callback/smartbusiness/"
    assert second == first | {"redirect_uri": "http://localhost:9000/callback/smartbusiness/"}
