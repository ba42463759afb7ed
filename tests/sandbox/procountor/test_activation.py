"""Automated activation: the link, the way back, and the vendor's two calls."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.sandbox.procountor.conftest import OTHER_COMPANY, PERSON, Software, errors, visit
from tests.sandbox_server import SandboxServer

MAIN = 10451
DAY = 86_400


def link(server: SandboxServer) -> str:
    return f"{server.hosts['procountor']['authorize']}/activate?integrationId={server.state()['integration_id']}"


class Vendor:
    """Asks as the vendor, by HTTP Basic unless told otherwise."""

    def __init__(self, software: Software) -> None:
        self.software = software
        client = software.server.client
        self.proof: dict[str, Any] = {"auth": (client["client_id"], client["client_secret"])}

    def ask(self, method: str, ident: str, body: Any = None) -> requests.Response:
        where = f"{self.software.server.api}/integrations/{ident}"
        return requests.request(method, where, json=body, timeout=10, verify=self.software.server.ca, **self.proof)


@pytest.fixture
def vendor(software: Software) -> Vendor:
    return Vendor(software)


def begun(server: SandboxServer, software: Software, *companies: int) -> str:
    location = server.control("consent", {"url": link(server), "companies": list(companies)})["location"]
    return software.brought(location)["requestId"]


def test_a_customer_picks_companies_and_comes_back_with_a_request(
    server: SandboxServer, software: Software, vendor: Vendor
) -> None:
    page = visit(link(server))
    assert page.status_code == 200
    assert "form-action" not in page.headers["Content-Security-Policy"]
    idents = set(re.findall(r'<(?:select|input)[^>]* id="([^"]+)"', page.text))
    assert {f"activate-{MAIN}", f"activate-{OTHER_COMPANY}", "activation-user"} <= idents
    assert idents <= set(re.findall(r'for="([^"]+)"', page.text))
    assert visit(link(server), {"user": str(PERSON)}).status_code == 422
    assert visit(link(server), {"companies": str(MAIN)}).status_code == 422
    assert visit(link(server).replace("=4001", "=1")).status_code == 400

    form = {"user": str(PERSON), "companies": [MAIN, OTHER_COMPANY], f"extra-{MAIN}": "cost place 7"}
    redirect = visit(link(server), form)
    query = software.brought(redirect.headers["Location"])
    assert set(query) == {"requestId"}
    answer = vendor.ask("GET", query["requestId"])
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("expires") > "2020-01-01T00:00:00"
    assert body == {
        "integrationId": 4001,
        "initiator": {"email": "ilona.esimerkki@example.com", "userFullName": "Ilona Esimerkki"},
        "companiesToIntegrate": [
            {"companyId": MAIN, "extraInfo": "cost place 7"},
            {"companyId": OTHER_COMPANY, "extraInfo": ""},
        ],
    }
    assert software.brought(visit(link(server), {"deny": "yes"}).headers["Location"]) == {"error": "access_denied"}


def test_approved_companies_get_a_user_and_a_key_that_works(
    server: SandboxServer, software: Software, vendor: Vendor
) -> None:
    ident = begun(server, software, MAIN, OTHER_COMPANY)
    decision = {"approve": [OTHER_COMPANY], "reject": [{"companyId": MAIN, "reason": "Not our customer"}]}
    answer = vendor.ask("PUT", ident, decision)
    assert answer.status_code == 200
    (company,) = answer.json()["companiesIntegrated"]
    assert company["companyId"] == OTHER_COMPANY
    software.enter(company["apiKey"])
    session = software.ask("/sessioninfo").json()
    assert (session["companyId"], session["userName"]) == (OTHER_COMPANY, "Iltarusko Oy Customer portal API")
    assert software.ask("/ledgerreceipts").status_code == 200
    # The same answer again, and for the next request the existing key.
    assert vendor.ask("PUT", ident, decision).json() == answer.json()
    again = vendor.ask("PUT", begun(server, software, OTHER_COMPANY), {"approve": [OTHER_COMPANY]}).json()
    assert again == answer.json()
    server.revoke(company["apiKey"])
    fresh = vendor.ask("PUT", begun(server, software, OTHER_COMPANY), {"approve": [OTHER_COMPANY]}).json()
    assert fresh["companiesIntegrated"][0]["apiKey"] != company["apiKey"]
    server.switches(activation_again="410")
    assert errors(vendor.ask("PUT", ident, decision), 410)


@pytest.mark.parametrize(
    "decision",
    [
        {},
        {"approve": [MAIN]},
        {"approve": [MAIN, OTHER_COMPANY, 1]},
        {"approve": [MAIN, OTHER_COMPANY], "reject": [{"companyId": MAIN, "reason": "twice"}]},
        {"approve": [MAIN], "reject": [{"companyId": OTHER_COMPANY}]},
        {"approve": [MAIN], "reject": [{"companyId": OTHER_COMPANY, "reason": "x" * 256}]},
        {"approve": ["10451", "10452"]},
        [],
    ],
)
def test_an_answer_covers_exactly_all_companies(
    server: SandboxServer, software: Software, vendor: Vendor, decision: Any
) -> None:
    ident = begun(server, software, MAIN, OTHER_COMPANY)
    assert errors(vendor.ask("PUT", ident, decision), 400)
    assert vendor.ask("PUT", ident, {"approve": [MAIN, OTHER_COMPANY]}).status_code == 200


def test_a_request_expires(server: SandboxServer, software: Software, vendor: Vendor) -> None:
    ident = begun(server, software, MAIN)
    server.clock(DAY + 1)
    assert errors(vendor.ask("GET", ident), 410)
    assert errors(vendor.ask("PUT", ident, {"approve": [MAIN]}), 410)
    assert errors(vendor.ask("GET", "nonsense"), 404)


def test_what_opens_the_two_calls_is_a_switch(server: SandboxServer, software: Software, vendor: Vendor) -> None:
    ident = begun(server, software, MAIN)
    client = server.client
    basic = {"auth": (client["client_id"], client["client_secret"])}
    headers = {"headers": {"client-id": client["client_id"], "client-secret": client["client_secret"]}}
    ours = software.token(server.setup_company(10499)["api_key"]).json()["access_token"]
    theirs = software.token(server.setup_company()["api_key"]).json()["access_token"]
    machine, customer = ({"headers": {"Authorization": f"Bearer {token}"}} for token in (ours, theirs))
    wrong = {"auth": (client["client_id"], "wrong")}
    for way, good in (("basic", basic), ("headers", headers), ("m2m", machine)):
        server.switches(integrations_auth=way)
        for proof in (basic, headers, machine, customer, wrong, {}):
            vendor.proof = proof
            assert vendor.ask("GET", ident).status_code == (200 if proof is good else 401), (way, proof)


def test_the_name_of_the_request_id_and_the_usage_setting_are_switches(
    server: SandboxServer, software: Software, vendor: Vendor
) -> None:
    server.switches(activation_id="request_id", activation_allows_usage=False)
    location = server.control("consent", {"url": link(server)})["location"]
    ident = software.brought(location)["request_id"]
    key = vendor.ask("PUT", ident, {"approve": [MAIN]}).json()["companiesIntegrated"][0]["apiKey"]
    assert software.token(key).status_code == 403
    server.allow_usage(True)
    assert software.token(key).status_code == 200


def test_the_vendor_says_where_customers_come_back_to(server: SandboxServer) -> None:
    where = f"{server.ui}/procountor/specification"
    page = visit(where)
    assert re.search(r'id="activation-link" value="[^"]+/procountor/activate\?integrationId=4001"', page.text)
    form = {"description": "New words", "privacy_policy": "https://a.example", "terms": "https://b.example"}
    missing = visit(where, form)
    assert missing.status_code == 422
    assert 'id="specification-support-error"' in missing.text
    whole = {**form, "support": "https://c.example", "callback": "http://localhost:1/activated"}
    assert visit(where, whole).status_code == 302
    location = server.control("consent", {"url": link(server)})["location"]
    assert location.startswith("http://localhost:1/activated?requestId=")
    assert "New words" in visit(link(server)).text
