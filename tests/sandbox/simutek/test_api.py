"""Customers over the API of GKS4: the search in all its shapes, single gets, and creations that answer nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.sandbox.simutek.conftest import CUSTOMER, Program
from tests.sandbox_server import SandboxServer

TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00")


def records(server: SandboxServer) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = server.control("records", stream="customers")["records"]
    return rows


def problem(answer: requests.Response, status: int, *fields: str) -> dict[str, Any]:
    """A refusal as problem details that names exactly these fields."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert TRACE.fullmatch(body["traceId"])
    assert set(body.get("errors", {})) == set(fields)
    return body


def numbers(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [customer["number"] for customer in answer.json()["items"]]


def test_all_pages_together_are_all_customers_once(server: SandboxServer, program: Program) -> None:
    everything = records(server)
    assert len(everything) == 230
    first = program.ask("companies").json()
    assert {name: first[name] for name in first if name != "items"} == {"page": 1, "pageSize": 50, "totalCount": 230}
    assert first["items"] == everything[:50]
    pages = [program.ask("companies", page=page, pageSize=100).json()["items"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [100, 100, 30, 0]
    assert [customer for page in pages for customer in page] == everything


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": "x"}, "page"),
        ({"page": -1}, "page"),
        ({"pageSize": 0}, "pageSize"),
        ({"pageSize": 101}, "pageSize"),
        ({"pageSize": ""}, "pageSize"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(program: Program, query: dict[str, Any], field: str) -> None:
    problem(program.ask("companies", **query), 400, field)


def test_a_page_too_large_may_be_capped(server: SandboxServer, program: Program) -> None:
    server.switches(page_too_large="capped")
    assert len(numbers(program.ask("companies", pageSize=1000))) == 100


def test_the_three_filters(server: SandboxServer, program: Program) -> None:
    one = records(server)[2]
    number, name, identity = one["number"], one["name"], one["corporateIdentityNumber"]
    assert numbers(program.ask("companies", customerNumber=number)) == [number]
    assert numbers(program.ask("companies", customerNumber=number[:-1])) == []
    assert numbers(program.ask("companies", name=name[2:].upper())) == [number]
    assert "-" in identity
    for written in (identity, identity.replace("-", ""), f" {identity[:3]} {identity[3:]}"):
        assert numbers(program.ask("companies", corporateIdentityNumber=written)) == [number]
    assert numbers(program.ask("companies", corporateIdentityNumber=identity[:-1])) == []
    assert numbers(program.ask("companies", customerNumber=number, name="nobody at all")) == []
    body = program.ask("companies", name="ab", pageSize=3, page=2).json()
    assert len(body["items"]) == 3
    assert body["totalCount"] == sum("ab" in customer["name"].casefold() for customer in records(server))


def test_two_offices_may_share_an_identity_number(server: SandboxServer, program: Program) -> None:
    shared = records(server)[39]["corporateIdentityNumber"]
    assert "-" not in shared
    assert numbers(program.ask("companies", corporateIdentityNumber=shared)) == ["K100039", "K100040"]


@pytest.mark.parametrize(
    ("names", "other"),
    [
        (("number", "companyName", "orgNumber", "pageNumber"), "short"),
        (("customerNumber", "name", "corporateIdentityNumber", "page"), "long"),
    ],
)
def test_parameters_have_one_set_of_names_at_a_time(
    server: SandboxServer, program: Program, names: tuple[str, ...], other: str
) -> None:
    server.switches(parameter_names=other)
    one = records(server)[2]
    values = (one["number"], one["name"], one["corporateIdentityNumber"], "3")
    for name, value in zip(names[:3], values, strict=False):
        assert numbers(program.ask("companies", **{name: value})) == [one["number"]]
    assert numbers(program.ask("companies", pageSize=1, **{names[3]: 3})) == [one["number"]]
    server.switches(parameter_names="short" if other == "long" else "long")
    for name, value in zip(names, values, strict=True):
        assert len(numbers(program.ask("companies", **{name: value}))) == 50, "the other names mean nothing"
    server.switches(unknown_parameters="refused")
    problem(program.ask("companies", **{names[3]: 3}), 400, names[3])


def test_the_search_stands_at_one_path_at_a_time(server: SandboxServer, program: Program) -> None:
    assert program.ask("companies").status_code == 200
    assert program.ask("customers").status_code == 404
    server.switches(list_path="customers")
    assert program.ask("customers").status_code == 200
    assert program.ask("companies").status_code == 404
    assert program.ask("customers/K100001").status_code == 200


def test_the_envelope_has_five_shapes(server: SandboxServer, program: Program) -> None:
    items = program.ask("companies", pageSize=2).json()["items"]
    for name in ("data", "results", "value"):
        server.switches(list_envelope=name)
        assert program.ask("companies", pageSize=2).json() == {name: items}
    server.switches(list_envelope="array")
    assert program.ask("companies", pageSize=2).json() == items


def test_a_total_may_be_of_the_page_or_missing(server: SandboxServer, program: Program) -> None:
    server.switches(total_count="page")
    assert program.ask("companies", pageSize=7).json()["totalCount"] == 7
    server.switches(total_count="missing")
    assert "totalCount" not in program.ask("companies").json()


def test_one_customer_by_number(server: SandboxServer, program: Program) -> None:
    answer = program.ask("customers/K100002")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == records(server)[1]
    problem(program.ask("customers/K999999"), 404)
    assert program.ask("nonsense/K100002").content == b""


def test_invented_customers_have_the_quirks_of_the_document(server: SandboxServer) -> None:
    everything = records(server)
    assert any(customer["invoiceEmail"] is None for customer in everything)
    assert any(customer["postalAddress"] is None for customer in everything)
    addresses = [customer["postalAddress"] for customer in everything if customer["postalAddress"]]
    assert {address["countryCode"] for address in addresses} == {"SE", "NO"}
    assert any(" " in address["zipCode"] for address in addresses)
    assert any("-" not in customer["corporateIdentityNumber"] for customer in everything)
    assert any(customer["name"] != customer["name"].strip() for customer in everything)


def test_fields_may_be_more_or_fewer(server: SandboxServer, program: Program) -> None:
    without_mail = program.ask("customers/K100007").json()
    assert without_mail["invoiceEmail"] is None
    server.switches(empty_fields="absent", extra_fields="on")
    customer = program.ask("customers/K100007").json()
    assert "invoiceEmail" not in customer
    assert "address3" not in customer["postalAddress"]
    assert set(customer) - set(without_mail) == {"customerCategory", "isBlocked", "paymentTermsDays", "tags"}
    assert program.ask("companies", customerNumber="K100007").json()["items"] == [customer]


def test_a_customer_is_created_without_a_word(server: SandboxServer, program: Program) -> None:
    answer = program.create("customers", CUSTOMER | {"unheardOf": 1})
    assert (answer.status_code, answer.content) == (200, b"")
    assert "Content-Type" not in answer.headers
    customer = program.ask("customers/WEB-1").json()
    assert customer == records(server)[-1]
    address = dict.fromkeys(("address1", "address2", "address3", "city", "zipCode", "state", "countryCode"))
    assert customer == CUSTOMER | {"postalAddress": address | dict(CUSTOMER["postalAddress"])}
    assert server.state()["created"] == {"customers": 1, "salesorders": 0}


@pytest.mark.parametrize("status", [201, 204])
def test_a_creation_may_answer_otherwise(server: SandboxServer, program: Program, status: int) -> None:
    server.switches(created_status=str(status))
    answer = program.create("customers", CUSTOMER)
    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 7}, "name"),
        ({"number": ""}, "number"),
        ({"number": 7}, "number"),
        ({"invoiceEmail": "no address"}, "invoiceEmail"),
        ({"corporateIdentityNumber": None}, "corporateIdentityNumber"),
        ({"corporateIdentityNumber": "12"}, "corporateIdentityNumber"),
        ({"postalAddress": "Exempelvägen 8"}, "postalAddress"),
        ({"postalAddress": {"countryCode": "Sweden"}}, "postalAddress.countryCode"),
        ({"postalAddress": {"zipCode": 12345}}, "postalAddress.zipCode"),
    ],
)
def test_a_wrong_customer_is_refused_at_its_field(
    server: SandboxServer, program: Program, change: dict[str, Any], field: str
) -> None:
    problem(program.create("customers", CUSTOMER | change), 400, field)
    assert server.state()["created"]["customers"] == 0
    assert len(records(server)) == 230


