"""The login pages, and what a code buys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sandbox.procountor.conftest import OTHER_COMPANY, OTHERS_PERSON, PERSON, Software, errors, visit
from tests.sandbox_server import SandboxRefused, SandboxServer


def test_a_person_signs_in_on_the_page_and_the_code_buys_both_tokens(
    server: SandboxServer, software: Software
) -> None:
    page = visit(software.address())
    assert page.status_code == 200
    assert "Customer portal" in page.text
    assert "<script" not in page.text
    assert "form-action" not in page.headers["Content-Security-Policy"]
    for ident in re.findall(r"<(?:select|input)[^>]* id=\"([^\"]+)\"", page.text):
        assert f'for="{ident}"' in page.text

    redirect = visit(software.address(), {"user": str(PERSON)})
    assert redirect.status_code == 302
    query = software.brought(redirect.headers["Location"])
    assert set(query) == {"code", "state"}
    assert query["state"] == "s t/1"
    server.allow_usage(True)
    answer = software.swap(code=query["code"])
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in", "refresh_token"}
    software.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    session = software.ask("/sessioninfo").json()
    assert (session["userId"], session["userName"]) == (PERSON, "Ilona Esimerkki")


def test_a_person_who_does_not_allow_it_leaves_without_a_code(server: SandboxServer, software: Software) -> None:
    redirect = visit(software.address(), {"deny": "yes"})
    assert software.brought(redirect.headers["Location"]) == {"error": "access_denied", "state": "s t/1"}
    assert (
        server.control("consent", {"url": software.address(), "deny": True})["location"]
        == redirect.headers["Location"]
    )
    server.switches(login_denied="stays")
    stayed = visit(software.address(), {"deny": "yes"})
    assert stayed.status_code == 200
    assert "Location" not in stayed.headers


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "http://localhost:1/elsewhere"},
        {"redirect_uri": None},
        {"response_type": "token"},
        {"redirect_uri": "own?next=1"},
    ],
)
@pytest.mark.parametrize("page", ["login", "keylogin"])
def test_a_wrong_link_leads_nowhere(software: Software, page: str, changed: dict[str, str | None]) -> None:
    if changed.get("redirect_uri") == "own?next=1":
        changed = {"redirect_uri": software.redirect_uri + "?next=1"}
    for form in (None, {"user": str(PERSON)}, {"deny": "yes"}):
        answer = visit(software.address(page, **changed), form)
        assert answer.status_code == 400
        assert "Location" not in answer.headers
    with pytest.raises(SandboxRefused, match="answered 400"):
        software.server.control("consent", {"url": software.address(page, **changed)})


def test_a_user_limited_to_m2m_cannot_sign_in(server: SandboxServer, software: Software) -> None:
    setup = server.setup_company(m2m_only=True)
    refused = visit(software.address(), {"user": str(setup["user_id"])})
    assert refused.status_code == 422
    assert 'id="login-user-error"' in refused.text
    assert visit(software.address(), {"user": "nobody"}).status_code == 422
    # Limited after signing in: neither the code nor the refresh token buys anything any more.
    free = server.setup_company(m2m_only=False)["user_id"]
    tokens = software.sign_in(user_id=free)
    code = software.code(user_id=free)
    server.change_user(free, m2m_only=True)
    assert errors(software.swap(code=code), 401) == {None: "User may not use this flow"}
    assert errors(software.renew(tokens["refresh_token"]), 401) == {None: "User may not use this flow"}


def test_a_code_is_good_once_for_five_minutes_and_for_its_client_alone(
    server: SandboxServer, software: Software
) -> None:
    server.allow_usage(True)
    code = software.code()
    assert software.swap(code=code).status_code == 200
    assert errors(software.swap(code=code), 401) == {None: "Authorization code is not valid"}
    assert errors(software.swap(code="nonsense"), 401)
    for seconds, status in ((299, 200), (301, 401)):
        server.clock(0)
        code = software.code()
        server.clock(seconds)
        assert software.swap(code=code).status_code == status
    server.clock(0)
    server.switches(grant_error="400", token_error_body="oauth")
    refused = software.swap(code="nonsense")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_the_swap_needs_the_same_redirect_address_and_the_client_itself(
    server: SandboxServer, software: Software
) -> None:
    server.allow_usage(True)
    code = software.code()
    assert software.swap(code=code, redirect_uri=None).status_code == 400
    assert software.swap(code=code, redirect_uri=software.redirect_uri + "?a=b").status_code == 400
    assert software.swap(code=code, client_secret="wrong").status_code == 401
    assert software.swap(code=code).status_code == 200, "refused requests do not use the code up"


@pytest.mark.process
def test_another_client_cannot_use_the_code(tmp_path: Path) -> None:
    """In a sandbox of its own: API clients outlive a reset."""
    with SandboxServer(tmp_path) as server, Software(server) as software:
        form = {"name": "Second", "redirect_uri": software.redirect_uri}
        assert visit(f"{server.ui}/procountor/clients", form).status_code == 302
        listed = visit(f"{server.ui}/procountor/clients").text
        ident, secret = (
            match[1]
            for match in (
                re.search(r'id="client-id-(client-[0-9a-f]+)"', listed),
                re.search(r'id="client-secret-client-[0-9a-f]+" value="([^"]+)"', listed),
            )
            if match
        )
        server.allow_usage(True)
        assert software.swap(code=software.code(), client_id=ident, client_secret=secret).status_code == 401
        token = software.sign_in()["refresh_token"]
        assert software.renew(token, client_id=ident, client_secret=secret).status_code == 401
        assert software.renew(token).status_code == 200


def test_the_key_login_makes_a_key_for_the_technical_user_chosen(server: SandboxServer, software: Software) -> None:
    setup = server.setup_company()
    page = visit(software.address("keylogin"))
    assert 'id="login-key-user"' in page.text
    redirect = visit(software.address("keylogin"), {"user": str(PERSON), "key_user": str(setup["user_id"])})
    code = software.brought(redirect.headers["Location"])["code"]
    assert errors(software.swap(code=code), 401), "a code for a key buys no token"
    answer = software.swap("key", code=code)
    assert answer.status_code == 200
    assert set(answer.json()) == {"api_key"}
    assert errors(software.swap("key", code=code), 401)
    assert errors(software.swap("key", code=software.code()), 401), "a code for tokens buys no key"
    software.enter(answer.json()["api_key"])
    assert software.ask("/sessioninfo").json()["userId"] == setup["user_id"]
    assert server.state()["token_requests"] == 2, "a key is no token"


def test_the_key_login_stays_inside_the_company_and_asks_for_all_rights(
    server: SandboxServer, software: Software
) -> None:
    setup = server.setup_company(m2m_only=False)
    theirs = {"user": str(OTHERS_PERSON), "key_user": str(setup["user_id"])}
    for form in (theirs, {"user": str(setup["user_id"]), "key_user": str(PERSON)}, {"user": str(PERSON)}):
        refused = visit(software.address("keylogin"), form)
        assert refused.status_code == 422
        assert 'id="login-key-user-error"' in refused.text
    own = {"user": str(setup["user_id"]), "key_user": str(setup["user_id"])}
    assert visit(software.address("keylogin"), own).status_code == 302
    with pytest.raises(SandboxRefused, match="no technical user"):
        server.control("consent", {"url": software.address("keylogin"), "company": OTHER_COMPANY})


def test_codes_and_tokens_are_not_told_to_anybody_who_watches(server: SandboxServer, software: Software) -> None:
    code = software.code()
    server.allow_usage(True)
    tokens = software.swap(code=code).json()
    software.renew(tokens["refresh_token"])
    software.ask("/invoices", code=code)
    page = visit(f"{server.ui}/procountor/calls").text
    for secret in (code, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in page
        assert secret not in server.output()
        assert secret not in str(server.state())
