"""Hesabit's simulator: consent, codes, access and refresh tokens, and everything that ends them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sandbox.hesabit.conftest import FIRST, HOURS, SECOND, Client, refusal, token_refusal
from tests.sandbox_server import SandboxRefused, SandboxServer


def test_a_code_becomes_the_documented_answer(portal: Client) -> None:
    query = portal.consent()
    assert set(query) == {"code", "state"}
    answer = portal.token("authorization_code", code=query["code"])
    body = answer.json()
    assert (answer.status_code, set(body)) == (
        200,
        {"access_token", "token_type", "expires_in", "refresh_token", "scope"},
    )
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 36000, "write")
    for name in ("access_token", "refresh_token"):
        assert str(uuid.UUID(body[name])) == body[name]


def test_without_offline_access_there_is_no_refresh_token(portal: Client) -> None:
    for access_type in (None, "online"):
        assert "refresh_token" not in portal.connect(access_type=access_type).tokens
        assert portal.ask("/customers").status_code == 200
    assert portal.server.state()["live_refresh_tokens"] == 0


def test_a_code_works_once_and_for_a_minute(portal: Client) -> None:
    code = portal.consent()["code"]
    assert portal.token("authorization_code", code=code).status_code == 200
    assert token_refusal(portal.token("authorization_code", code=code)) == (400, "invalid_grant")
    code = portal.consent()["code"]
    portal.server.clock(59)
    late = portal.consent()["code"]
    portal.server.clock(61)
    assert token_refusal(portal.token("authorization_code", code=code)) == (400, "invalid_grant")
    assert portal.token("authorization_code", code=late).status_code == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client")),
        ({"client_id": "nobody"}, (401, "invalid_client")),
        ({"client_secret": None}, (400, "invalid_request")),
        ({"redirect_uri": None}, (400, "invalid_request")),
        ({"redirect_uri": "https://elsewhere.example/"}, (400, "invalid_grant")),
        ({"code": None}, (400, "invalid_request")),
        ({"code": 7}, (400, "invalid_request")),
        ({"code": "unknown"}, (400, "invalid_grant")),
        ({"grant_type": "client_credentials"}, (400, "unsupported_grant_type")),
        ({"grant_type": None}, (400, "unsupported_grant_type")),
    ],
)
def test_a_bad_token_request_is_refused_and_leaves_the_code_good(
    portal: Client, changed: dict[str, Any], expected: tuple[int, str]
) -> None:
    code = portal.consent()["code"]
    assert token_refusal(portal.token(**{"grant_type": "authorization_code", "code": code, **changed})) == expected
    assert portal.token("authorization_code", code=code).status_code == 200


def test_a_code_of_another_client_is_worth_nothing(portal: Client) -> None:
    address = "https://own.example/back"
    credentials = portal.server.control("setup", {"shop": SECOND, "redirect_uri": address})["credentials"]
    with Client(portal.server, {**credentials, "redirect_uri": address}) as own:
        code = own.consent()["code"]
        assert token_refusal(portal.token("authorization_code", code=code, redirect_uri=address))[1] == "invalid_grant"
        assert own.token("authorization_code", code=code).status_code == 200


def test_a_form_is_refused_until_its_switch_says_otherwise(portal: Client) -> None:
    code = portal.consent()["code"]
    assert token_refusal(portal.token("authorization_code", form=True, code=code)) == (400, "invalid_request")
    portal.server.switches(token_body="both")
    assert portal.token("authorization_code", form=True, code=code).status_code == 200
    code = portal.consent()["code"]
    assert portal.token("authorization_code", code=code).status_code == 200


@pytest.mark.parametrize("body", ["", "[]", '"text"', "{"])
def test_a_token_request_must_be_a_json_object(portal: Client, body: str) -> None:
    where = portal.server.hosts["hesabit"]["token"]
    answer = portal.post(where, data=body, headers={"Content-Type": "application/json;"}, timeout=9)
    assert token_refusal(answer) == (400, "invalid_request")


def test_the_token_address_is_outside_of_the_api(portal: Client) -> None:
    where = portal.server.hosts["hesabit"]["token"]
    assert where == portal.server.api.removesuffix("/v1") + "/oauth2/token"
    for path in ("/oauth2/token", "/oauth2/token/"):
        assert portal.ask(path, "POST", {}).status_code == 404
    assert portal.get(where, timeout=9).status_code == 405


def test_a_refresh_brings_an_access_token_alone(connected: Client) -> None:
    first = connected.tokens
    for _ in range(2):
        answer = connected.refresh()
        assert (answer.status_code, set(answer.json())) == (
            200,
            {"access_token", "token_type", "expires_in", "scope"},
        )
        connected.tokens = first | answer.json()
        assert connected.ask("/items").status_code == 200
    connected.tokens = first
    assert connected.ask("/items").status_code == 200, "the old access token lives on"
    assert token_refusal(connected.refresh(refresh_token="unknown")) == (400, "invalid_grant")
    assert token_refusal(connected.refresh(refresh_token=None)) == (400, "invalid_request")
    assert token_refusal(connected.refresh(client_secret="wrong")) == (401, "invalid_client")


def test_a_refresh_may_bring_a_refresh_token_too(connected: Client) -> None:
    old = connected.tokens["refresh_token"]
    connected.server.switches(refresh_answer="repeated")
    assert connected.refresh().json()["refresh_token"] == old
    connected.server.switches(refresh_answer="rotated")
    fresh = connected.refresh().json()["refresh_token"]
    assert fresh != old
    assert token_refusal(connected.refresh()) == (400, "invalid_grant")
    assert connected.refresh(refresh_token=fresh).status_code == 200


def test_a_refresh_may_end_the_access_token(connected: Client) -> None:
    connected.server.switches(refresh_ends_access=True)
    answer = connected.refresh()
    assert refusal(connected.ask("/items")) == (401, "invalid_token")
    connected.tokens = answer.json()
    assert connected.ask("/items").status_code == 200


def test_an_access_token_lives_for_ten_hours_and_a_refresh_token_on(connected: Client) -> None:
    connected.server.clock(10 * HOURS - 60)
    assert connected.ask("/items").status_code == 200
    connected.server.clock(10 * HOURS + 1)
    assert refusal(connected.ask("/items")) == (401, "invalid_token")
    assert connected.server.state()["live_access_tokens"] == 0
    connected.server.clock(400 * 24 * HOURS)
    assert connected.refresh().status_code == 200


@pytest.mark.parametrize(("position", "expected"), [("number", 36000), ("text", "36000"), ("missing", None)])
def test_expires_in_comes_in_three_ways(portal: Client, position: str, expected: object) -> None:
    portal.server.switches(expires_in=position)
    assert portal.connect().tokens.get("expires_in") == expected
    assert portal.refresh().json().get("expires_in") == expected


def test_a_refused_token_request_has_three_shapes(connected: Client) -> None:
    connected.server.switches(token_error_body="message")
    answer = connected.refresh(refresh_token="unknown")
    assert (answer.status_code, set(answer.json())) == (400, {"message"})
    connected.server.switches(token_error_body="in_200")
    assert token_refusal(connected.refresh(client_secret="wrong")) == (200, "invalid_client")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "read"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"access_type": "sometimes"}, "invalid_request"),
    ],
)
def test_a_bad_authorization_request_is_told_to_the_client(
    portal: Client, changed: dict[str, str | None], error: str
) -> None:
    assert portal.consent(**changed) == {"error": error, "state": "s-1"}


def test_a_stranger_is_told_nothing(portal: Client) -> None:
    for changed in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": None}):
        with pytest.raises(SandboxRefused, match="answered 400"):
            portal.server.control("consent", {"url": portal.authorization(**changed)})


def test_state_may_be_forgotten(portal: Client) -> None:
    portal.server.switches(state=False)
    assert set(portal.consent()) == {"code"}
    assert portal.consent(deny=True) == {"error": "access_denied"}
    assert portal.consent(scope="read") == {"error": "invalid_scope"}


def test_a_denial_is_told_or_is_silent(portal: Client) -> None:
    assert portal.consent(deny=True) == {"error": "access_denied", "state": "s-1"}
    portal.server.switches(denied_consent="bare")
    assert portal.consent(deny=True) == {}


def test_parameters_nobody_knows_are_ignored_or_refused(portal: Client) -> None:
    pkce = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    code = portal.consent(**pkce)["code"]
    assert portal.token("authorization_code", code=code, code_verifier="anything").status_code == 200
    portal.server.switches(unknown_parameters="refused")
    assert portal.consent(**pkce)["error"] == "invalid_request"
    code = portal.consent()["code"]
    assert token_refusal(portal.token("authorization_code", code=code, code_verifier="x"))[1] == "invalid_request"
    assert portal.token("authorization_code", code=code).status_code == 200


def test_a_second_consent_is_added_or_replaces_the_first(portal: Client) -> None:
    first = portal.connect().tokens
    other = portal.connect(shop=SECOND).tokens
    portal.connect()
    assert portal.ask("/items", access_token=first["access_token"]).status_code == 200
    portal.server.switches(second_consent="replaces")
    portal.connect()
    assert refusal(portal.ask("/items", access_token=first["access_token"])) == (401, "invalid_token")
    assert portal.refresh(refresh_token=first["refresh_token"]).status_code == 400
    assert portal.ask("/items", access_token=other["access_token"]).status_code == 200


@pytest.mark.parametrize(("ends", "then"), [(True, 401), (False, 200)])
def test_revocation_ends_refreshing_and_by_its_switch_access(connected: Client, ends: bool, then: int) -> None:
    connected.server.switches(revocation_ends_access=ends)
    unused = connected.consent()["code"]
    connected.server.control("revoke", {"shop": SECOND})
    assert connected.refresh().status_code == 200
    connected.server.control("revoke", {})
    assert connected.ask("/items").status_code == then
    assert token_refusal(connected.refresh()) == (400, "invalid_grant")
    assert connected.token("authorization_code", code=unused).status_code == 400
    assert connected.server.state()["live_refresh_tokens"] == 0
    assert connected.connect().ask("/items").status_code == 200


def test_each_token_opens_the_shop_that_approved(server: SandboxServer, portal: Client) -> None:
    for shop in (FIRST, SECOND):
        portal.connect(shop=shop)
        served = {record["id"] for record in portal.ask("/customers", limit=100).json()}
        assert served <= {
            record["id"] for record in server.control("records", stream="customers", shop=shop)["records"]
        }
        some = next(iter(served))
        assert portal.ask(f"/customers/{some}").status_code == 200
    portal.connect(shop=FIRST)
    assert refusal(portal.ask(f"/customers/{some}")) == (404, "not_found")
