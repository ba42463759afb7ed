"""Sales orders over the API of GKS4: they come in, nothing comes back, and no call looks one up."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.simutek.conftest import ORDER, Program
from tests.sandbox.simutek.test_api import problem
from tests.sandbox_server import SandboxServer


def received(server: SandboxServer, reference: str = "ref-1") -> list[dict[str, Any]]:
    answer = server.control("orders", purchaseOrderNumber=reference)
    assert answer["count"] == len(answer["orders"])
    orders: list[dict[str, Any]] = answer["orders"]
    return orders


def test_an_order_comes_in_without_a_word(server: SandboxServer, program: Program) -> None:
    answer = program.create("salesorders", ORDER)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "Content-Type" not in answer.headers
    (order,) = received(server)
    assert {name: order[name] for name in ("customerNumber", "name", "preferredLanguage", "rows")} == {
        name: ORDER[name] for name in ("customerNumber", "name", "preferredLanguage", "rows")
    }
    assert order["clientId"] == program.setup["credentials"]["client_id"]
    assert received(server, "ref") == []


def test_no_call_looks_an_order_up(server: SandboxServer, program: Program) -> None:
    program.create("salesorders", ORDER)
    number = received(server)[0]["number"]
    assert program.ask("salesorders").status_code == 405
    assert program.ask(f"salesorders/{number}").status_code == 404


def test_the_same_order_twice_is_two_orders(server: SandboxServer, program: Program) -> None:
    for _ in range(2):
        program.create("salesorders", ORDER)
    program.create("salesorders", ORDER | {"purchaseOrderNumber": "ref-2"})
    assert len(received(server)) == 2
    assert server.control("orders")["count"] == 3
    assert server.state()["created"]["salesorders"] == 3


@pytest.mark.parametrize(("cut", "came_in"), [("before", 0), ("after", 1)])
def test_a_cut_leaves_the_caller_unsure(server: SandboxServer, program: Program, cut: str, came_in: int) -> None:
    server.faults([{"path": "/api/v1/salesorders", "method": "POST", "cut": cut}])
    with pytest.raises(requests.ConnectionError):
        program.create("salesorders", ORDER)
    assert len(received(server)) == came_in


def test_only_the_buyer_is_needed(server: SandboxServer, program: Program) -> None:
    assert program.create("salesorders", {"customerNumber": "K100001"}).status_code == 200
    (order,) = server.control("orders")["orders"]
    assert (order["name"], order["rows"], order["purchaseOrderNumber"]) == ("Webshop order", [], None)


def test_an_unknown_buyer_is_404_and_a_wrong_order_400_before_that(server: SandboxServer, program: Program) -> None:
    body = problem(program.create("salesorders", ORDER | {"customerNumber": "K999999"}), 404)
    assert body["title"] == "Not Found"
    problem(program.create("salesorders", ORDER | {"customerNumber": "K999999", "currency": "kr"}), 400, "currency")
    server.control("remove", {"stream": "customers", "ids": ["K100001"]})
    problem(program.create("salesorders", ORDER), 404)
    assert received(server) == []


@pytest.mark.parametrize("language", ["sv", "no", "en", None])
def test_three_languages_or_none(program: Program, language: str | None) -> None:
    assert program.create("salesorders", ORDER | {"preferredLanguage": language}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customerNumber": None}, "customerNumber"),
        ({"customerNumber": 100001}, "customerNumber"),
        ({"preferredLanguage": "fi"}, "preferredLanguage"),
        ({"preferredLanguage": "SV"}, "preferredLanguage"),
        ({"currency": "kronor"}, "currency"),
        ({"purchaseOrderNumber": 5}, "purchaseOrderNumber"),
        ({"contact": {"phone": "070 000 00 00"}}, "contact.phone"),
        ({"contact": {"email": "nobody"}}, "contact.email"),
        ({"deliveryAddress": {"countryCode": "se"}}, "deliveryAddress.countryCode"),
        ({"rows": "one"}, "rows"),
        ({"rows": [{"specification": "x", "quantity": "1", "unitPrice": 1}]}, "rows[0].quantity"),
        ({"rows": [{"specification": "x", "quantity": 1, "unitPrice": True}]}, "rows[0].unitPrice"),
        ({"rows": [{"quantity": 1, "unitPrice": 1}]}, "rows[0].specification"),
    ],
)
def test_a_wrong_order_is_refused_at_its_field(
    server: SandboxServer, program: Program, change: dict[str, Any], field: str
) -> None:
    problem(program.create("salesorders", ORDER | change), 400, field)
    assert server.control("orders")["count"] == 0


def test_the_obsolete_date_is_ignored_or_refused(server: SandboxServer, program: Program) -> None:
    dated = ORDER | {"purchaseDate": "2025-01-31"}
    assert program.create("salesorders", dated).status_code == 200
    assert "purchaseDate" not in received(server)[0]
    server.switches(purchase_date="refused")
    problem(program.create("salesorders", dated), 400, "purchaseDate")
    problem(program.create("salesorders", ORDER | {"purchaseDate": None}), 400, "purchaseDate")
    assert program.create("salesorders", ORDER).status_code == 200


@pytest.mark.parametrize(("switch", "field"), [("order_rows", "rows"), ("order_currency", "currency")])
def test_rows_and_currency_may_be_needed(server: SandboxServer, program: Program, switch: str, field: str) -> None:
    without = {name: value for name, value in ORDER.items() if name != field}
    assert program.create("salesorders", without).status_code == 200
    server.switches(**{switch: "required"})
    problem(program.create("salesorders", without), 400, field)
    assert program.create("salesorders", ORDER).status_code == 200


def test_orders_come_in_at_one_path_at_a_time(server: SandboxServer, program: Program) -> None:
    assert program.create("orders", ORDER).status_code == 404
    server.switches(order_path="orders")
    assert program.create("salesorders", ORDER).status_code == 404
    assert program.create("orders", ORDER).status_code == 200
    assert len(received(server)) == 1
