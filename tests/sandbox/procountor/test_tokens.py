"""Refresh tokens: how long they live, what ends them, and how many there may be."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Caller
from tests.sandbox.procountor.conftest import PERSON, Software, errors
from tests.sandbox_server import SandboxServer

DAY = 86_400
ACCESS_ENDS = 3601


def alive(server: SandboxServer) -> tuple[int, int]:
    state = server.state()
    return state["live_access_tokens"], state["live_refresh_tokens"]


def test_a_refresh_token_is_used_again_and_again_for_six_months(server: SandboxServer, software: Software) -> None:
    token = software.sign_in()["refresh_token"]
    for days in (1, 180):
        server.clock(days * DAY)
        assert software.ask("/sessioninfo").status_code == 401
        answer = software.renew(token)
        assert set(answer.json()) == {"access_token", "expires_in"}
        software.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        assert software.ask("/sessioninfo").status_code == 200
    server.clock(185 * DAY)
    assert errors(software.renew(token), 401) == {None: "Refresh token is not valid"}
    assert alive(server) == (0, 0)


def test_the_redirect_address_of_a_refresh_may_be_missing_but_not_wrong(
    server: SandboxServer, software: Software
) -> None:
    token = software.sign_in()["refresh_token"]
    assert software.renew(token, redirect_uri=None).status_code == 200
    assert software.renew(token, redirect_uri="http://localhost:1/").status_code == 400


def test_rotation_ends_the_token_that_was_used(server: SandboxServer, software: Software) -> None:
    server.switches(refresh_rotates=True)
    first = software.sign_in()["refresh_token"]
    second = software.renew(first).json()["refresh_token"]
    assert second != first
    assert errors(software.renew(first), 401)
    assert software.renew(second).status_code == 200


@pytest.mark.parametrize("status", ["204", "200"])
def test_logout_ends_both_tokens_of_this_session_alone(server: SandboxServer, software: Software, status: str) -> None:
    server.switches(logout_status=status)
    other = software.sign_in()["refresh_token"]
    tokens = software.sign_in()
    older = software.headers["Authorization"]
    software.headers["Authorization"] = f"Bearer {software.renew(tokens['refresh_token']).json()['access_token']}"
    answer = software.call("POST", "/logout")
    assert (answer.status_code, answer.text == "") == (int(status), status == "204")
    assert software.ask("/sessioninfo").status_code == 401
    software.headers["Authorization"] = older
    assert software.ask("/sessioninfo").status_code == 401
    assert errors(software.renew(tokens["refresh_token"]), 401)
    assert software.renew(other).status_code == 200


@pytest.mark.parametrize("change", ["password_changed", "removed"])
def test_a_password_change_and_removal_end_both_tokens(server: SandboxServer, software: Software, change: str) -> None:
    user = server.setup_company(m2m_only=False)["user_id"]
    token = software.sign_in(user_id=user)["refresh_token"]
    unused = software.code(user_id=user)
    server.change_user(user, **{change: True})
    assert software.ask("/sessioninfo").status_code == 401
    assert errors(software.renew(token), 401)
    assert software.swap(code=unused).status_code == (401 if change == "removed" else 200)


def test_everything_granted_can_be_revoked_at_once(server: SandboxServer, software: Software) -> None:
    setup = server.setup_company()
    token, unused = software.sign_in()["refresh_token"], software.code()
    with Caller(server) as machine:
        machine.enter(setup["api_key"])
        assert alive(server) == (2, 1)
        server.control("revoke", {})
        assert alive(server) == (0, 0)
        assert machine.ask("/sessioninfo").status_code == 401
        assert machine.token(setup["api_key"]).status_code == 401
    assert errors(software.renew(token), 401)
    assert errors(software.swap(code=unused), 401)


def test_the_hundred_and_first_sign_in_ends_the_oldest_or_is_refused(
    server: SandboxServer, software: Software
) -> None:
    tokens = [software.sign_in()["refresh_token"] for _ in range(101)]
    assert errors(software.renew(tokens[0]), 401)
    assert software.renew(tokens[1]).status_code == 200
    assert software.renew(tokens[100]).status_code == 200
    state = server.state()
    assert (state["live_refresh_tokens"], state["live_refresh_tokens_of_first_client"]) == (100, 100)
    # Another user has a hundred of their own.
    free = server.setup_company(m2m_only=False)["user_id"]
    software.sign_in(user_id=free)
    assert server.state()["live_refresh_tokens"] == 101
    server.switches(refresh_ceiling="newest_refused")
    refused = software.swap(code=software.code(user_id=PERSON))
    assert errors(refused, 401) == {None: "There are 100 refresh tokens already"}
    assert software.renew(tokens[1]).status_code == 200


def test_the_usage_setting_and_expires_in_hold_for_people_too(server: SandboxServer, software: Software) -> None:
    server.allow_usage(False)
    assert errors(software.swap(code=software.code()), 403) == {None: "INVOICEABLE_API_CLIENTS_NOT_ALLOWED"}
    for shape, expected in (("text", "3600"), ("missing", None), ("number", 3600)):
        server.switches(expires_in=shape)
        assert software.sign_in().get("expires_in") == expected
