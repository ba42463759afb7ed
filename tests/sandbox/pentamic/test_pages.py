"""The administrator's office: what a person does there is what the servers then say."""

from __future__ import annotations

import re
import ssl
from html import unescape
from urllib.parse import urljoin

import pytest
import requests

from tests.sandbox.pentamic.conftest import Program, lenient
from tests.sandbox_server import SandboxServer


class Visitor(requests.Session):
    """The administrator with a browser, as far as forms go."""

    def __init__(self, server: SandboxServer) -> None:
        super().__init__()
        self.trust_env = False
        self.home = f"{server.ui}/pentamic/"

    def look(self, where: str, status: int = 200) -> str:
        answer = self.get(urljoin(self.home, where), timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text

    def fill(self, where: str, form: dict[str, object] | None = None, status: int = 200) -> str:
        answer = self.post(urljoin(self.home, where), data=form or {}, timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text


@pytest.fixture
def visitor(server: SandboxServer) -> Visitor:
    return Visitor(server)


def value_of(page: str, ident: str) -> str:
    match = re.search(rf'id="{ident}" value="([^"]*)" readonly|id="{ident}"[^>]*readonly[^>]*>([^<]*)<', page)
    assert match, ident
    return unescape(match[1] or match[2])


def message(page: str) -> str:
    match = re.search(r'id="message">([^<]*)<', page)
    assert match
    return unescape(match[1])


def test_the_whole_walk_of_an_administrator(server: SandboxServer, visitor: Visitor, program: Program) -> None:
    """A client for the other company is handed out, used, given a new secret, disabled and enabled again."""
    page = visitor.fill("clients/new", {"company": 502, "name": "Cổng Ví Dụ", "scopes": ["pa-api"]})
    assert message(page).startswith("The client was created.")
    for ident, expected in (("api-url", "api"), ("plain-url", "plain")):
        assert value_of(page, ident) == server.hosts["pentamic"][expected]
    assert f"{value_of(page, 'auth-url')}/connect/token" == server.hosts["pentamic"]["token"]
    for door, fingerprint in server.state()["fingerprints"].items():
        assert value_of(page, f"fingerprint-{door}") == fingerprint
    ident = value_of(page, "client-id")
    handed = {"client_id": ident, "client_secret": value_of(page, "client-secret"), "scope": value_of(page, "scope")}
    program.enter(**handed)
    assert len(lenient(program.ask("/customers").text)) == 30

    page = visitor.fill(f"clients/{ident}/secret")
    assert program.token(**handed).json() == {"error": "invalid_client"}
    handed["client_secret"] = value_of(page, "client-secret")
    assert program.token(**handed).status_code == 200

    page = visitor.fill(f"clients/{ident}/disable")
    assert "Disabled" in page
    assert 'id="enable-client"' in page
    assert program.token(**handed).json() == {"error": "invalid_client"}
    assert program.ask("/customers").status_code == 200
    assert 'id="disable-client"' in visitor.fill(f"clients/{ident}/enable")
    assert program.token(**handed).status_code == 200

    page = visitor.fill(f"clients/{ident}/scopes", {"scopes": ["pa-reports", "pa-api"]})
    assert value_of(page, "scope") == "pa-api pa-reports"
    assert f'id="client-{ident}"' in visitor.look("")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"company": "", "name": "A", "scopes": "pa-api"}, "client-company"),
        ({"company": 501, "name": " ", "scopes": "pa-api"}, "client-name"),
        ({"company": 501, "name": "A"}, "client-scope"),
        ({"company": 501, "name": "A", "scopes": "all"}, "client-scope"),
    ],
)
def test_a_form_that_makes_no_sense_comes_back(visitor: Visitor, form: dict[str, object], field: str) -> None:
    page = visitor.fill("clients/new", form, 422)
    assert re.findall(r'id="([^"]+)-error"', page) == [field]
    assert "No client yet" in visitor.look("")


def test_a_client_keeps_its_scope_when_none_is_chosen(visitor: Visitor, program: Program) -> None:
    ident = program.setup["credentials"]["client_id"]
    assert 'id="client-scope-error"' in visitor.fill(f"clients/{ident}/scopes", {}, 422)
    assert program.token().status_code == 200


def test_certificates_are_told_handed_out_and_renewed(server: SandboxServer, visitor: Visitor) -> None:
    page, before = visitor.look("certificates"), server.state()["fingerprints"]
    assert {door: value_of(page, f"fingerprint-{door}") for door in before} == before
    for door in before:
        pem = visitor.look(f"certificates/{door}.pem")
        assert ssl.PEM_cert_to_DER_cert(pem)
        assert pem == (server.state_dir / f"pentamic-{door}.pem").read_text()
    page = visitor.fill("certificates/identity/renew")
    after = server.state()["fingerprints"]
    assert value_of(page, "fingerprint-identity") == after["identity"] != before["identity"]
    assert after["api"] == before["api"]
    visitor.look("certificates/plain.pem", 404)


def test_what_a_program_wrote_is_seen_in_the_books(visitor: Visitor, program: Program) -> None:
    program.order("POST", "/customers", {"name": "Quán <b>Mẫu</b>", "taxCode": "0123456789"})
    page = visitor.look("customers")
    assert "181 in all" in page
    assert "Quán &lt;b&gt;Mẫu&lt;/b&gt;" in page
    assert "30 in all" in visitor.look("customers?company=502")
    visitor.look("customers?company=1", 404)


def test_every_page_is_whole(server: SandboxServer, visitor: Visitor, program: Program) -> None:
    ident = program.setup["credentials"]["client_id"]
    for where in ("", "clients/new", f"clients/{ident}", "certificates", "customers", "calls", "switches"):
        page = visitor.look(where)
        idents = re.findall(r' id="([^"]+)"', page)
        assert len(idents) == len(set(idents)), where
        assert page.count("<h1") == 1
        assert {"menu-clients", "menu-certificates", "menu-customers", "menu-calls", "menu-switches"} <= set(idents)
        for control in re.findall(r"<(?:button|input|select|textarea)\b[^>]*>", page):
            assert " id=" in control, (where, control)
        labels = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
        typed = re.findall(r"<(?:input|select|textarea)\b[^>]*? id=\"([^\"]+)\"", page)
        assert set(typed) <= labels, where
    visitor.look("clients/nobody", 404)
    visitor.fill("clients/nobody/disable", status=404)


def test_a_switch_flipped_on_its_page_changes_the_api(visitor: Visitor, program: Program) -> None:
    visitor.fill("switches", {"tax_code": "text"})
    assert program.ask("/customers").json()[0]["taxCode"] == "0300000003"
