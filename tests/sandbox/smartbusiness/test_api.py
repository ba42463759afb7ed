"""Headers, errors, lists, single records and rights."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.sandbox.smartbusiness.conftest import FIRST, SECOND, Client, refusal
from tests.sandbox_server import SandboxServer

Own = Callable[..., Client]
PATHS = {
    "contacts": "/contacts",
    "invoices": "/receivables/invoices",
    "offers": "/receivables/offers",
    "order_confirmations": "/receivables/order-confirmations",
    "products": "/catalog/products",
    "services": "/catalog/services",
    "bank_accounts": "/configuration/bank-accounts",
}


def records(server: SandboxServer, stream: str, company: int = FIRST) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = server.control("records", stream=stream, company=company)["records"]
    return rows


def items(answer: requests.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows


def filtered(client: Client, tree: Any, path: str = "/contacts") -> list[dict[str, Any]]:
    return items(client.ask(path, filter=json.dumps(tree), limit=200))


def test_every_answer_carries_the_documented_headers(server: SandboxServer, own: Own) -> None:
    client, stranger = own(), Client(server)
    server.faults([{"path": "/catalog/services", "status": 500}])
    answers = [
        client.ask("/auth/profile"),
        client.ask("/contacts", limit=0),
        client.ask("/contacts/1"),
        client.ask("/nowhere"),
        client.ask("/catalog/services"),
        client.tell("PATCH", "/contacts"),
        client.tell("POST", "/contacts", {}),
        client.token("client_credentials"),
        client.token("client_credentials", client_secret="wrong"),
        stranger.ask("/contacts"),
        stranger.get(server.api.removesuffix("/v2") + "/v1/contacts", timeout=9),
        stranger.options(server.api + "/contacts", timeout=9),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 404, 404, 500, 405, 422, 201, 401, 401, 404, 204]
    for answer in answers:
        assert uuid.UUID(answer.headers["X-Request-Id"]).version == 4
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["X-Rate-Limit-Limit"] == "1000"
        assert 900 < int(answer.headers["X-Rate-Limit-Remaining"]) <= 1000
        assert 0 < int(answer.headers["X-Rate-Limit-Reset"]) <= 3600
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == len(answers)


def test_paths_and_methods_that_do_not_exist(own: Own) -> None:
    client = own()
    assert refusal(client.ask("/nowhere")) == (404, 3000)
    assert refusal(client.tell("DELETE", "/contacts")) == (405, 7000)
    missing = client.ask("/receivables/invoices/999999999")
    assert (refusal(missing), missing.json()["meta"]) == ((404, 3000), {"entity_type": "invoice"})
    for number in ("x", "1,2", "-1"):
        assert refusal(client.ask(f"/contacts/{number}")) == (404, 3000)


def test_a_body_may_be_too_large_or_no_json(server: SandboxServer, own: Own) -> None:
    client = own()
    assert refusal(client.tell("POST", "/contacts", {"name": "x" * 1_100_000}))[0] == 413
    for content, kind in (("{", "application/json"), ("[]", "application/json"), ("name=x", "text/plain")):
        answer = client.post(server.api + "/contacts", data=content, headers={"Content-Type": kind}, timeout=9)
        assert refusal(answer) == (400, 2000)


@pytest.mark.parametrize("stream", PATHS)
def test_every_page_of_a_list_is_what_the_company_has(server: SandboxServer, own: Own, stream: str) -> None:
    client, read_records, offset = own(), [], 0
    size = 30 if stream != "bank_accounts" else 3
    while True:
        answer = client.ask(PATHS[stream], limit=size, offset=offset, sort="id")
        read_records += items(answer)
        pagination = answer.json()["pagination"]
        assert pagination["page"] == offset // size + 1
        offset += size
        if "next" not in pagination:
            break
    assert read_records == records(server, stream)
    assert pagination["total"] == len(read_records)
    assert len({record["id"] for record in read_records}) == len(read_records)
    other = own(company=SECOND)
    mine = {record["id"] for record in read_records}
    assert not mine & {record["id"] for record in items(other.ask(PATHS[stream], limit=200))}
    assert refusal(other.ask(f"{PATHS[stream]}/{read_records[0]['id']}")) == (404, 3000)


def test_pagination_tells_absolute_addresses_that_work(server: SandboxServer, own: Own) -> None:
    client = own()
    pagination = client.ask("/contacts", limit=100, offset=100, sort="-id").json()["pagination"]
    assert (pagination["page"], pagination["pages"], pagination["total"]) == (2, 3, 220)
    assert pagination["next"].startswith(f"{server.api}/contacts?")
    first = items(client.get(pagination["previous"], timeout=9))
    assert first == records(server, "contacts")[:-101:-1]
    assert client.get(pagination["first"], timeout=9).json()["items"] == first
    last = client.get(pagination["last"], timeout=9).json()
    assert len(last["items"]) == 20
    assert "next" not in last["pagination"]
    assert "previous" not in client.ask("/contacts").json()["pagination"]
    assert len(items(client.ask("/contacts"))) == 100
    beyond = client.ask("/contacts", offset=5000).json()
    assert (beyond["items"], "next" in beyond["pagination"]) == ([], False)
    nothing = client.ask("/contacts", q="nobody has this name").json()["pagination"]
    assert (nothing["pages"], nothing["total"], "next" in nothing) == (1, 0, False)


@pytest.mark.parametrize(
    ("position", "starts"), [("relative", "/v2/contacts?"), ("elsewhere", "https://elsewhere.example/v2/contacts?")]
)
def test_next_links_may_be_odd(server: SandboxServer, own: Own, position: str, starts: str) -> None:
    client = own()
    server.switches(next_link=position)
    assert client.ask("/contacts").json()["pagination"]["next"].startswith(starts)
    server.switches(next_link="absent")
    assert set(client.ask("/contacts").json()["pagination"]) == {"page", "pages", "total"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"with": "main_address,nonsense"}, 2100),
        ({"filter": '{"nonsense":"x"}'}, 2101),
        ({"filter": "{"}, 2101),
        ({"filter": "[" * 5000}, 2101),
        ({"filter": '{"and":{}}'}, 2101),
        ({"filter": '{"name":["x"]}'}, 2101),
        ({"filter": '{"vat_rate":">x"}'}, 2101),
        ({"sort": "name,nonsense"}, 2102),
        ({"limit": "0"}, 2103),
        ({"limit": "201"}, 2103),
        ({"limit": "many"}, 2103),
        ({"offset": "-1"}, 2104),
        ({"offset": "x"}, 2104),
    ],
)
def test_bad_list_parameters_are_refused_by_code(own: Own, query: dict[str, str], code: int) -> None:
    assert refusal(own().ask("/contacts", **query)) == (400, code)


def test_sorting_by_several_fields_with_nothing_first(server: SandboxServer, own: Own) -> None:
    contacts = items(own().ask("/contacts", sort="hourly_rate,-name", limit=200, offset=0))
    assert contacts[0]["hourly_rate"] is None
    alike = [record["name"] for record in contacts if record["hourly_rate"] is None]
    assert alike == sorted(alike, reverse=True)


def test_filters(server: SandboxServer, own: Own) -> None:
    client, every = own(), records(server, "contacts")
    one = every[5]

    def ids(records: list[dict[str, Any]]) -> set[int]:
        return {record["id"] for record in records}

    assert ids(filtered(client, {"number": one["number"]})) == {one["id"]}
    assert ids(filtered(client, {"id": one["id"]})) == {one["id"]}
    assert len(filtered(client, {"number": f"!{one['number']}"})) == 200
    alps = {c["id"] for c in every if "alp" in c["name"].lower()}
    assert alps
    assert ids(filtered(client, {"name": "~ALP"})) == alps
    creditors = {c["id"] for c in every if "CR" in c["relation"]}
    assert ids(filtered(client, {"relation": "CR"})) == creditors
    assert ids(filtered(client, {"relation": "!CL"})) == {c["id"] for c in every if "CL" not in c["relation"]}
    tree = {"and": [{"relation": "CR"}, {"or": [{"name": "~Alp"}, {"created": ">=2025-01-01"}]}]}
    expected = {c["id"] for c in every if c["id"] in creditors and (c["id"] in alps or c["created"] >= "2025-01-01")}
    assert ids(filtered(client, tree)) == expected
    assert expected
    assert ids(filtered(client, {"hourly_rate": ">100"})) == {c["id"] for c in every if c["hourly_rate"]}
    assert ids(filtered(client, {"gender_salutation_active": "true"})) == {c["id"] for c in every if c["type"] == "P"}
    assert ids(items(client.ask("/contacts", q=one["name"].upper()))) == {one["id"]}


def test_filtering_by_contact_may_be_unreliable(server: SandboxServer, own: Own) -> None:
    client, invoice = own(), records(server, "invoices")[0]
    tree = {"contact_id": invoice["contact_id"]}
    invoices = filtered(client, tree, "/receivables/invoices")
    assert {record["contact_id"] for record in invoices} == {invoice["contact_id"]}
    server.switches(contact_filter="ignored")
    assert len(filtered(client, tree, "/receivables/invoices")) == 200


def test_positions_and_other_parts_come_only_when_asked_for(own: Own) -> None:
    client = own()
    plain = items(client.ask("/receivables/invoices", limit=1))[0]
    assert not {"positions", "contact_name", "permissions"} & set(plain)
    names = "positions,contact,contact_name,contact_address,bank_account,workflow,texts,permissions,isr"
    whole = items(client.ask("/receivables/invoices", limit=1, **{"with": names}))[0]
    assert set(whole) == set(plain) | set(names.split(","))
    assert whole["positions"][0]["price"] >= 0
    assert whole["contact"]["id"] == plain["contact_id"]
    assert whole["contact_name"] == whole["contact"]["name"]
    assert whole["contact_address"]["id"] == plain["contact_address_id"]
    assert (whole["permissions"], whole["isr"]) == (["view", "edit", "manage"], None)
    one = client.ask(f"/receivables/invoices/{plain['id']}", **{"with": "positions"}).json()
    assert one == {"item": plain | {"positions": whole["positions"]}}
    assert refusal(client.ask(f"/receivables/invoices/{plain['id']}", **{"with": "nonsense"})) == (400, 2100)
    address = items(client.ask("/contacts", limit=1, **{"with": "main_address,groups"}))[0]
    assert address["main_address"]["id"] == address["main_address_id"]


def test_the_language_header_chooses_translated_names(own: Own) -> None:
    client = own()
    german = items(client.ask("/catalog/products", limit=200, **{"with": "unit_name,category_name"}))
    assert {product["unit_name"] for product in german} == {"Stunde", "Stück", "Pauschale"}
    client.headers["Accept-Language"] = "fr-CH, fr;q=0.9"
    french = items(client.ask("/catalog/products", limit=200, **{"with": "unit_name"}))
    assert {product["unit_name"] for product in french} == {"heure", "pièce", "forfait"}


def test_records_hold_what_a_client_must_survive(server: SandboxServer) -> None:
    assert "-0001-11-30 00:00:00" in {record["created"] for record in records(server, "contacts")}
    assert "PP" in {record["status"] for record in records(server, "invoices")}
    assert None in {record["auto_sync_direction"] for record in records(server, "bank_accounts")}


def test_numbers_may_be_text_and_values_unknown(server: SandboxServer, own: Own) -> None:
    client, plain = own(), records(server, "invoices")[0]
    server.switches(numbers="text", unknown_values=True)
    record = client.ask(f"/receivables/invoices/{plain['id']}", **{"with": "positions"}).json()["item"]
    assert (record["total"], record["positions"][0]["price"]) == (
        str(plain["total"]),
        str(float(record["positions"][0]["price"])),
    )
    invoices = items(client.ask("/receivables/invoices", limit=200))
    assert all("zz_simulated" in each for each in invoices)
    assert "ZZ" in {each["status"] for each in invoices}


def test_the_rate_limit_is_told_and_held(server: SandboxServer, own: Own) -> None:
    client, other = own(), own()
    server.control("rate", {"limit": 2, "seconds": 60})
    answers = [client.ask("/auth/profile") for _ in range(3)]
    assert [answer.headers["X-Rate-Limit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert refusal(answers[2]) == (429, 6000)
    assert 0 < int(answers[2].headers["X-Rate-Limit-Reset"]) <= 60
    assert "Retry-After" not in answers[2].headers
    assert other.ask("/auth/profile").status_code == 200
    server.switches(retry_after=True)
    assert client.ask("/auth/profile").headers["Retry-After"]
    server.clock(61)
    assert client.ask("/auth/profile").headers["X-Rate-Limit-Remaining"] == "1"
    assert [client.token("client_credentials").status_code for _ in range(3)] == [201, 201, 429]


def test_what_the_rate_limit_counts(server: SandboxServer, own: Own, connected: Client) -> None:
    at_second = Client(server)
    at_second.hold(at_second.exchange(at_second.consent(company=SECOND)["code"]))
    server.control("rate", {"limit": 1, "seconds": 60})
    for position, status in (("connection", 200), ("client", 429), ("company", 200)):
        server.switches(rate_scope=position)
        server.control("rate", {"limit": 1, "seconds": 60})
        assert connected.ask("/auth/profile").status_code == 200
        assert at_second.ask("/auth/profile").status_code == status
    server.control("rate", {"limit": 9, "seconds": 60})
    neighbour = own()
    connected.ask("/auth/profile")
    assert neighbour.ask("/auth/profile").headers["X-Rate-Limit-Remaining"] == "7"


def test_rights_of_the_user_bound_every_client_of_his(server: SandboxServer, own: Own) -> None:
    client = own(rights={"contacts": "view", "receivables": "none", "catalog": "edit"})
    contact = records(server, "contacts")[0]["id"]
    assert client.ask("/contacts").status_code == 200
    assert items(client.ask("/contacts", limit=1, **{"with": "permissions"}))[0]["permissions"] == ["view"]
    for answer in (
        client.tell("POST", "/contacts", {}),
        client.tell("PUT", f"/contacts/{contact}", {}),
        client.tell("DELETE", f"/contacts/{contact}"),
        client.ask("/receivables/invoices"),
    ):
        assert refusal(answer) == (403, 5000)
    assert client.tell("POST", "/catalog/products", {"name": "X"}).status_code == 201
    server.control("rights", {"rights": {"receivables": "view"}})
    assert client.ask("/receivables/invoices").status_code == 200


def test_a_plan_may_lack_a_feature_the_api_or_room(server: SandboxServer, own: Own) -> None:
    client = own()
    server.control("plan", {"plan": "basic"})
    refused = client.ask("/receivables/offers")
    assert (refusal(refused), refused.json()["meta"]) == ((403, 4000), {"feature": "offers", "plans": ["full"]})
    assert client.ask("/receivables/invoices").status_code == 200
    server.control("plan", {"plan": "free"})
    assert refusal(client.ask("/auth/profile")) == (403, 4000)
    for limit in ("4001", "4002", "4003"):
        server.control("plan", {"plan": "full", "limit": limit})
        refused = client.tell("POST", "/contacts", {})
        assert refusal(refused) == (402, int(limit))
        assert refused.json()["meta"] == {"feature": "contacts", "limit": 50}
    assert client.ask("/contacts").status_code == 200
    server.control("plan", {"limit": None})
    assert client.tell("POST", "/contacts", {}).status_code == 422


def test_maintenance_stops_calls_and_tokens(server: SandboxServer, own: Own) -> None:
    client = own()
    server.switches(maintenance=True)
    assert refusal(client.ask("/auth/profile")) == (503, 8000)
    assert client.token("client_credentials").status_code == 503
    server.switches(maintenance=False)
    assert client.ask("/auth/profile").status_code == 200


def test_no_secret_is_shown_in_what_was_asked(server: SandboxServer, own: Own, connected: Client) -> None:
    client = own()
    token = client.tokens["access_token"]
    client.ask("/contacts", access_token=token, limit=token, filter='{"email":"private@example.com"}', sort="id")
    client.ask(f"/contacts/{connected.tokens['refresh_token']}")
    connected.refresh()
    page = requests.get(f"{server.ui}/smartbusiness/calls", timeout=9).text
    assert "/contacts/{id}" in page
    secrets = [token, connected.tokens["refresh_token"], *client.registered.values(), *connected.registered.values()]
    for hidden in [*secrets, "private@example.com"]:
        assert hidden not in page
        assert hidden not in server.output()
        assert hidden not in str(server.state())
