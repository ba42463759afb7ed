"""Hesabit's simulator: the token in the address, lists and their shapes, errors, and the day's budget."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.hesabit.conftest import HOURS, SECOND, Client, refusal, wrong_fields
from tests.sandbox_server import SandboxServer

STREAMS = ("customers", "invoices", "items")
PERSIAN = "۰۱۲۳۴۵۶۷۸۹"


def ids(answer: requests.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [record["id"] for record in answer.json()]


# -- the token -----------------------------------------------------------------------------------------------------


def test_the_token_is_taken_from_the_address_alone(connected: Client) -> None:
    token = connected.tokens["access_token"]
    assert connected.ask("/invoices").status_code == 200
    for wrong in (None, "", "no token", connected.tokens["refresh_token"]):
        assert refusal(connected.ask("/invoices", access_token=wrong)) == (401, "invalid_token")
    connected.headers["Authorization"] = f"Bearer {token}"
    assert refusal(connected.ask("/invoices", access_token=None)) == (401, "invalid_token")
    connected.server.switches(header_token=True)
    assert connected.ask("/invoices", access_token=None).status_code == 200
    connected.headers["Authorization"] = f"Basic {token}"
    assert connected.ask("/invoices", access_token=None).status_code == 401
    assert connected.ask("/invoices").status_code == 200, "the address is still good"


def test_a_slash_at_the_end_makes_no_difference_or_a_redirect_that_repeats_the_token(connected: Client) -> None:
    customer = ids(connected.ask("/customers", limit=1))[0]
    pairs = (("/customers", "/customers/"), (f"/customers/{customer}", f"/customers/{customer}/"))
    for without, slashed in pairs:
        assert connected.ask(without).text == connected.ask(slashed).text
    for position, pick in (("added", 1), ("removed", 0)):
        connected.server.switches(trailing_slash=position)
        for pair in pairs:
            good, other = pair[pick], pair[1 - pick]
            assert connected.ask(good).status_code == 200
            answer = connected.ask(other, limit=3)
            assert answer.status_code == 301
            there, here = urlsplit(answer.headers["Location"]), urlsplit(answer.request.url or "")
            assert (there.scheme, there.netloc, there.query) == ("https", here.netloc, here.query)
            assert there.path == f"/v1{good}"
            assert connected.tokens["access_token"] in there.query


def test_nothing_of_a_token_is_ever_written_down(server: SandboxServer, connected: Client) -> None:
    """Not in the log, the pages, the state, the kept file or the output, wherever a careless client puts it."""
    secrets = [
        connected.tokens["access_token"],
        connected.tokens["refresh_token"],
        connected.refresh().json()["access_token"],
    ]
    token = secrets[0]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/customers", {}),
        ("/nowhere", {}),
        (f"/{token}", {}),
        (f"/customers/{token}", {}),
        ("/invoices", {"status": token}),
        ("/invoices", {"limit": token}),
        ("/customers", {token: "1"}),
        (f"/../{token}", {}),
        ("/customers", {"access_token": "short-one"}),
    ]
    for path, parameters in calls:
        connected.ask(path, **parameters)
    for method in ("POST", "PATCH", "DELETE"):
        connected.ask("/invoices", method, {"title": token} if method == "POST" else None)
    server.switches(trailing_slash="added")
    connected.ask("/customers")
    connected.get(server.api.removesuffix("/v1") + f"/{token}?access_token={token}", timeout=9)
    server.faults([{"path": "*", "status": 500, "body": "<html>", "content_type": "text/html"}])
    connected.ask("/customers/")
    places = {page: requests.get(f"{server.ui}/hesabit/{page}", timeout=9).text for page in ("calls", "switches")}
    places["state"] = json.dumps(server.state())
    places["output"] = server.output()
    for file in server.state_dir.glob("hesabit.sqlite3*"):
        places[file.name] = file.read_bytes().decode("latin-1")
    assert "hesabit.sqlite3" in places
    for secret in (*secrets, "short-one"):
        for place, text in places.items():
            assert secret not in text, place
            assert secret[:13] not in text, place
    assert places["calls"].count("access_token=…") >= len(calls)
    assert "(unknown path)" in places["calls"]


# -- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", STREAMS)
def test_pages_make_the_whole_list(server: SandboxServer, connected: Client, stream: str) -> None:
    every = [record["id"] for record in server.control("records", stream=stream)["records"]]
    assert every == sorted(every)
    assert ids(connected.ask(f"/{stream}")) == every[::-1][:20]
    gathered: list[int] = []
    for page in range(1, 6):
        gathered += ids(connected.ask(f"/{stream}", limit=100, page=page))
    assert gathered == every[::-1]
    server.switches(order="oldest")
    assert ids(connected.ask(f"/{stream}", limit=3, page=2)) == every[3:6]


@pytest.mark.parametrize(
    "parameters",
    [{"limit": 0}, {"limit": 101}, {"limit": -1}, {"limit": "all"}, {"limit": "۵"}, {"page": 0}, {"page": "x"}],
)
def test_a_bad_page_is_refused(connected: Client, parameters: dict[str, Any]) -> None:
    assert wrong_fields(connected.ask("/customers", **parameters)) == set(parameters)
    connected.server.switches(invalid_status="422")
    assert wrong_fields(connected.ask("/customers", **parameters), 422) == set(parameters)


def test_a_large_limit_may_be_capped(connected: Client) -> None:
    connected.server.switches(large_limit="capped")
    assert len(ids(connected.ask("/customers", limit=5000))) == 100


def test_without_paging_the_list_is_cut(connected: Client) -> None:
    first = ids(connected.ask("/customers", limit=50))
    connected.server.switches(paging="limit")
    assert ids(connected.ask("/customers", limit=50, page=2)) == first
    assert ids(connected.ask("/customers", limit=50, page="x")) == first


def test_invoices_are_filtered_by_status(server: SandboxServer, connected: Client) -> None:
    every = server.control("records", stream="invoices")["records"]
    for status in ("draft", "unpaid", "paid", "overdue", "canceled"):
        expected = [record["id"] for record in every if record["status"] == status]
        assert expected
        assert ids(connected.ask("/invoices", status=status, limit=5)) == expected[::-1][:5]
    assert wrong_fields(connected.ask("/invoices", status="nonsense")) == {"status"}
    assert connected.ask("/customers", status="nonsense").status_code == 200
    server.switches(unknown_status="empty")
    assert ids(connected.ask("/invoices", status="nonsense")) == []


@pytest.mark.parametrize("position", ["data", "items", "results", "resource"])
def test_lists_have_envelopes(connected: Client, position: str) -> None:
    for stream in STREAMS:
        connected.server.switches(envelope="array")
        bare = connected.ask(f"/{stream}", limit=2).json()
        connected.server.switches(envelope=position)
        assert connected.ask(f"/{stream}", limit=2).json() == {stream if position == "resource" else position: bare}


def test_records_have_the_oddities_of_the_dossier(server: SandboxServer) -> None:
    customers, invoices, items = (server.control("records", stream=stream)["records"] for stream in STREAMS)
    names = "".join(customer["name"] for customer in customers)
    assert {"ی", "ي", "ک", "ك", "\u200c"} <= set(names)
    assert any(set(customer["mobile"] or "") & set(PERSIAN) for customer in customers)
    assert all(customer["mobile"] or customer["email"] for customer in customers)
    assert all(isinstance(customer["postal_code"], int | None) for customer in customers)
    assert any(len(str(customer["postal_code"])) == 8 for customer in customers), "a leading zero is lost"
    assert {type(customer["economical_number"]) for customer in customers} == {int, str, type(None)}
    assert any(customer["company"] and customer["company"].startswith("\u200f") for customer in customers)
    assert {repr(invoice["online_payment"]) for invoice in invoices} == {"0", "1", "'1'"}
    assert any(set(invoice["number"]) <= set(PERSIAN) for invoice in invoices)
    assert {type(invoice["date"]) for invoice in invoices} == {int, str}
    for records in (customers, invoices, items):
        assert sum(int(record["created"]) > 10**12 for record in records) == 1, "one is in milliseconds"
    assert all(invoice["total"] == sum(r["price"] * r["quantity"] for r in invoice["items"]) for invoice in invoices)
    assert {invoice["customer_id"] for invoice in invoices} <= {customer["id"] for customer in customers}


def test_records_change_their_looks_by_switches(server: SandboxServer, connected: Client) -> None:
    plain = connected.ask("/items", limit=1).json()[0]
    server.switches(item_price="persian")
    price = connected.ask("/items", limit=1).json()[0]["price"]
    assert set(price) <= {*PERSIAN, "٬"}
    assert "".join(str(PERSIAN.index(sign)) for sign in price if sign != "٬") == str(plain["price"])
    server.switches(item_price="number", numbers="text")
    item = connected.ask("/items", limit=1).json()[0]
    assert (item["id"], item["price"]) == (str(plain["id"]), str(plain["price"]))
    row = connected.ask("/invoices", limit=1).json()[0]["items"][0]
    assert all(isinstance(row[name], str) for name in ("item_id", "price", "quantity"))
    server.control("touch", {"stream": "items", "ids": [item["id"]]})
    server.switches(numbers="number", extras=True)
    assert "labels" in connected.ask("/items", limit=1).json()[0]
    odd = connected.ask("/invoices", status="in_dispute", limit=100).json()
    assert len(odd) == 32
    assert {invoice["status"] for invoice in odd} == {"in_dispute"}
    assert odd[0]["id"] not in {each["id"] for each in connected.ask("/invoices", status="paid", limit=100).json()}


def test_a_single_record_is_what_the_list_shows(connected: Client) -> None:
    for stream in STREAMS:
        listed = connected.ask(f"/{stream}", limit=1).json()[0]
        assert connected.ask(f"/{stream}/{listed['id']}").json() == listed
        connected.server.switches(record_envelope="data")
        assert connected.ask(f"/{stream}/{listed['id']}").json() == {"data": listed}
        connected.server.switches(record_envelope="bare")


# -- errors --------------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_not_found(connected: Client) -> None:
    for path in ("/customers/1", "/customers/x", "/contacts", "/payments", "/", "/customers//1", "/customers/1/2"):
        assert refusal(connected.ask(path)) == (404, "not_found"), path
    assert refusal(connected.ask("/customers", "PATCH", {})) == (405, "method_not_allowed")
    assert refusal(connected.ask("/customers", "DELETE")) == (405, "method_not_allowed")
    outside = connected.server.api.removesuffix("/v1")
    for path in ("/customers", "/v2/customers", "/v1", "/"):
        answer = connected.get(outside + path, params={"access_token": connected.tokens["access_token"]}, timeout=9)
        assert answer.status_code == 404, path


def test_refusals_have_shapes(connected: Client) -> None:
    ask = [lambda: connected.ask("/customers/1"), lambda: connected.ask("/customers", access_token="x")]
    connected.server.switches(error_body="message")
    for call, status in zip(ask, (404, 401), strict=True):
        answer = call()
        assert (answer.status_code, set(answer.json())) == (status, {"message"})
    connected.server.switches(error_body="empty")
    for call, status in zip(ask, (404, 401), strict=True):
        answer = call()
        assert (answer.status_code, answer.content) == (status, b"")
    connected.server.switches(errors_in_200=True)
    assert [refusal(call()) for call in ask] == [(200, "not_found"), (200, "invalid_token")]
    assert refusal(connected.ask("/customers", "POST", {"name": "x"})) == (200, "invalid_request")


def test_bodies_must_be_json_and_say_so(connected: Client) -> None:
    where = f"{connected.server.api}/customers?access_token={connected.tokens['access_token']}"
    body = '{"name": "x", "mobile": "09000009999"}'
    for kind in ("application/json;", "application/json", "application/json; charset=utf-8"):
        assert connected.post(where, data=body, headers={"Content-Type": kind}, timeout=9).status_code == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = connected.post(where, data=body, headers={"Content-Type": kind}, timeout=9)
        assert refusal(answer) == (415, "unsupported_media_type")
    for wrong in ("", "[]", "{", "null"):
        answer = connected.post(where, data=wrong, headers={"Content-Type": "application/json"}, timeout=9)
        assert refusal(answer) == (400, "invalid_json")
    connected.server.switches(content_type="all")
    assert refusal(connected.get(where, timeout=9)) == (415, "unsupported_media_type")
    assert connected.get(where, headers={"Content-Type": "application/json;"}, timeout=9).status_code == 200


def test_a_gateway_may_answer_html(server: SandboxServer, connected: Client) -> None:
    page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
    server.faults([{"path": "/invoices", "status": 502, "body": page, "content_type": "text/html", "skip": 1}])
    answers = [connected.ask("/invoices"), connected.ask("/invoices"), connected.ask("/invoices/")]
    assert [answer.status_code for answer in answers] == [200, 502, 200]
    assert (answers[1].text, answers[1].headers["Content-Type"]) == (page, "text/html")
    server.faults([{"path": "/customers/{id}", "method": "PUT", "status": 503}])
    assert connected.ask("/customers/1").status_code == 404
    assert connected.ask("/customers/1", "PUT", {}).status_code == 503
    server.faults([{"path": "/oauth2/token", "status": 500}])
    assert connected.refresh().status_code == 500


# -- the day's budget ----------------------------------------------------------------------------------------------


def used(server: SandboxServer) -> dict[str, dict[str, int]]:
    clients: dict[str, dict[str, int]] = server.state()["budget"]["clients"]
    return clients


def test_a_client_has_a_budget_over_all_its_tokens(server: SandboxServer, portal: Client) -> None:
    assert server.state()["budget"]["limit"] == 20_000
    server.control("budget", {"limit": 3})
    tokens = [portal.connect().tokens["access_token"], portal.connect(shop=SECOND).tokens["access_token"]]
    answers = [portal.ask("/items", access_token=tokens[n % 2]) for n in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert refusal(answers[-1]) == (429, "quota_exceeded")
    assert "Retry-After" not in answers[-1].headers
    assert used(server) == {"portal-hesabit": {"calls": 3, "refused": 2}}
    assert portal.ask("/items", access_token="unknown").status_code == 401
    assert portal.refresh().status_code == 200, "a token request is no call"
    assert used(server) == {"portal-hesabit": {"calls": 3, "refused": 2}}

    address = "https://own.example/back"
    credentials = server.control("setup", {"redirect_uri": address})["credentials"]
    with Client(server, {**credentials, "redirect_uri": address}) as own:
        assert own.connect().ask("/items").status_code == 200
    assert used(server)[credentials["client_id"]] == {"calls": 1, "refused": 0}


def test_beyond_the_budget_there_are_three_answers(server: SandboxServer, connected: Client) -> None:
    server.control("budget", {"limit": 0})
    server.switches(over_budget="429_retry_after")
    answer = connected.ask("/items")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 24 * HOURS
    server.switches(over_budget="403")
    assert refusal(connected.ask("/items")) == (403, "quota_exceeded")
    server.control("budget", {"limit": 1})
    assert connected.ask("/items").status_code == 200


def test_the_day_ends_at_midnight_in_tehran(server: SandboxServer, portal: Client) -> None:
    before = server.state()["budget"]
    # To a known instant: the last seconds of a day of Tehran, which is half past eight in the evening in UTC.
    server.clock(before["seconds_left"] - 60)
    server.control("budget", {"limit": 1})
    portal.connect()
    assert [portal.ask("/items").status_code for _ in range(2)] == [200, 429]
    state = server.state()
    assert state["now"][11:15] == "20:2"
    assert state["budget"]["day"] == before["day"]
    server.clock(before["seconds_left"] + 60)
    assert server.state()["budget"]["clients"] == {}
    assert [portal.ask("/items").status_code for _ in range(2)] == [200, 429]
    assert server.state()["now"][11:15] == "20:3"
