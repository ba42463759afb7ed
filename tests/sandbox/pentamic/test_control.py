"""The control orders that only this simulator has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.pentamic.conftest import Program, lenient
from tests.sandbox_server import SandboxRefused, SandboxServer


def records(server: SandboxServer, stream: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = server.control("records", stream=stream, **query)["records"]
    assert [each["id"] for each in rows] == sorted(each["id"] for each in rows)
    return rows


def test_setup_tells_what_the_customer_types_and_nothing_belongs_to_the_portal(server: SandboxServer) -> None:
    setup = server.control("setup", {})
    assert set(setup["credentials"]) == {"client_id", "client_secret", "scope"}
    assert setup["credentials"]["scope"] == "pa-api"
    hosts = server.hosts["pentamic"]
    assert setup["api_url"] == hosts["api"]
    assert setup["plain_url"] == hosts["plain"]
    assert f"{setup['auth_url']}/connect/token" == hosts["token"]
    assert server.client == {}
    assert "ca" not in hosts


@pytest.mark.parametrize("count", [0, 7, 180, 205])
def test_the_list_holds_as_many_customers_as_ordered(server: SandboxServer, program: Program, count: int) -> None:
    before = records(server, "customers")
    server.control("records", {"stream": "customers", "count": count})
    after = records(server, "customers")
    assert len(after) == count == len(lenient(program.ask("/customers").text))
    assert after[: len(before)] == before[:count]
    assert server.state()["created"]["customers"] == 0


def test_invoices_of_one_customer_or_of_all(server: SandboxServer, program: Program) -> None:
    owner = records(server, "customers")[5]["id"]
    before = len(records(server, "invoices"))
    own = len(records(server, "invoices", customer=owner))
    server.control("records", {"stream": "invoices", "count": 40, "customer": owner})
    assert len(program.ask(f"/customers/{owner}/invoices").json()) == 40
    assert len(records(server, "invoices")) == before - own + 40
    server.control("records", {"stream": "invoices", "count": 3})
    assert len(records(server, "invoices")) == 3
    server.control("records", {"stream": "invoices", "count": 500})
    assert len(records(server, "invoices")) == 500


def test_touch_changes_and_remove_deletes(server: SandboxServer, program: Program) -> None:
    customers, invoices = records(server, "customers"), records(server, "invoices")
    program.ask("/customers")
    for _ in range(2):
        before = records(server, "customers")
        server.control("touch", {"stream": "customers", "ids": [customers[1]["id"]]})
        after = records(server, "customers")
        assert [a["id"] for a, b in zip(after, before, strict=True) if a != b] == [customers[1]["id"]]
    assert lenient(program.ask("/customers").text)[1]["address"] == after[1]["address"]
    server.control("touch", {"stream": "invoices", "ids": [invoices[0]["id"]]})
    assert records(server, "invoices")[0]["total"] == invoices[0]["total"] + 1000
    server.control("remove", {"stream": "invoices", "ids": [invoices[0]["id"]]})
    assert records(server, "invoices") == invoices[1:]
    server.control("remove", {"stream": "customers", "ids": [customers[0]["id"], customers[2]["id"]]})
    assert [each["id"] for each in records(server, "customers")] == [
        c["id"] for c in customers if c not in customers[:3:2]
    ]
    assert len(lenient(program.ask("/customers").text)) == 178


def test_a_company_has_its_own_books(server: SandboxServer) -> None:
    other = records(server, "customers", company=502)
    server.control("records", {"stream": "customers", "count": 3, "company": 502})
    assert records(server, "customers", company=502) == other[:3]
    assert len(records(server, "customers")) == 180


def test_reset_takes_everything_back_but_the_certificates(server: SandboxServer, program: Program) -> None:
    before, fingerprints = records(server, "customers"), server.state()["fingerprints"]
    program.order("POST", "/customers", {"name": "A", "taxCode": "0123456789"})
    server.control("touch", {"stream": "customers", "ids": [before[0]["id"]]})
    server.switches(service="maintenance")
    server.reset()
    assert records(server, "customers") == before
    state = server.state()
    assert (state["created"]["customers"], state["live_access_tokens"], state["live_refresh_tokens"]) == (0, 0, 0)
    assert state["fingerprints"] == fingerprints
    assert program.ask("/customers").status_code == 401
    assert program.token().json() == {"error": "invalid_client"}


def test_one_client_may_be_revoked_alone_and_scopes_narrowed(server: SandboxServer) -> None:
    with Program(server) as first, Program(server) as second:
        ident = first.setup["credentials"]["client_id"]
        assert server.control("revoke", {"client_id": ident}) == {"revoked": 1}
        assert [first.token().status_code, second.token().status_code] == [400, 200]
        ident = second.setup["credentials"]["client_id"]
        server.control("client", {"client_id": ident, "scopes": ["pa-reports"]})
        assert second.token().json() == {"error": "invalid_scope"}
        assert second.token(scope="pa-reports").status_code == 200


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("setup", {"company": 1}),
        ("setup", {"scopes": ["nonsense"]}),
        ("setup", {"scopes": []}),
        ("setup", {"name": " "}),
        ("client", {"client_id": "nobody"}),
        ("client", {}),
        ("revoke", {"client_id": "nobody"}),
        ("certificate", {}),
        ("records", {"stream": "nonsense", "count": 1}),
        ("records", {"stream": "customers", "count": -1}),
        ("records", {"stream": "customers"}),
        ("records", {"stream": "invoices", "count": 1, "customer": 1}),
        ("touch", {"stream": "customers", "ids": [1]}),
        ("remove", {"stream": "invoices", "ids": [999_999_999]}),
        ("switches", {"tax_code": "nonsense"}),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(server: SandboxServer, what: str, order: dict[str, Any]) -> None:
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control(what, order)
