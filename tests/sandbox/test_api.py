"""Procountor's simulator: versions, who am I, lists, batches, rights, and the gateway in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Caller
from tests.sandbox_server import SandboxServer

Entered = Callable[..., Caller]
LISTS = {"partners": "/businesspartners", "invoices": "/invoices"}


def ids(answer: requests.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [record["id"] for record in answer.json()["results"]]


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ("/api", 200),
        ("/latest/api", 200),
        ("/supported/api", 200),
        ("/v2604/api", 200),
        ("/v1901/api", 404),
        ("/newest/api", 404),
        ("", 404),
    ],
)
def test_only_known_versions_answer(server: SandboxServer, caller: Caller, base: str, status: int) -> None:
    answer = caller.get(server.api.removesuffix("/api") + base + "/status", timeout=10)
    assert answer.status_code == status
    assert answer.json().get("status") == "OK" if status == 200 else answer.json()["errors"][0]["status"] == 404


def test_without_a_token_everything_but_status_is_closed(server: SandboxServer, caller: Caller) -> None:
    assert caller.ask("/status").status_code == 200
    for path in ("/sessioninfo", "/company", "/users/rights", "/businesspartners", "/invoices", "/invoices/1"):
        answer = caller.ask(path)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["status"] == 401
    caller.headers["Authorization"] = "Bearer nonsense"
    assert caller.ask("/sessioninfo").status_code == 401


def test_the_session_tells_company_and_user(entered: Entered) -> None:
    caller = entered(name="Aamu Oy Portal API")
    session = caller.ask("/sessioninfo").json()
    assert (session["companyId"], session["userId"]) == (caller.setup["company_id"], caller.setup["user_id"])
    assert (session["name"], session["userName"]) == ("Aamu Oy", "Aamu Oy Portal API")
    company = caller.ask("/company").json()
    assert (company["id"], company["name"]) == (session["companyId"], session["name"])


def test_rights_are_told_by_section(server: SandboxServer, entered: Entered) -> None:
    caller = entered(rights={"sales.personalSalesInvoicesOnly": True, "sales.productRegister": "NOT_ENABLED"})
    rights = caller.ask("/users/rights").json()
    assert rights["role"] == "Customised"
    assert rights["rights"]["sales"] == {
        "salesInvoiceSearch": "VIEWING_RIGHTS",
        "customerRegister": "VIEWING_RIGHTS",
        "productRegister": "NOT_ENABLED",
        "personalSalesInvoicesOnly": True,
    }
    assert rights["rights"]["accounting"]["journalReceiptSearch"] == "VIEWING_RIGHTS"
    assert rights["rights"]["user"]["blockSoloLoginToProcountor"] is False
    server.switches(solo_login_block="m2m_only")
    assert caller.ask("/users/rights").json()["rights"]["user"]["blockSoloLoginToProcountor"] is True


@pytest.mark.parametrize("stream", ["partners", "invoices"])
@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_both_ways_of_paging_give_every_record_once(
    server: SandboxServer, entered: Entered, stream: str, order: str
) -> None:
    caller, path = entered(), LISTS[stream]
    expected = server.records(stream)
    assert len(expected) == {"partners": 250, "invoices": 450}[stream]
    assert [record["id"] for record in expected] == sorted(record["id"] for record in expected)
    ordered = expected if order == "ASC" else expected[::-1]

    by_page: list[dict[str, Any]] = []
    for number in range(10):
        body = caller.ask(path, size=120, page=number, orderById=order).json()
        assert body["meta"] == {
            "pageNumber": number,
            "pageSize": 120,
            "resultCount": len(body["results"]),
            "totalCount": len(ordered),
        }
        by_page += body["results"]
    assert by_page == ordered

    by_id = caller.ask(path, size=200, orderById=order).json()["results"]
    for _ in range(3):
        by_id += caller.ask(path, size=200, orderById=order, previousId=by_id[-1]["id"]).json()["results"]
    assert by_id == ordered


def test_a_list_without_words_is_the_newest_fifty(server: SandboxServer, entered: Entered) -> None:
    newest = [record["id"] for record in server.records("invoices")][:-51:-1]
    assert ids(entered().ask("/invoices")) == newest


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("size", "201"),
        ("size", "0"),
        ("size", "many"),
        ("page", "-1"),
        ("orderById", "UP"),
        ("versionStartDate", "2025-01-01T00:00:00Z"),
        ("versionEndDate", "2025-02-30T00:00:00"),
        ("startDate", "1.2.2025"),
        ("types", "LOVE_LETTER"),
        ("previousId", "x"),
    ],
)
def test_a_wrong_parameter_is_400_and_named(entered: Entered, parameter: str, value: str) -> None:
    answer = entered().ask("/invoices", **{parameter: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == parameter


def test_total_count_can_be_held_back(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    server.switches(total_count=False)
    assert set(caller.ask("/invoices").json()["meta"]) == {"pageNumber", "pageSize", "resultCount"}


def test_inactive_partners_are_hidden_unless_asked_for(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    hidden = [record["id"] for record in server.records("partners", active="false")]
    assert len(hidden) == 10
    assert not set(hidden) & {record["id"] for record in server.records("partners")}
    assert ids(caller.ask("/businesspartners", active="false")) == hidden[::-1]
    first = server.records("partners")[0]["id"]
    server.touch("partners", [first], active=False)
    assert first not in [record["id"] for record in server.records("partners")]
    assert caller.ask(f"/businesspartners/{first}").json()["registryInfo"]["active"] is False


def test_filters_narrow_the_list(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    everything = server.records("invoices")
    cases: tuple[tuple[dict[str, str], Callable[[dict[str, Any]], bool]], ...] = (
        ({"status": "PAID"}, lambda r: r["status"] == "PAID"),
        ({"types": "SALES_ORDER,PURCHASE_INVOICE"}, lambda r: r["type"] != "SALES_INVOICE"),
        ({"startDate": "2024-05-01", "endDate": "2024-05-31"}, lambda r: r["date"].startswith("2024-05")),
    )
    for parameters, matches in cases:
        expected = [record["id"] for record in everything if matches(record)]
        assert 0 < len(expected) < len(everything)
        assert ids(caller.ask("/invoices", size=200, orderById="ASC", **parameters)) == expected[:200]
    suppliers = [record["id"] for record in server.records("partners") if record["type"] == "SUPPLIER"]
    assert ids(caller.ask("/businesspartners", size=200, orderById="ASC", type="SUPPLIER")) == suppliers


def test_changed_records_are_found_by_their_version(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    chosen = [record["id"] for record in server.records("invoices")][3:6]
    before = {record["id"]: record for record in server.records("invoices")}
    version = server.touch("invoices", chosen)
    answer = caller.ask("/invoices", versionStartDate=version, orderByVersion="ASC")
    assert ids(answer) == chosen
    assert all(record["version"] == version for record in answer.json()["results"])
    assert all(record["newDueDate"] != before[record["id"]]["newDueDate"] for record in answer.json()["results"])
    assert ids(caller.ask("/invoices", versionEndDate=version, size=200, page=2)) == ids(
        caller.ask("/invoices", size=200, page=2)
    )
    server.switches(version_bounds="exclusive")
    assert ids(caller.ask("/invoices", versionStartDate=version)) == []


def test_ordering_by_version_reaches_every_record(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    records = [
        r for n in range(3) for r in caller.ask("/invoices", size=200, page=n, orderByVersion="ASC").json()["results"]
    ]
    assert len(records) == 450
    assert [record["version"] for record in records] == sorted(
        record["version"] for record in server.records("invoices")
    )


@pytest.mark.parametrize("stream", ["partners", "invoices"])
def test_getting_by_id_is_an_object_or_an_array(server: SandboxServer, entered: Entered, stream: str) -> None:
    caller, path = entered(), LISTS[stream]
    listed = server.records(stream)
    one, two = listed[0]["id"], listed[1]["id"]
    single = caller.ask(f"{path}/{one}").json()
    assert {key: single[key] for key in ("id", "type", "version")} == {
        k: listed[0][k] for k in ("id", "type", "version")
    }
    assert "paymentInfo" in single
    assert [record["id"] for record in caller.ask(f"{path}/{two},{one},{two},999999").json()] == [one, two]
    assert [record["id"] for record in caller.ask(f"{path}/{one},999999").json()] == [one]
    assert caller.ask(f"{path}/999999").status_code == 404
    assert caller.ask(f"{path}/{','.join(map(str, range(201)))}").status_code == 400
    assert caller.ask(f"{path}/abc").status_code == 400


def test_companies_share_ids_but_no_records(server: SandboxServer, entered: Entered) -> None:
    main, second, _third = server.state()["companies"]
    other = entered(second["id"])
    mine, theirs = server.records("partners"), server.records("partners", second["id"])
    assert (len(theirs), len(server.records("invoices", second["id"]))) == (30, 40)
    assert {r["id"] for r in mine} & {r["id"] for r in theirs}
    assert not {r["name"] for r in mine} & {r["name"] for r in theirs}
    assert other.ask("/sessioninfo").json()["companyId"] == second["id"] != main["id"]
    assert ids(other.ask("/businesspartners", orderById="ASC")) == [r["id"] for r in theirs]


def test_a_missing_right_is_403_or_an_empty_list(server: SandboxServer, entered: Entered) -> None:
    caller = entered(preset="nothing")
    for path in ("/invoices", "/businesspartners", "/invoices/90000,90001"):
        answer = caller.ask(path)
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["status"] == 403
    server.switches(missing_right="empty")
    assert ids(caller.ask("/invoices")) == []
    server.change_user(
        caller.setup["user_id"], preset="nothing", rights={"sales.salesInvoiceSearch": "VIEWING_RIGHTS"}
    )
    body = caller.ask("/invoices", size=200).json()
    assert {record["type"] for record in body["results"]} == {"SALES_INVOICE", "SALES_ORDER"}
    assert ids(caller.ask("/invoices", types="PURCHASE_INVOICE")) == []


def test_personal_invoices_only_narrows_without_a_word(entered: Entered) -> None:
    caller = entered(rights={"sales.personalSalesInvoicesOnly": True})
    body = caller.ask("/invoices", size=200).json()
    assert {record["type"] for record in body["results"]} == {"PURCHASE_INVOICE"}


def test_the_gateway_refuses_a_get_with_a_body(entered: Entered) -> None:
    caller = entered()
    answer = caller.get(caller.server.api + "/invoices", data="{}", timeout=10)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")


def test_the_rate_is_counted_and_refused_only_when_told_to(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    assert {caller.ask("/sessioninfo").status_code for _ in range(80)} == {200}
    assert server.state()["peak_per_second"] > 60
    server.switches(over_the_rate="429")
    statuses = [caller.ask("/sessioninfo").status_code for _ in range(120)]
    assert 429 in statuses
    assert not [name for name in caller.ask("/sessioninfo").headers if "rate" in name.lower()]


def test_a_request_id_comes_only_when_told_to(server: SandboxServer, caller: Caller) -> None:
    assert "X-Request-Id" not in caller.ask("/status").headers
    server.switches(request_id_header=True)
    assert len(caller.ask("/status").headers["X-Request-Id"]) == 32
