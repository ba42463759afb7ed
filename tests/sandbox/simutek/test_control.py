"""The control API of the simulated Simutek, what it logs, and what outlives a restart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.simutek.conftest import CUSTOMER, ORDER, Program
from tests.sandbox.simutek.test_api import numbers, records
from tests.sandbox_server import SandboxRefused, SandboxServer


@pytest.mark.parametrize("count", [0, 1, 100, 229, 231, 300])
def test_the_register_can_have_any_size(server: SandboxServer, program: Program, count: int) -> None:
    before = records(server)
    assert server.control("records", {"stream": "customers", "count": count}) == {"count": count}
    after = records(server)
    assert len(after) == count
    assert after[:230] == before[:count]
    assert program.ask("companies", pageSize=1).json()["totalCount"] == count
    assert len({customer["number"] for customer in after}) == count


def test_touching_changes_and_removing_deletes(server: SandboxServer, program: Program) -> None:
    before = {customer["number"]: customer for customer in records(server)}
    server.control("touch", {"stream": "customers", "ids": ["K100003", "K100007"]})
    once = {customer["number"]: customer for customer in records(server)}
    assert {number for number in before if once[number] != before[number]} == {"K100003", "K100007"}
    server.control("touch", {"stream": "customers", "ids": ["K100003"]})
    assert program.ask("customers/K100003").json() not in (before["K100003"], once["K100003"])
    server.control("remove", {"stream": "customers", "ids": ["K100003"]})
    assert program.ask("customers/K100003").status_code == 404
    assert numbers(program.ask("companies", customerNumber="K100003")) == []
    assert len(records(server)) == 229
    server.control("records", {"stream": "customers", "count": 230})
    assert "K100003" not in {customer["number"] for customer in records(server)}, "a number is not given again"


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("setup", {"resources": ["invoices"]}),
        ("setup", {"resources": []}),
        ("setup", {"name": " "}),
        ("revoke", {"client_id": "nobody"}),
        ("records", {"stream": "salesorders", "count": 1}),
        ("records", {"stream": "customers", "count": -1}),
        ("records", {"stream": "customers"}),
        ("touch", {"stream": "customers", "ids": ["K100001", "K999999"]}),
        ("touch", {"stream": "partners", "ids": []}),
        ("remove", {"stream": "customers", "ids": ["K100001", "K999999"]}),
        ("remove", {"stream": "customers"}),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(server: SandboxServer, what: str, order: dict[str, Any]) -> None:
    before = (records(server), server.state() | {"now": ""})
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control(what, order)
    assert (records(server), server.state() | {"now": ""}) == before


def test_reset_is_the_first_day_again(server: SandboxServer, program: Program) -> None:
    first = records(server)
    program.create("customers", CUSTOMER)
    program.create("salesorders", ORDER)
    server.control("touch", {"stream": "customers", "ids": ["K100001"]})
    server.switches(list_envelope="array", token_scope=False)
    server.reset()
    assert records(server) == first
    state = server.state()
    assert program.ask("companies").status_code == 401
    assert state["created"] == {"customers": 0, "salesorders": 0}
    assert server.control("orders")["count"] == 0
    assert (state["switches"]["list_envelope"], state["switches"]["token_scope"]) == ("items", "on")
    assert state["calls"] == 0


def test_faults_and_counts_go_by_path(server: SandboxServer, program: Program) -> None:
    server.faults([{"path": "/api/v1/customers/{customerNumber}", "status": 500, "times": 1}])
    assert program.ask("companies").status_code == 200
    assert [program.ask("customers/K100001").status_code for _ in range(2)] == [500, 200]
    counted = server.state()
    assert counted["calls_by_operation"] == {
        "POST /connect/token": 1,
        "GET /api/v1/companies": 1,
        "GET /api/v1/customers/{customerNumber}": 2,
    }
    assert counted["tokens_issued"] == 1


def test_nothing_secret_and_no_customer_stands_in_what_was_asked(server: SandboxServer, program: Program) -> None:
    secret, token = program.setup["credentials"]["client_secret"], str(program.headers["Authorization"]).split()[1]
    program.token(client_secret="a wrong one that nobody may read")
    program.ask("companies", customerNumber="K100001", page=2, access_token=token, **{secret: "x"})
    program.ask("customers/K100002")
    program.ask(f"customers/{token}")
    program.ask(secret)
    program.create("customers", CUSTOMER | {"name": None})
    page = requests.get(f"{server.ui}/simutek/calls", timeout=10).text
    assert "/api/v1/customers/{customerNumber}" in page
    assert "page=2" in page
    for hidden in (secret, token, "a wrong one", "K100001", "K100002", CUSTOMER["corporateIdentityNumber"]):
        assert hidden not in page
        assert hidden not in server.output()
        assert hidden not in str(server.state())
    store = b"".join(path.read_bytes() for path in server.state_dir.glob("simutek.sqlite3*"))
    assert secret.encode() not in store
    assert token.encode() not in store


def test_a_trace_id_is_found_in_what_was_asked(server: SandboxServer, program: Program) -> None:
    trace = program.ask("customers/K999999").json()["traceId"]
    assert trace in requests.get(f"{server.ui}/simutek/calls", timeout=10).text


def test_many_at_once_get_a_number_each(server: SandboxServer, program: Program) -> None:
    together = threading.Barrier(12)

    def create(_: int) -> int:
        together.wait(20)
        url = program.setup["api_url"] + "/api/v1/customers"
        body = CUSTOMER | {"number": None}
        return requests.post(url, json=body, headers=dict(program.headers), verify=server.ca, timeout=20).status_code

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(create, range(12))) == [200] * 12
    assert [customer["number"] for customer in records(server)[230:]] == [f"K{100_231 + place}" for place in range(12)]
    assert server.state()["created"]["customers"] == 12


@pytest.mark.process
def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, simulator="simutek") as server, Program(server) as program:
        program.enter().create("customers", CUSTOMER)
        program.create("salesorders", ORDER)
        server.control("touch", {"stream": "customers", "ids": ["K100001"]})
        server.control("remove", {"stream": "customers", "ids": ["K100002"]})
        before = records(server)
        server.kill()
        server.start()
        assert records(server) == before
        assert program.ask("customers/WEB-1").status_code == 200
        assert program.token().status_code == 200
        state = server.state()
        assert state["created"] == {"customers": 1, "salesorders": 1}
        server.stop()
        server.records_size = "demo"
        server.start()
        assert len(records(server)) == 1480