@pytest.mark.parametrize("key", ["name", "number", "invoiceEmail", "corporateIdentityNumber"])
def test_required_keys_must_be_there_even_where_null_is_allowed(program: Program, key: str) -> None:
    problem(program.create("customers", {name: CUSTOMER[name] for name in CUSTOMER if name != key}), 400, key)


def test_null_is_allowed_where_the_document_says_so(program: Program) -> None:
    body = CUSTOMER | {"invoiceEmail": None, "postalAddress": None}
    assert program.create("customers", body).status_code == 200
    assert program.ask("customers/WEB-1").json() == body


@pytest.mark.parametrize("body", ["", "[]", "null", "{", '"text"'])
def test_a_body_that_is_no_object_is_refused(program: Program, body: str) -> None:
    problem(program.post(program.setup["api_url"] + "/api/v1/customers", data=body, timeout=10), 400, "$")


def test_a_number_is_given_once(server: SandboxServer, program: Program) -> None:
    problem(program.create("customers", CUSTOMER | {"number": "K100001"}), 400, "number")
    server.switches(duplicate_number="409")
    problem(program.create("customers", CUSTOMER | {"number": "K100001"}), 409, "number")
    assert server.state()["created"]["customers"] == 0


def test_a_null_number_is_given_by_gks_or_refused(server: SandboxServer, program: Program) -> None:
    assert program.create("customers", CUSTOMER | {"number": "K100231"}).status_code == 200
    assert program.create("customers", CUSTOMER | {"number": None}).status_code == 200
    assert [customer["number"] for customer in records(server)[-2:]] == ["K100231", "K100232"]
    body = program.ask("companies", corporateIdentityNumber=CUSTOMER["corporateIdentityNumber"])
    assert numbers(body) == ["K100231", "K100232"]
    server.switches(null_number="refused")
    problem(program.create("customers", CUSTOMER | {"number": None}), 400, "number")


def test_a_refusal_may_be_text_or_empty(server: SandboxServer, program: Program) -> None:
    server.switches(error_body="text")
    for answer, part in (
        (program.create("customers", {**CUSTOMER, "name": None}), "name"),
        (program.ask("customers/K999999"), "no customer"),
        (program.ask("companies", pageSize=101), "page size"),
    ):
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert part in answer.text
    server.switches(error_body="empty")
    answer = program.create("customers", {})
    assert (answer.status_code, answer.content) == (400, b"")
    assert "Content-Type" not in answer.headers
