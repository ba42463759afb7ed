"""Customers and invoices in JSON: what the document prints, every switch of their form, and every refusal."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
import requests

from tests.sandbox.pentamic.conftest import Program, lenient
from tests.sandbox_server import SandboxServer

TWO = {"name": "Quán Mẫu", "taxCode": "0123456789"}


def records(server: SandboxServer, stream: str = "customers") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = server.control("records", stream=stream)["records"]
    return rows


def refused(answer: requests.Response) -> str:
    assert answer.status_code == 403
    assert set(answer.json()) == {"error"}
    return str(answer.json()["error"])


def test_the_list_is_one_bare_array_that_no_json_parser_takes(server: SandboxServer, program: Program) -> None:
    answer = program.ask("/customers")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)
    customers = lenient(answer.text)
    assert [{**each, "id": int(each["id"])} for each in customers] == records(server)
    assert list(customers[0]) == ["id", "name", "taxCode", "address", "phone"]
    assert len(customers) == 180


def test_invented_customers_are_as_odd_as_real_ones(server: SandboxServer, program: Program) -> None:
    text, customers = program.ask("/customers").text, records(server)
    codes = [each["taxCode"] for each in customers]
    assert {len(code) for code in codes} == {9, 10, 14}
    branch = next(code for code in codes if len(code) == 14)
    assert f'"taxCode":"{branch}"' in text
    leading = next(code for code in codes if code.startswith("0") and len(code) == 10)
    assert f'"taxCode":{leading},' in text
    assert len(set(codes)) == len(codes) - 1
    assert {type(each["address"]) for each in customers} == {str, type(None)}
    assert "" in {each["address"] for each in customers}
    assert None in {each["phone"] for each in customers}
    assert any("Nguyễn" in each["name"] for each in customers)
    assert any(not unicodedata.is_normalized("NFC", each["name"]) for each in customers)
    assert any('"taxCode":0312' in each["name"] for each in customers)


@pytest.mark.parametrize(
    ("switch", "position", "expected"),
    [
        ("tax_code", "text", {"taxCode": "0300000003"}),
        ("tax_code", "lost", {"taxCode": 300000003}),
        ("ids", "text", {"id": "204005"}),
        ("field_names", "PascalCase", {"Id": 204005, "TaxCode": "0300000003"}),
        ("extra_fields", "on", {"status": "UNDER_REVIEW", "groupId": 7}),
    ],
)
def test_each_form_of_a_customer(
    server: SandboxServer, program: Program, switch: str, position: str, expected: dict[str, Any]
) -> None:
    server.switches(**{"tax_code": "text", switch: position})
    first = program.ask("/customers").json()[0]
    assert {name: first.get(name) for name in expected} == expected


def test_members_without_a_value_are_null_or_missing(server: SandboxServer, program: Program) -> None:
    server.switches(tax_code="text")
    assert all(len(each) == 5 for each in program.ask("/customers").json())
    server.switches(empty_fields="missing")
    customers = program.ask("/customers").json()
    assert {len(each) for each in customers} == {3, 4, 5}
    assert all(value is not None for each in customers for value in each.values())


@pytest.mark.parametrize(
    ("order", "positions", "field", "descending"),
    [
        ("name", {}, "name", False),
        ("name desc", {}, "name", True),
        ("taxCode", {}, "taxCode", False),
        ("id desc", {}, "id", True),
        ("namedesc", {"order_desc": "joined"}, "name", True),
        ("namedesc", {}, "id", False),
        ("colour", {}, "id", False),
    ],
)
def test_order_by(
    server: SandboxServer, program: Program, order: str, positions: dict[str, str], field: str, descending: bool
) -> None:
    server.switches(tax_code="text", **positions)
    values = [str(each[field]).casefold() for each in program.ask("/customers", orderBy=order).json()]
    assert values == sorted(values, reverse=descending)
    assert len(values) == 180


def test_an_unknown_order_may_be_refused(server: SandboxServer, program: Program) -> None:
    server.switches(order_unknown="400")
    assert program.ask("/customers", orderBy="colour desc").status_code == 400
    assert program.ask("/customers", orderBy="phone desc").status_code == 200
    assert program.ask("/customers").status_code == 200


def test_a_slash_at_the_end(server: SandboxServer, program: Program) -> None:
    assert [program.ask(path).status_code for path in ("/customers", "/customers/")] == [200, 200]
    for position, moved, still in (("added", "/customers", "/customers/"), ("removed", "/customers/", "/customers")):
        server.switches(trailing_slash=position)
        answer = program.get(f"{program.base}{moved}?orderBy=name%20desc", allow_redirects=False)
        assert answer.status_code == 301
        assert answer.headers["Location"] == f"{program.base}{still}?orderBy=name%20desc"
        assert program.get(program.base + still, allow_redirects=False).status_code == 200
        # A redirected POST arrives as a GET, and nothing was made.
        assert isinstance(lenient(program.order("POST", moved, TWO).text), list)
        assert program.order("POST", still, TWO).status_code == 200
    assert server.state()["created"]["customers"] == 2


def test_create_answers_200_and_the_customer_and_the_list_has_it(server: SandboxServer, program: Program) -> None:
    body = {"name": "  Bà Tư Ví Dụ ", "taxCode": "0123456789-001", "address": "1 phố Mẫu", "phone": "0000000001"}
    answer = program.order("POST", "/customers", body)
    assert answer.status_code == 200
    customer = answer.json()
    assert customer == {**body, "name": "Bà Tư Ví Dụ", "id": customer["id"]}
    assert records(server)[-1] == customer
    assert lenient(program.ask("/customers").text)[-1]["name"] == "Bà Tư Ví Dụ"
    program.order("POST", "/customers", body)
    state = server.state()
    assert state["created"] == {"customers": 2, "invoices": 0}
    assert state["created_by_tax_code"] == {"0123456789-001": 2}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"taxCode": "0123456789"}, "NAME_REQUIRED"),
        ({"name": " ", "taxCode": "x"}, "NAME_REQUIRED"),
        ({"name": None}, "NAME_REQUIRED"),
        ("null", "NAME_REQUIRED"),
        ({"name": "A"}, "TAXC_REQUIRED"),
        ({"name": "A", "taxCode": ""}, "TAXC_REQUIRED"),
        ({"name": "A", "taxCode": None}, "TAXC_REQUIRED"),
        ({"name": "A", "taxCode": "12345678"}, "TAXC_INVALID"),
        ({"name": "A", "taxCode": "0123456789-1"}, "TAXC_INVALID"),
        ({"name": "A", "taxCode": "012345678x"}, "TAXC_INVALID"),
        ({"name": "A", "taxCode": True}, "TAXC_INVALID"),
        ('{"name":"A","taxCode":012345678.5}', "TAXC_INVALID"),
    ],
)
def test_business_errors_of_create_and_update(server: SandboxServer, program: Program, body: Any, code: str) -> None:
    before = records(server)
    assert refused(program.order("POST", "/customers", body)) == code
    assert refused(program.order("PUT", f"/customers/{before[0]['id']}", body)) == code
    assert records(server) == before


@pytest.mark.parametrize(
    ("literal", "code", "accepted"),
    [
        ('"0123456789"', "0123456789", {"both", "text"}),
        ("0123456789", "0123456789", {"both", "number"}),
        ("123456789", "123456789", {"both", "number"}),
        ('"0123456789-002"', "0123456789-002", {"both", "text"}),
    ],
)
def test_tax_codes_come_as_text_or_as_numbers_that_json_forbids(
    server: SandboxServer, program: Program, literal: str, code: str, accepted: set[str]
) -> None:
    body = r'{"Name": "Số 007, \"taxCode\": 01", "TAXCODE": ' + literal + "}"
    for position in ("both", "text", "number"):
        server.switches(tax_code_accepted=position)
        answer = program.order("POST", "/customers", body)
        if position in accepted:
            assert answer.status_code == 200
            assert records(server)[-1]["taxCode"] == code
            assert records(server)[-1]["name"] == 'Số 007, "taxCode": 01'
        else:
            assert refused(answer) == "TAXC_INVALID"


def test_a_tax_code_twice(server: SandboxServer, program: Program) -> None:
    first = program.order("POST", "/customers", {"name": "A", "taxCode": "0123456789"})
    server.switches(duplicate_tax_code="refused")
    assert refused(program.order("POST", "/customers", {"name": "B", "taxCode": "0123456789"})) == "TAXC_INVALID"
    own = f"/customers/{lenient(first.text)['id']}"
    assert program.order("PUT", own, {"name": "B", "taxCode": "0123456789"}).status_code == 200


@pytest.mark.parametrize("position", ["blank", "keep"])
def test_put_replaces_the_whole_or_keeps_what_is_left_out(
    server: SandboxServer, program: Program, position: str
) -> None:
    server.switches(put_absent=position, tax_code="text")
    old = records(server)[0]
    answer = program.order("PUT", f"/customers/{old['id']}", TWO | {"phone": "0000000002"})
    assert answer.status_code == 200
    address = None if position == "blank" else old["address"]
    assert answer.json() == {"id": old["id"], **TWO, "address": address, "phone": "0000000002"}
    assert records(server)[0] == answer.json()
    assert server.state()["created"]["customers"] == 0


def test_delete_answers_200_with_or_without_a_body(server: SandboxServer, program: Program) -> None:
    server.switches(tax_code="text")
    before = records(server)
    answer = program.order("DELETE", f"/customers/{before[0]['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    server.switches(delete_answer="json")
    answer = program.order("DELETE", f"/customers/{before[1]['id']}")
    assert (answer.status_code, answer.json()) == (200, before[1])
    assert records(server) == before[2:]
    assert program.ask("/customers").json() == before[2:]


def test_a_customer_with_invoices_may_be_refused_to_go(server: SandboxServer, program: Program) -> None:
    server.switches(delete_with_invoices="refused")
    owners = {each["customerId"] for each in records(server, "invoices")}
    ids = [each["id"] for each in records(server)]
    with_some, without = (next(i for i in ids if (i in owners) is has) for has in (True, False))
    assert refused(program.order("DELETE", f"/customers/{with_some}")) == "HAS_INVOICES"
    assert program.order("DELETE", f"/customers/{without}").status_code == 200


@pytest.mark.parametrize("number", ["1", "99999999999999999"])
def test_a_customer_who_is_not_there_is_403_and_not_404(program: Program, number: str) -> None:
    assert refused(program.order("PUT", f"/customers/{number}", {})) == "ID_NOTFOUND"
    assert refused(program.order("DELETE", f"/customers/{number}")) == "ID_NOTFOUND"
    assert refused(program.ask(f"/customers/{number}/invoices")) == "ID_NOTFOUND"


def test_invoices_of_a_customer(server: SandboxServer, program: Program) -> None:
    invoices = records(server, "invoices")
    owner = invoices[0]["customerId"]
    expected = [each for each in invoices if each["customerId"] == owner]
    answer = program.ask(f"/customers/{owner}/invoices")
    assert (answer.status_code, answer.json()) == (200, expected)
    server.switches(invoices_envelope="object", field_names="PascalCase", dates="zone")
    rows = program.ask(f"/customers/{owner}/invoices/").json()["Invoices"]
    assert [each["Date"] for each in rows] == [f"{each['date']}+07:00" for each in expected]
    server.switches(invoices_envelope="array", field_names="camelCase", dates="stamp")
    stamp = program.ask(f"/customers/{owner}/invoices").json()[0]["date"]
    assert len(stamp) == 14
    assert stamp[4:8] == expected[0]["date"][:4]


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", "/nothing", None, "application/json", 404),
        ("GET", "/customers/204005", None, "application/json", 405),
        ("PATCH", "/customers/204005", "{}", "application/json", 405),
        ("DELETE", "/customers", None, "application/json", 405),
        ("POST", "/customers/204005/invoices", "{}", "application/json", 405),
        ("PUT", "/customers/abc", "{}", "application/json", 400),
        ("GET", "/customers/0x1/invoices", None, "application/json", 400),
        ("POST", "/customers", '{"name": ', "application/json", 400),
        ("POST", "/customers", "[]", "application/json", 400),
        ("POST", "/customers", '{"name": ["A"]}', "application/json", 400),
        ("POST", "/customers", "name=A&taxCode=0123456789", "application/x-www-form-urlencoded", 415),
        ("PUT", "/customers/204005", "name=A", "text/plain", 415),
    ],
)
def test_what_the_framework_refuses(
    server: SandboxServer, program: Program, method: str, path: str, body: str | None, kind: str, status: int
) -> None:
    answer = program.order(method, path, body, kind)
    assert (answer.status_code, set(answer.json())) == (status, {"Message"})
    server.switches(error_body="empty")
    answer = program.order(method, path, body, kind)
    assert (answer.status_code, answer.content) == (status, b"")
    server.switches(error_body="html")
    answer = program.order(method, path, body, kind)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (status, "text/html")


def test_outside_of_api_there_is_nothing(program: Program) -> None:
    assert program.get(program.base.removesuffix("/api") + "/customers").status_code == 404


@pytest.mark.parametrize(("position", "status"), [("maintenance", 503), ("broken", 500)])
def test_a_server_in_trouble_shows_a_page(server: SandboxServer, program: Program, position: str, status: int) -> None:
    server.switches(service=position)
    answer = program.ask("/customers")
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (status, "text/html")
    assert f"<title>{status} - " in answer.text
    assert program.token().status_code == 200  # the authentication server stands apart
    server.switches(service="up")
    page = {"status": 503, "body": "<h1>Maintenance</h1>", "content_type": "text/html", "method": "GET"}
    server.faults([{"path": "/customers", **page}, {"path": "/connect/token", "status": 500, "body": "<h1>"}])
    assert program.ask("/customers").text == "<h1>Maintenance</h1>"
    assert [program.ask("/customers").status_code, program.token().status_code] == [200, 500]
