"""Writing partners, products and ledger receipts; what all bodies have in common."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.procountor.conftest import Software, errors
from tests.sandbox_server import SandboxServer

ADDRESS = {"name": "Uusi Kumppani Oy", "street": "Keksitty katu 5", "zip": "00001", "city": "MALLILA"}
PARTNER: dict[str, Any] = {
    "name": "Uusi Kumppani Oy",
    "type": "CUSTOMER",
    "address": ADDRESS,
    "invoicingInfo": {"customerNumber": "OUR-77", "email": "uusi@example.com"},
    "paymentInfo": {"paymentMethod": "BANK_TRANSFER", "paymentTermDays": "14"},
}
PRODUCT: dict[str, Any] = {
    "type": "SALES",
    "name": "Tunti",
    "code": "OUR-H1",
    "unit": "HOUR",
    "discount": 0,
    "price": 120.5,
    "vat": 25.5,
    "active": True,
    "currency": "EUR",
}
ROW: dict[str, Any] = {"transactionType": "ENTRY", "account": "1000", "accountingValue": 100.1, "vatPercent": 0}
RECEIPT: dict[str, Any] = {
    "type": "JOURNAL",
    "name": "OUR-R1",
    "receiptDate": "2026-02-03",
    "vatType": "SALES",
    "vatStatus": 1,
    "transactions": [ROW, {**ROW, "account": "1001", "accountingValue": -100.1}],
}
CASES = [("/businesspartners", PARTNER), ("/products", PRODUCT), ("/ledgerreceipts", RECEIPT)]


def create(writer: Software, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = writer.call("POST", path, body)
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created


@pytest.mark.parametrize(("path", "body"), CASES)
def test_a_new_record_answers_200_and_stands_in_the_list(
    server: SandboxServer, writer: Software, path: str, body: dict[str, Any]
) -> None:
    first, second = create(writer, path, body), create(writer, path, body)
    assert second["id"] > first["id"]
    single = writer.ask(f"{path}/{first['id']}").json()
    assert single == first
    assert {name: single[name] for name in ("name", "type")} == {name: body[name] for name in ("name", "type")}
    listed = writer.ask(path, orderById="DESC", size=2).json()["results"]
    assert [record["id"] for record in listed] == [second["id"], first["id"]]
    stream = {"/businesspartners": "partners", "/products": "products", "/ledgerreceipts": "ledger_receipts"}[path]
    state = server.state()
    assert state["created"] == {stream: 2}
    assert state["created_saying"][stream][body["name"]] == 2
    server.reset()
    assert server.state()["created"] == {}


@pytest.mark.parametrize(("path", "body"), CASES)
def test_a_replacement_clears_what_it_leaves_out(
    server: SandboxServer, writer: Software, path: str, body: dict[str, Any]
) -> None:
    extra = {"/businesspartners": "deliveryAddress", "/products": "unit", "/ledgerreceipts": "accountantsNotes"}[path]
    value = {"deliveryAddress": ADDRESS, "unit": "DAY", "accountantsNotes": "Notes"}[extra]
    before = create(writer, path, {**body, extra: value})
    assert before[extra]
    answer = writer.call("PUT", f"{path}/{before['id']}", {**body, extra: None, "version": before["version"]})
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["id"], after[extra]) == (before["id"], None)
    assert after["version"] > before["version"]
    assert writer.ask(f"{path}/{before['id']}").json() == after
    whole = {**after, "name": "Read, changed, written back"}
    assert writer.call("PUT", f"{path}/{before['id']}", whole).json()["name"] == whole["name"]
    assert errors(writer.call("PUT", f"{path}/1", whole), 404)


@pytest.mark.parametrize(
    ("path", "changed", "field"),
    [
        ("/businesspartners", {"name": None}, "name"),
        ("/businesspartners", {"name": "x" * 81}, "name"),
        ("/businesspartners", {"type": "FRIEND"}, "type"),
        ("/businesspartners", {"type": "PERSON"}, "type"),
        ("/businesspartners", {"address": None}, "address"),
        ("/businesspartners", {"paymentInfo": None}, "paymentInfo"),
        ("/businesspartners", {"paymentInfo": {}}, "paymentInfo.paymentMethod"),
        (
            "/businesspartners",
            {"paymentInfo": {"paymentMethod": "CASH", "paymentTermDays": 14}},
            "paymentInfo.paymentTermDays",
        ),
        ("/businesspartners", {"address": {"street": "x" * 81}}, "address.street"),
        ("/businesspartners", {"name": "Łódź Oy"}, "name"),
        ("/businesspartners", {"contactPersons": [{"name": "🙂"}]}, "contactPersons[0].name"),
        ("/products", {"price": "120"}, "price"),
        ("/products", {"discount": 101}, "discount"),
        ("/products", {"active": None}, "active"),
        ("/products", {"currency": "euro"}, "currency"),
        ("/products", {"name": "Товар"}, "name"),
        ("/ledgerreceipts", {"type": "SALES_INVOICE"}, "type"),
        ("/ledgerreceipts", {"transactions": []}, "transactions"),
        ("/ledgerreceipts", {"transactions": [{**ROW, "account": 1000}]}, "transactions[0].account"),
        ("/ledgerreceipts", {"transactions": [{**ROW, "account": "1"}]}, "transactions[0].account"),
        ("/ledgerreceipts", {"transactions": [ROW]}, "transactions"),
        ("/ledgerreceipts", {"receiptDate": "3.2.2026"}, "receiptDate"),
    ],
)
def test_a_wrong_field_is_400_and_named(
    server: SandboxServer, writer: Software, path: str, changed: dict[str, Any], field: str
) -> None:
    body = {**dict(CASES)[path], **changed}
    assert field in errors(writer.call("POST", path, body))
    assert server.state()["created"] == {}


def test_a_body_must_be_a_json_object(writer: Software) -> None:
    for body in ([PARTNER], "text", 7):
        assert errors(writer.call("POST", "/businesspartners", body))
    plain = writer.post(writer.server.api + "/businesspartners", data={"name": "form"}, timeout=10)
    assert errors(plain)
    accented = create(writer, "/businesspartners", {**PARTNER, "name": "Ääkkönen Šmid – €5"})
    assert accented["name"] == "Ääkkönen Šmid – €5"


def test_strange_fields_and_versions_in_a_post_are_switches(server: SandboxServer, writer: Software) -> None:
    body = {**PRODUCT, "colour": "red", "version": "2026-01-01T00:00:00"}
    assert "colour" not in create(writer, "/products", body)
    server.switches(version_in_post="refused")
    assert errors(writer.call("POST", "/products", body)) == {"version": "must not be sent"}
    server.switches(unknown_request_fields="refused", version_in_post="ignored")
    assert errors(writer.call("POST", "/products", body)) == {"colour": "unknown field"}


def test_a_patch_changes_some_fields_and_needs_the_newest_version(server: SandboxServer, writer: Software) -> None:
    before = create(writer, "/businesspartners", PARTNER)
    where = f"/businesspartners/{before['id']}"
    assert errors(writer.call("PATCH", where, {"name": "No version"})) == {"version": "cannot be blank"}
    after = writer.call("PATCH", where, {"name": "By query"}, version=before["version"]).json()
    assert (after["name"], after["address"], after["version"] > before["version"]) == (
        "By query",
        before["address"],
        True,
    )
    assert errors(writer.call("PATCH", where, {"name": "Stale", "version": before["version"]})).keys() == {"version"}
    server.switches(stale_version="409")
    assert errors(writer.call("PATCH", where, {"name": "Stale", "version": before["version"]}), 409)
    person = next(p["id"] for p in server.records("partners") if p["type"] == "PERSON")
    assert errors(writer.call("PATCH", f"/businesspartners/{person}", {"name": "x", "version": "y"})).keys() == {
        "type"
    }


def test_a_receipt_needs_its_version_and_can_be_filled_up(server: SandboxServer, writer: Software) -> None:
    filled = writer.call("POST", "/ledgerreceipts", {**RECEIPT, "transactions": [ROW]}, createReconciliation="true")
    rows = filled.json()["transactions"]
    assert [row["transactionType"] for row in rows] == ["ENTRY", "RECONCILIATION_ENTRY"]
    assert sum(row["accountingValue"] for row in rows) == 0
    where, version = f"/ledgerreceipts/{filled.json()['id']}", filled.json()["version"]
    assert errors(writer.call("PUT", where, RECEIPT)) == {"version": "cannot be blank"}
    assert writer.call("PUT", where, {**RECEIPT, "version": version}).status_code == 200
    assert errors(writer.call("PUT", where, {**RECEIPT, "version": version})).keys() == {"version"}
    assert writer.call("PUT", f"{where}/approve").status_code == 200
    assert errors(writer.call("PUT", f"{where}/approve"), 403) == {None: "Invalid status"}
    assert writer.call("PUT", f"{where}/invalidate").status_code == 200
    assert writer.call("PUT", f"{where}/unfinished").status_code == 200
    closed = writer.call("POST", "/ledgerreceipts", {**RECEIPT, "receiptDate": "2023-02-03"})
    assert errors(closed, 403) == {None: "CLOSED_FISCAL_PERIOD"}


def test_products_can_be_removed_but_not_travel(server: SandboxServer, writer: Software) -> None:
    product = create(writer, "/products", PRODUCT)
    answer = writer.call("DELETE", f"/products/{product['id']}")
    assert (answer.status_code, answer.text) == (204, "")
    assert errors(writer.ask(f"/products/{product['id']}"), 404)
    assert errors(writer.call("DELETE", f"/products/{product['id']}"), 404)
    travel = writer.ask("/products", type="TRAVEL").json()["results"][0]["id"]
    assert errors(writer.call("DELETE", f"/products/{travel}"))
    assert create(writer, "/products", PRODUCT)["id"] > product["id"], "an id never comes back"


@pytest.mark.parametrize(("path", "body"), CASES)
def test_looking_is_not_writing(server: SandboxServer, software: Software, path: str, body: dict[str, Any]) -> None:
    software.enter(server.setup_company(preset="all-needed")["api_key"])
    assert software.ask(path).status_code == 200
    assert errors(software.call("POST", path, body), 403) == {None: "Insufficient user rights"}
    some = software.ask(path).json()["results"][0]["id"]
    assert errors(software.call("PUT", f"{path}/{some}", body), 403)


@pytest.mark.process
def test_writes_outlive_a_restart_of_nothing_but_the_process(tmp_path: Any) -> None:
    with SandboxServer(tmp_path) as server, Software(server) as writer:
        writer.enter(server.setup_company(preset="everything")["api_key"])
        before = create(writer, "/businesspartners", PARTNER)
        product = server.records("products")[0]["id"]
        assert writer.call("DELETE", f"/products/{product}").status_code == 204
        server.restart()
        assert writer.ask(f"/businesspartners/{before['id']}").json() == before
        assert product not in [record["id"] for record in server.records("products")]
        assert server.state()["created"] == {"partners": 1}
