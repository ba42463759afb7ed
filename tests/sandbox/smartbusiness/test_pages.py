"""The pages of the simulated SmartBusiness: what a person does there is what the API then says."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests

from tests.sandbox.smartbusiness.conftest import FIRST, SECOND, Client, refusal
from tests.sandbox_server import SandboxServer


class Visitor(requests.Session):
    """A person with a browser, as far as forms go."""

    def __init__(self, server: SandboxServer, company: int = FIRST) -> None:
        super().__init__()
        self.trust_env = False
        self.home = f"{server.ui}/smartbusiness/companies/{company}/"

    def look(self, where: str, status: int = 200) -> str:
        answer = self.get(urljoin(self.home, where), timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text

    def fill(self, where: str, form: dict[str, object], status: int = 200) -> str:
        answer = self.post(urljoin(self.home, where), data=form, timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text


@pytest.fixture
def visitor(server: SandboxServer) -> Visitor:
    return Visitor(server)


def value_of(page: str, ident: str) -> str:
    match = re.search(rf'id="{ident}" value="([^"]*)"', page)
    assert match, ident
    return unescape(match[1])


def test_a_customer_registers_an_own_client_and_revokes_it(server: SandboxServer, visitor: Visitor) -> None:
    assert 'id="no-clients"' in visitor.look("api")
    form = {"name": "Portal", "user": FIRST, "grant_type": "client_credentials", "scopes": ["profile", "contact"]}
    page = visitor.fill("api/clients/new", form)
    registered = {name.replace("-", "_"): value_of(page, name) for name in ("client-id", "client-secret")}
    with Client(server, registered) as client:
        client.hold(client.token("client_credentials"))
        assert client.ask("/contacts").status_code == 200
        assert client.ask("/receivables/invoices").status_code == 400
        page = visitor.look("api")
        assert f'id="client-{registered["client_id"]}"' in page
        visitor.fill(f"api/clients/{registered['client_id']}/revoke", {})
        assert client.token("client_credentials").status_code == 401
        assert client.ask("/contacts").status_code == 401
    assert "Revoked" in visitor.look("api")
    Visitor(server, SECOND).look(f"api/clients/{registered['client_id']}", 404)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "client-name-error"),
        ({"name": "Taken"}, "client-name-error"),
        ({"scopes": []}, "scopes-error"),
        ({"scopes": ["nonsense"]}, "scopes-error"),
        ({"grant_type": "password"}, "grant-type-error"),
        ({"grant_type": "authorization_code", "redirect_uri": "portal"}, "client-redirect-uri-error"),
        ({"user": SECOND}, "client-user-error"),
    ],
)
def test_a_bad_registration_is_refused_with_what_was_typed(
    visitor: Visitor, changed: dict[str, object], field: str
) -> None:
    form = {"name": "Taken", "user": FIRST, "grant_type": "client_credentials", "scopes": ["profile"]}
    visitor.fill("api/clients/new", form)
    page = visitor.fill("api/clients/new", form | {"name": "Second"} | changed, 422)
    assert f'id="{field}"' in page


def test_a_person_consents_sees_the_application_and_revokes_it(server: SandboxServer, visitor: Visitor) -> None:
    with Client(server) as portal:
        url = portal.authorization()
        page = visitor.get(url, timeout=10)
        assert "form-action" not in page.headers["Content-Security-Policy"]
        assert "<code>invoice</code>" in page.text
        assert "<code>offer</code>" not in page.text
        assert "Loïc Imaginaire, Atelier du Lac Fictif Sàrl" in page.text
        nobody = visitor.post(url, data={"answer": "approve"}, timeout=10)
        assert (nobody.status_code, 'id="consent-user-error"' in nobody.text) == (422, True)
        back = visitor.post(url, data={"user": SECOND, "answer": "approve"}, timeout=10, allow_redirects=False)
        assert back.status_code == 302
        query = dict(parse_qsl(urlsplit(back.headers["Location"]).query))
        assert back.headers["Location"].startswith(server.client["redirect_uri"])
        assert query["state"] == "s-1"
        portal.hold(portal.exchange(query["code"]))
        assert portal.ask("/auth/profile").json()["item"]["id"] == SECOND

        assert 'id="no-connected"' in visitor.look("api")
        second = Visitor(server, SECOND)
        page = second.look("api")
        match = re.search(r'id="revoke-connected-(\d+)"', page)
        assert match
        assert "Customer portal" in page
        assert visitor.post(urljoin(visitor.home, f"api/connected/{match[1]}/revoke"), timeout=9).status_code == 404
        second.fill(f"api/connected/{match[1]}/revoke", {})
        assert portal.refresh().status_code == 400


def test_a_person_denies(server: SandboxServer, visitor: Visitor) -> None:
    with Client(server) as portal:
        url, answer = portal.authorization(), {"user": "", "answer": "deny"}
        back = visitor.post(url, data=answer, timeout=10, allow_redirects=False)
        assert back.headers["Location"].endswith("?error=access_denied&state=s-1")
        server.switches(denied_consent="page")
        assert 'id="consent-refused"' in visitor.post(url, data=answer, timeout=10).text


@pytest.mark.parametrize("changed", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}])
def test_a_stranger_is_never_sent_anything(
    server: SandboxServer, visitor: Visitor, changed: dict[str, str | None]
) -> None:
    with Client(server) as portal:
        answer = visitor.get(portal.authorization(**changed), timeout=10, allow_redirects=False)
    assert (answer.status_code, 'id="consent-refused"' in answer.text) == (400, True)


def test_rights_and_plan_are_set_in_the_pages(server: SandboxServer, visitor: Visitor, portal: Client) -> None:
    colleague = FIRST + 1
    portal.hold(portal.exchange(portal.consent(user=colleague)["code"]))
    assert portal.ask("/contacts").status_code == 200
    assert refusal(portal.ask("/receivables/invoices")) == (403, 5000)
    assert f'id="user-{colleague}"' in visitor.look("users")
    visitor.fill(f"users/{colleague}", {"receivables": "view", "contacts": "none"})
    assert portal.ask("/receivables/invoices").status_code == 200
    assert refusal(portal.ask("/contacts")) == (403, 5000)
    assert 'id="rights-error"' in visitor.fill(f"users/{colleague}", {"contacts": "all"}, 422)
    visitor.look(f"users/{SECOND}", 404)
    visitor.fill("plan", {"plan": "free", "limit": "4002"})
    assert "Without the API" in visitor.look("")
    assert refusal(portal.ask("/receivables/invoices")) == (403, 4000)
    assert 'id="plan-error"' in visitor.fill("plan", {"plan": "golden"}, 422)


def test_every_page_has_one_heading_labels_and_unique_ids(server: SandboxServer, visitor: Visitor) -> None:
    client_id = server.control("setup", {"name": "Portal"})["credentials"]["client_id"]
    with Client(server) as portal:
        portal.consent()
        consent = portal.authorization()
    pages = ["", "users", f"users/{FIRST}", "api", "api/clients/new", f"api/clients/{client_id}", "plan", consent]
    pages += [f"/smartbusiness/{page}" for page in ("calls", "switches", "vendor-client")] + ["/"]
    for where in pages:
        page = visitor.look(where)
        idents = re.findall(r' id="([^"]+)"', page)
        assert len(idents) == len(set(idents)), where
        assert page.count("<h1") == 1, where
        for control in re.findall(r"<(?:input|select|textarea|button)\b[^>]*>", page):
            assert ' id="' in control, (where, control)
        for ident in re.findall(r'<(?:input|select|textarea)\b[^>]* id="([^"]+)"', page):
            assert f'for="{ident}"' in page, (where, ident)
        for reference in re.findall(r'aria-describedby="([^"]+)"', page):
            assert set(reference.split()) <= set(idents), (where, reference)
    assert server.client["client_id"] in visitor.look("/smartbusiness/vendor-client")
    assert visitor.get(f"{server.ui}/smartbusiness/?company={SECOND}", timeout=9).url.endswith(f"/{SECOND}/")
    visitor.look("/smartbusiness/companies/999/", 404)
