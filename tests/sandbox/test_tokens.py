"""Procountor's simulator: getting an access token with an API key, and everything that ends one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.sandbox.conftest import Caller
from tests.sandbox_server import SandboxServer

HOUR = 3600


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Status and message of the usual error body, whose status repeats the HTTP status."""
    (error,) = answer.json()["errors"]
    assert error["status"] == answer.status_code
    return answer.status_code, error["message"]


def test_a_good_key_buys_a_token_for_an_hour(server: SandboxServer, caller: Caller) -> None:
    answer = caller.token(server.setup_company()["api_key"])
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "expires_in"}
    assert body["expires_in"] == HOUR
    assert body["access_token"].count(".") == 2
    server.switches(token_type=True)
    assert caller.token(server.new_key(3001)).json()["token_type"] == "Bearer"


def test_the_redirect_uri_may_be_left_out_but_not_be_wrong(server: SandboxServer, caller: Caller) -> None:
    key = server.setup_company()["api_key"]
    assert caller.token(key, redirect_uri=None).status_code == 200
    assert caller.token(key, redirect_uri="https://elsewhere.example/").status_code == 400
    server.switches(redirect_uri_required=True)
    assert caller.token(key, redirect_uri=None).status_code == 400
    assert caller.token(key).status_code == 200


@pytest.mark.parametrize("name", ["client_secret", "api_key", "refresh_token", "code", "access_token", "password"])
def test_a_secret_in_the_address_is_refused(server: SandboxServer, caller: Caller, name: str) -> None:
    key = server.setup_company()["api_key"]
    form = {"grant_type": "client_credentials", "api_key": key, **server.client}
    answer = caller.post(server.api + "/oauth/token", params={name: key}, data=form, timeout=10)
    assert refusal(answer) == (400, "Sensitive values are not accepted as URL parameters")
    assert caller.enter(key).ask("/sessioninfo", **{name: key}).status_code == 400


def test_only_a_form_body_is_understood(server: SandboxServer, caller: Caller) -> None:
    body = {"grant_type": "client_credentials", "api_key": server.setup_company()["api_key"], **server.client}
    assert caller.post(server.api + "/oauth/token", json=body, timeout=10).status_code == 400
    assert caller.token(body["api_key"], grant_type="password").status_code == 400


def test_wrong_clients_and_keys_get_401_in_the_chosen_shape(server: SandboxServer, caller: Caller) -> None:
    key = server.setup_company()["api_key"]
    assert refusal(caller.token(key, client_secret="wrong")) == (401, "Client authentication failed")
    assert refusal(caller.token(key, client_id="nobody")) == (401, "Client authentication failed")
    assert refusal(caller.token("no key at all")) == (401, "API key is not valid")
    server.switches(token_error_body="oauth")
    answer = caller.token("no key at all")
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_grant", "error_description": "API key is not valid"}
    assert caller.token(key, client_secret="wrong").json()["error"] == "invalid_client"


def test_the_usage_setting_is_asked_at_the_token_request(server: SandboxServer, caller: Caller) -> None:
    setup = server.setup_company(usage_allowed=False)
    assert refusal(caller.token(setup["api_key"])) == (403, "INVOICEABLE_API_CLIENTS_NOT_ALLOWED")
    server.switches(usage_not_allowed="401")
    assert refusal(caller.token(setup["api_key"])) == (401, "API key is not valid")
    server.allow_usage(True)
    caller.enter(setup["api_key"])
    server.allow_usage(False)
    assert caller.ask("/sessioninfo").status_code == 200
    server.switches(usage_stops_calls=True)
    assert refusal(caller.ask("/sessioninfo"))[0] == 401


def test_a_token_ends_with_its_hour(server: SandboxServer, entered: Callable[..., Caller]) -> None:
    caller = entered()
    server.clock(HOUR - 60)
    assert caller.ask("/sessioninfo").status_code == 200
    server.clock(HOUR + 1)
    assert refusal(caller.ask("/sessioninfo"))[0] == 401


def test_a_password_change_kills_tokens_but_not_the_key(server: SandboxServer, entered: Callable[..., Caller]) -> None:
    caller = entered()
    server.change_user(caller.setup["user_id"], password_changed=True)
    assert refusal(caller.ask("/sessioninfo"))[0] == 401
    assert caller.enter(caller.setup["api_key"]).ask("/sessioninfo").status_code == 200


def test_removing_the_user_kills_tokens_and_key(server: SandboxServer, entered: Callable[..., Caller]) -> None:
    caller = entered()
    server.change_user(caller.setup["user_id"], removed=True)
    assert refusal(caller.ask("/sessioninfo"))[0] == 401
    assert refusal(caller.token(caller.setup["api_key"])) == (401, "API key is not valid")


@pytest.mark.parametrize(("kills", "then"), [(True, 401), (False, 200)])
def test_a_revoked_key_buys_no_token(
    server: SandboxServer, entered: Callable[..., Caller], kills: bool, then: int
) -> None:
    server.switches(revoked_key_kills_tokens=kills)
    caller = entered()
    server.revoke(caller.setup["api_key"])
    assert caller.ask("/sessioninfo").status_code == then
    assert refusal(caller.token(caller.setup["api_key"])) == (401, "API key is not valid")
    assert caller.enter(server.new_key(caller.setup["user_id"])).ask("/sessioninfo").status_code == 200


def test_logout_ends_this_token_alone(entered: Callable[..., Caller]) -> None:
    caller = entered()
    other = Caller(caller.server).enter(caller.setup["api_key"])
    assert caller.post(caller.server.api + "/logout", timeout=10).status_code == 204
    assert caller.ask("/sessioninfo").status_code == 401
    assert other.ask("/sessioninfo").status_code == 200
    other.close()


def test_token_requests_are_counted_good_and_bad_and_by_the_hour(server: SandboxServer, caller: Caller) -> None:
    key = server.setup_company()["api_key"]
    caller.token(key)
    caller.token("wrong")
    state = server.state()
    assert (state["token_requests"], state["token_requests_last_hour"], state["tokens_issued"]) == (2, 2, 1)
    server.clock(HOUR + 5)
    caller.token(key)
    state = server.state()
    assert (state["token_requests"], state["token_requests_last_hour"], state["tokens_issued"]) == (3, 1, 2)
    server.reset_counters()
    assert server.state()["token_requests"] == 0
