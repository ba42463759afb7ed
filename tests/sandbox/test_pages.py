"""The pages of the simulated Procountor: what a person does there is what the API then says."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import pytest
import requests

from tests.sandbox.conftest import Caller
from tests.sandbox_server import SandboxServer

IDENT = re.compile(r' id="([^"]+)"')


class Visitor(requests.Session):
    """A person with a browser, as far as forms go."""

    def __init__(self, server: SandboxServer, company: int = 10451) -> None:
        super().__init__()
        self.trust_env = False
        self.home = f"{server.ui}/procountor/companies/{company}/"

    def look(self, where: str) -> str:
        answer = self.get(urljoin(self.home, where), timeout=10)
        assert answer.status_code == 200, (where, answer.status_code)
        return answer.text

    def fill(self, where: str, form: dict[str, str], status: int = 200) -> str:
        answer = self.post(urljoin(self.home, where), data=form, timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text


@pytest.fixture
def visitor(server: SandboxServer) -> Visitor:
    return Visitor(server)


def chosen(page: str, ident: str) -> str:
    """The selected value of a select."""
    select = re.search(rf'<select[^>]* id="{ident}".*?</select>', page, re.DOTALL)
    assert select, ident
    options = re.findall(r"<option(?: value=\"([^\"]*)\")?( selected)?>([^<]*)", re.sub(r"\s+>", ">", select[0]))
    selected: list[str] = [value or text for value, mark, text in options if mark]
    return selected[0] if selected else str(options[0][0] or options[0][2])


def the_key(page: str) -> str:
    match = re.search(r'id="api-key"[^>]*readonly[^>]*>([^<]+)<', page)
    assert match
    return unescape(match[1])


def user_id(page: str, name: str) -> int:
    match = re.search(rf'id="user-(\d+)"[^>]*>{re.escape(name)}<', page)
    assert match, name
    return int(match[1])


def test_the_whole_walk_of_a_customer(server: SandboxServer, visitor: Visitor, caller: Caller) -> None:
    """Usage settings, a technical user, an API key; then the API lets it in, until the key is revoked."""
    assert "Not allowed" in visitor.look("")
    rights = {"sales.customerRegister": "VIEWING_RIGHTS", "purchases.supplierRegister": "VIEWING_RIGHTS"}
    visitor.fill("users/new", {"name": "Aamu Oy, Portal API", "m2m_only": "in_use", **rights})
    user = user_id(visitor.look("users"), "Aamu Oy, Portal API")
    key = the_key(visitor.fill("api-keys/new", {"user": str(user), "client_id": f" {server.client['client_id']} "}))

    assert caller.token(key).status_code == 403
    visitor.fill("usage-settings", {"usage_allowed": "yes"})
    assert "Not allowed" not in visitor.look("")
    caller.enter(key)
    assert caller.ask("/sessioninfo").json()["userId"] == user
    assert caller.ask("/businesspartners").status_code == 200
    assert caller.ask("/invoices").status_code == 403

    visitor.fill(
        f"users/{user}",
        {"name": "Aamu Oy, Portal API", "m2m_only": "in_use", "sales.salesInvoiceSearch": "ALL_RIGHTS"},
    )
    assert caller.ask("/invoices").status_code == 200
    assert caller.ask("/businesspartners").status_code == 200

    listed = visitor.look("api-keys")
    assert key not in listed
    assert f"•••• {key[-4:]}" in listed
    number = re.search(r'id="revoke-api-key-(\d+)"', listed)
    assert number
    assert "Revoked" in visitor.fill(f"api-keys/{number[1]}/revoke", {})
    assert caller.ask("/sessioninfo").status_code == 401
    assert caller.token(key).status_code == 401


def test_a_new_user_has_no_rights_until_some_are_chosen(server: SandboxServer, visitor: Visitor) -> None:
    page = visitor.look("users/new")
    assert chosen(page, "user-role") == "Customised"
    assert chosen(page, "m2m-only") == "not_in_use"
    for right in ("sales-salesInvoiceSearch", "purchases-supplierRegister"):
        assert chosen(page, f"right-{right}") == "NO_ACCESS"
    assert chosen(page, "right-sales-personalSalesInvoicesOnly") == "false"

    filled = visitor.fill("users/new", {"name": "Not yet saved", "preset": "all-needed"})
    assert chosen(filled, "right-sales-salesInvoiceSearch") == "VIEWING_RIGHTS"
    assert chosen(filled, "right-sales-productRegister") == "VIEWING_RIGHTS"
    assert 'value="Not yet saved"' in filled
    assert "Not yet saved" not in visitor.look("users")


def test_the_pages_show_what_was_saved(server: SandboxServer, visitor: Visitor) -> None:
    visitor.fill("users/new", {"name": "Kept", "m2m_only": "in_use", "sales.personalSalesInvoicesOnly": "true"})
    page = visitor.look(f"users/{user_id(visitor.look('users'), 'Kept')}")
    assert chosen(page, "m2m-only") == "in_use"
    assert chosen(page, "right-sales-personalSalesInvoicesOnly") == "true"
    assert chosen(page, "right-sales-customerRegister") == "NO_ACCESS"


def test_password_and_removal_end_access(server: SandboxServer, visitor: Visitor, caller: Caller) -> None:
    setup = server.setup_company()
    where = f"users/{setup['user_id']}"
    caller.enter(setup["api_key"])
    assert "Access tokens of this user have ended" in visitor.fill(f"{where}/password", {"password": "new one"})
    assert caller.ask("/sessioninfo").status_code == 401
    caller.enter(setup["api_key"])
    visitor.fill(f"{where}/remove", {})
    assert caller.token(setup["api_key"]).status_code == 401
    assert visitor.get(visitor.home + where, timeout=10).status_code == 404
    assert "User removed" in visitor.look("api-keys")


def test_refused_forms_say_why_at_the_field_and_keep_what_was_typed(server: SandboxServer, visitor: Visitor) -> None:
    page = visitor.fill(
        "users/new", {"name": "   ", "m2m_only": "in_use", "sales.customerRegister": "ALL_RIGHTS"}, 422
    )
    assert 'id="user-name-error"' in page
    assert (chosen(page, "m2m-only"), chosen(page, "right-sales-customerRegister")) == ("in_use", "ALL_RIGHTS")
    assert (
        visitor.fill("users/new", {"name": "X", "sales.customerRegister": "SOME"}, 422).count('id="rights-error"') == 1
    )

    page = visitor.fill("api-keys/new", {"user": "3001", "client_id": "not <ours>"}, 422)
    assert 'id="key-client-id-error"' in page
    assert 'value="not &lt;ours&gt;"' in page
    assert chosen(page, "key-user") == "3001"
    # A user of the other company may not get a key here.
    page = visitor.fill("api-keys/new", {"user": "3002", "client_id": server.client["client_id"]}, 422)
    assert 'id="key-user-error"' in page

    page = visitor.fill("/procountor/clients", {"name": "Ours", "redirect_uri": "ftp://x"}, 422)
    assert 'id="new-client-redirect-uri-error"' in page


def test_another_client_can_be_registered_and_used(server: SandboxServer, visitor: Visitor, caller: Caller) -> None:
    page = visitor.fill(
        "/procountor/clients", {"name": "Second software", "redirect_uri": "https://second.example/back"}
    )
    ident = re.search(r'id="client-id-(client-[0-9a-f]+)"', page)
    assert ident
    secret = re.search(rf'id="client-secret-{ident[1]}" value="([^"]+)"', page)
    assert secret
    setup = server.setup_company(usage_allowed=False, client_id=ident[1])
    assert caller.token(setup["api_key"]).status_code == 401, "the key belongs to the other client"
    theirs = {"client_id": ident[1], "client_secret": secret[1], "redirect_uri": "https://second.example/back"}
    # Registered without the mark "Invoiceable", so the usage setting does not concern it.
    assert caller.token(setup["api_key"], **theirs).status_code == 200


def test_the_companies_are_apart(server: SandboxServer, visitor: Visitor) -> None:
    setup = server.setup_company()
    other = Visitor(server, 10452)
    assert "Iltarusko Oy" in other.look("")
    assert "Not allowed" in other.look("")
    assert other.get(other.home + f"users/{setup['user_id']}", timeout=10).status_code == 404
    for where in (f"users/{setup['user_id']}/remove", f"users/{setup['user_id']}/password", "api-keys/1/revoke"):
        assert other.post(other.home + where, data={"password": "x"}, timeout=10).status_code == 404
    chosen_company = requests.get(f"{server.ui}/procountor/?company=10452", timeout=10)
    assert chosen_company.url == other.home
    assert Visitor(server, 999).get(f"{server.ui}/procountor/companies/999/", timeout=10).status_code == 404


def test_switches_are_flipped_on_their_page(server: SandboxServer, visitor: Visitor) -> None:
    page = visitor.fill("/procountor/switches", {"token_error_body": "oauth", "total_count": "off"})
    assert re.search(r'id="token_error_body-oauth"[^>]*checked', page, re.DOTALL)
    positions = server.state()["switches"]
    assert (positions["token_error_body"], positions["total_count"], positions["token_type"]) == (
        "oauth",
        "off",
        "off",
    )


def test_what_was_asked_is_shown_newest_first(server: SandboxServer, visitor: Visitor, caller: Caller) -> None:
    assert 'id="no-calls"' in visitor.look("/procountor/calls")
    caller.enter(server.setup_company(name="Portal API")["api_key"])
    caller.ask("/invoices", size=20, orderById="ASC", previousId=90000)
    caller.ask("/sessioninfo")
    page = visitor.look("/procountor/calls")
    calls = re.findall(r"<code>((?:GET|POST) [^<]+)</code>", page)
    assert calls == ["GET /sessioninfo", "GET /invoices", "POST /oauth/token"]
    assert "size=20&amp;orderById=ASC&amp;previousId=90000" in page
    assert page.count("Portal API") == 3
    assert re.search(r'id="count-token-requests">1<', page)
    for where, renewed in (("/procountor/calls", False), ("/procountor/calls?live=yes", True)):
        assert ("Refresh" in visitor.get(urljoin(visitor.home, where), timeout=10).headers) is renewed


def test_pages_need_no_script_and_let_nothing_in_from_elsewhere(server: SandboxServer, visitor: Visitor) -> None:
    setup = server.setup_company()
    everywhere = ["", "usage-settings", "users", "users/new", f"users/{setup['user_id']}", "api-keys", "api-keys/new"]
    everywhere += [f"/procountor/{page}" for page in ("calls", "clients", "switches")] + ["/"]
    for where in everywhere:
        page = visitor.look(where)
        assert "<script" not in page
        assert " style=" not in page
        assert "imulator" in re.findall(r"<title>(.*?)</title>", page)[0] or where == "/"
        idents = IDENT.findall(page)
        assert len(idents) == len(set(idents)), where
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
        fields = {
            ident
            for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", page)
            for ident in re.findall(r' id="([^"]+)"', tag)
        }
        assert fields <= labelled, (where, fields - labelled)
        assert set(re.findall(r'(?:src|href)="(https?://[^"]+)"', page)) == set()
    headers = visitor.get(visitor.home, timeout=10).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
