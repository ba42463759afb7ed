"""The pages of the simulated Simutek: what a person does there is what the API then says."""

from __future__ import annotations

import re
from html import unescape

import pytest
import requests

from tests.sandbox.simutek.conftest import CUSTOMER, JSON, ORDER, Program
from tests.sandbox_server import SandboxServer


class Visitor(requests.Session):
    """A person with a browser, as far as forms go."""

    def __init__(self, server: SandboxServer) -> None:
        super().__init__()
        self.trust_env = False
        self.home = f"{server.ui}/simutek/"

    def look(self, where: str = "") -> str:
        answer = self.get(self.home + where, timeout=10)
        assert answer.status_code == 200, (where, answer.status_code)
        return answer.text

    def fill(self, where: str, form: dict[str, str | list[str]], status: int = 200) -> str:
        answer = self.post(self.home + where, data=form, timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text


@pytest.fixture
def visitor(server: SandboxServer) -> Visitor:
    return Visitor(server)


def value(page: str, ident: str) -> str:
    tag = re.search(rf'<input[^>]* id="{ident}"[^>]*>', page)
    assert tag, ident
    match = re.search(r'value="([^"]*)"', tag[0])
    assert match, ident
    return unescape(match[1])


def form_of(page: str) -> dict[str, str | list[str]]:
    """The named inputs of the first form that is posted."""
    form = re.search(r'<form method="post".*?</form>', page, re.DOTALL)
    assert form
    tags = re.findall(r"<input[^>]*>", form[0])
    names = [(re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: unescape(match[1]) for name, match in names if name and match}


def test_the_whole_walk_of_a_customer(server: SandboxServer, visitor: Visitor) -> None:
    """Simutek registers a client and hands it over; the API lets it in, until it is disabled and its tokens end."""
    assert 'id="no-clients"' in visitor.look("clients")
    page = visitor.fill("clients", {"name": " Portal ", "resources": ["customers", "salesorders"]})
    client_id, secret = value(page, "client-id"), value(page, "client-secret")
    api, token_address = value(page, "api-host"), value(page, "token-address")
    assert api == value(visitor.look(), "api-host") == server.hosts["simutek"]["api"]
    listed = visitor.look("clients")
    assert client_id in listed
    assert secret not in listed

    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}

    def enter() -> requests.Response:
        return requests.post(token_address, data=form, verify=server.ca, timeout=10)

    headers = {"Authorization": f"Bearer {enter().json()['access_token']}", "Content-Type": JSON}

    def ask() -> int:
        answer = requests.get(f"{api}/api/v1/companies", headers=headers, verify=server.ca, timeout=10)
        return answer.status_code

    assert ask() == 200
    assert "no new access token" in visitor.fill(f"clients/{client_id}/disable", {})
    assert enter().json() == {"error": "invalid_client"}
    assert ask() == 200, "a token lives on until it expires"
    server.switches(disabled_client_tokens="refused")
    assert ask() == 401
    assert server.state()["live_access_tokens"] == 0
    visitor.fill(f"clients/{client_id}/enable", {})
    assert ask() == 200
    assert enter().status_code == 200
    visitor.fill(f"clients/{client_id}/end-tokens", {})
    assert ask() == 401
    assert enter().status_code == 200


def test_a_refused_registration_says_why_and_keeps_what_was_typed(visitor: Visitor) -> None:
    page = visitor.fill("clients", {"name": "  ", "resources": ["customers"]}, 422)
    assert 'id="client-name-error"' in page
    assert re.search(r'id="resource-customers"[^>]*checked', page)
    assert not re.search(r'id="resource-salesorders"[^>]*checked', page)
    page = visitor.fill("clients", {"name": "<Portal>"}, 422)
    assert 'id="resources-error"' in page
    assert value(page, "client-name") == "<Portal>"
    assert 'id="no-clients"' in page


def test_a_client_that_is_not_there_cannot_be_changed(visitor: Visitor) -> None:
    for deed in ("disable", "enable", "end-tokens"):
        visitor.fill(f"clients/nobody/{deed}", {}, 404)
    visitor.fill("customers/999999/remove", {}, 404)
    assert visitor.get(visitor.home + "customers/999999", timeout=10).status_code == 404
    assert visitor.get(visitor.home + "orders/999999", timeout=10).status_code == 404


def test_customers_are_found_and_changed(server: SandboxServer, visitor: Visitor, program: Program) -> None:
    first, second = visitor.look("customers"), visitor.look("customers?page=2")
    assert "230 customers" in first
    assert 'id="later-customers"' in first
    assert 'id="earlier-customers"' in second
    assert first.count(' id="customer-') == 51, "50 and the count"
    assert 'id="no-customers"' in visitor.look("customers?name=nobody+at+all")
    program.create("customers", CUSTOMER)
    match = re.search(r'id="(customer-(\d+))"', visitor.look("customers?name=tryckk%C3%B6paren"))
    assert match

    where = f"customers/{match[2]}"
    form = form_of(visitor.look(where))
    assert (form["name"], form["zipCode"]) == (CUSTOMER["name"], "000 47")
    assert "was saved" in visitor.fill(where, form | {"city": "Påhittköping", "invoiceEmail": ""})
    record = program.ask("customers/WEB-1").json()
    assert record["postalAddress"]["city"] == "Påhittköping"
    assert record["invoiceEmail"] is None

    page = visitor.fill(where, form | {"city": "Mallvik"}, 422)
    assert 'id="version-error"' in page, "somebody else saved first"
    assert program.ask("customers/WEB-1").json() == record
    wrong = form_of(visitor.look(where)) | {"name": "", "countryCode": "Sverige", "city": "Mallvik"}
    page = visitor.fill(where, wrong, 422)
    assert 'id="customer-name-error"' in page
    assert 'id="customer-countryCode-error"' in page
    assert value(page, "customer-city") == "Mallvik"
    assert program.ask("customers/WEB-1").json() == record

    assert "was removed" in visitor.fill(f"{where}/remove", {})
    assert program.ask("customers/WEB-1").status_code == 404


def test_orders_are_seen_in_gks_alone(visitor: Visitor, program: Program) -> None:
    assert 'id="no-orders"' in visitor.look("orders")
    for reference in ("ref-1", "ref-1", "ref-2"):
        program.create("salesorders", ORDER | {"purchaseOrderNumber": reference})
    assert "3 orders" in visitor.look("orders")
    listed = visitor.look("orders?reference=ref-1")
    assert "2 orders" in listed
    match = re.search(r'id="order-(\d+)"', listed)
    assert match
    page = visitor.look(f"orders/{match[1]}")
    for part in (ORDER["name"], ORDER["customerComment"], "Visitkort, 500 st", "1.25", "Lagret", "Påhittad Person"):
        assert str(part) in page


def test_switches_are_flipped_on_their_page(server: SandboxServer, visitor: Visitor) -> None:
    page = visitor.fill("switches", {"list_envelope": "value", "token_type": "off"})
    assert re.search(r'id="list_envelope-value"[^>]*checked', page, re.DOTALL)
    positions = server.state()["switches"]
    assert (positions["list_envelope"], positions["token_type"], positions["list_path"]) == (
        "value",
        "off",
        "companies",
    )


def test_pages_need_no_script_and_let_nothing_in_from_elsewhere(visitor: Visitor, program: Program) -> None:
    program.create("salesorders", ORDER)
    order = re.search(r'id="order-(\d+)"', visitor.look("orders"))
    customer = re.search(r'id="customer-(\d+)"', visitor.look("customers"))
    assert order
    assert customer
    registered = visitor.fill("clients", {"name": "Another", "resources": "customers"})
    places = ("", "clients", "customers", "customers?page=2", "orders", "calls", "switches")
    pages = [visitor.look(where) for where in (*places, f"orders/{order[1]}", f"customers/{customer[1]}")]
    for page in (*pages, registered):
        assert "<script" not in page
        assert " style=" not in page
        assert "imulator" in re.findall(r"<title>(.*?)</title>", page)[0]
        idents = re.findall(r' id="([^"]+)"', page)
        assert len(idents) == len(set(idents))
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
        fields = re.findall(r"<(?:input|select|textarea)[^>]*>", page)
        named = [re.search(r' id="([^"]+)"', tag) for tag in fields if 'type="hidden"' not in tag]
        assert all(ident and ident[1] in labelled for ident in named)
        assert all(" id=" in button for button in re.findall(r"<button[^>]*>", page))
        assert set(re.findall(r'(?:src|href)="(https?://[^"]+)"', page)) == set()
    policy = visitor.get(visitor.home, timeout=10).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
