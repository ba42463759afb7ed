"""The lists beyond partners and invoices: paging, filters in headers, rights, batches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.procountor.conftest import Software, errors, visit
from tests.sandbox_server import SandboxServer

PAGED = {
    "products": "/products",
    "ledger_receipts": "/ledgerreceipts",
    "payments": "/payments",
    "reference_payments": "/referencepayments",
    "bank_statements": "/bankstatements",
    "bank_accounts": "/bankaccounts",
}
WHOLE = {
    "dimensions": ("/dimensions", None),
    "accounts": ("/coa", "ledgerAccounts"),
    "fiscal_years": ("/fiscalyears", "fiscalYears"),
}
NEEDED = {
    "products": "sales.productRegister",
    "ledger_receipts": "accounting.journalReceiptSearch",
    "payments": "payments.bankStatementAndReferencePayment",
    "reference_payments": "payments.bankStatementAndReferencePayment",
    "bank_statements": "payments.bankStatementAndReferencePayment",
    "bank_accounts": "payments.bankStatementAndReferencePayment",
    "dimensions": "accounting.accountingReports",
    "accounts": "accounting.accountingReports",
    "fiscal_years": "accounting.accountingReports",
}


def by_previous_id(software: Software, path: str, size: int, **parameters: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while True:
        last = {"previousId": records[-1]["id"]} if records else {}
        answer = software.ask(path, size=size, **parameters, **last)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        records += body["results"]
        assert body["meta"]["resultCount"] == len(body["results"])
        if len(body["results"]) < size:
            return records


@pytest.mark.parametrize("stream", PAGED)
@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_every_record_comes_once_by_previous_id(
    server: SandboxServer, writer: Software, stream: str, order: str
) -> None:
    expected = server.records(stream)
    assert len(expected) >= 6
    records = by_previous_id(writer, PAGED[stream], 50, orderById=order)
    assert records == (expected if order == "ASC" else expected[::-1])


@pytest.mark.parametrize("stream", [name for name in PAGED if name != "products"])
def test_every_record_comes_once_by_page(server: SandboxServer, writer: Software, stream: str) -> None:
    expected, records = server.records(stream), []
    for page in range(7):
        body = writer.ask(PAGED[stream], size=40, page=page, orderById="ASC").json()
        assert body["meta"]["totalCount"] == len(expected)
        records += body["results"]
    assert records == expected


@pytest.mark.parametrize("stream", WHOLE)
def test_some_lists_come_in_one_piece(server: SandboxServer, writer: Software, stream: str) -> None:
    path, name = WHOLE[stream]
    body = writer.ask(path).json()
    if name is not None:
        assert set(body) == {name}
        body = body[name]
    expected = server.control("records", stream=stream)["records"]
    assert body == (expected[::-1] if stream == "fiscal_years" else expected)
    assert len(body) >= 8


def test_products_know_previous_id_only_and_hide_travel(server: SandboxServer, writer: Software) -> None:
    for page in (0, 1):
        assert errors(writer.ask("/products", page=page)) == {"page": "is not known here, use previousId"}
    listed = by_previous_id(writer, "/products", 200)
    assert {product["type"] for product in listed} == {"SALES", "PURCHASE"}
    assert listed == sorted(listed, key=lambda product: product["id"]), (
        "the smallest id first, as previousId begins at 0"
    )
    assert any(product["id"] > 2**31 for product in listed)
    travel = by_previous_id(writer, "/products", 200, type="TRAVEL")
    assert {product["type"] for product in travel} == {"TRAVEL"}
    some = listed[3]
    assert some in by_previous_id(writer, "/products", 200, code=some["code"].lower())
    assert writer.ask("/products", code="no such code").json()["results"] == []
    inactive = by_previous_id(writer, "/products", 200, active="false")
    assert inactive == [product for product in listed if not product["active"]]


@pytest.mark.parametrize("path", ["/bankstatements", "/referencepayments"])
def test_the_account_number_is_a_header(server: SandboxServer, writer: Software, path: str) -> None:
    stream = {"/bankstatements": "bank_statements", "/referencepayments": "reference_payments"}[path]
    everything = server.records(stream)
    number = everything[0]["accountNumber"]
    of_it = [record for record in everything if record["accountNumber"] == number]
    assert 0 < len(of_it) < len(everything)
    headers = {"accountNumber": number}
    body = writer.get(writer.server.api + path, headers=headers, params={"orderById": "ASC"}, timeout=10).json()
    assert body["results"] == of_it
    assert "accountNumber" in errors(writer.ask(path, accountNumber=number))
    server.switches(account_number_query="ignored")
    assert writer.ask(path, accountNumber=number).json()["meta"]["totalCount"] == len(everything)
    since, until = of_it[2]["valueDate" if "valueDate" in of_it[2] else "endDate"], "2099-12-31"
    dated = writer.ask(path, startDate=since, endDate=until, size=200, orderById="ASC").json()["results"]
    assert 0 < len(dated) < len(everything)
    assert number not in visit(f"{server.ui}/procountor/calls").text


@pytest.mark.parametrize("stream", NEEDED)
def test_each_list_has_its_right(server: SandboxServer, software: Software, stream: str) -> None:
    path = PAGED.get(stream) or WHOLE[stream][0]
    setup = server.setup_company(preset="nothing")
    software.enter(setup["api_key"])
    assert errors(software.ask(path), 403)
    server.switches(missing_right="empty")
    empty = software.ask(path).json()
    assert (empty if isinstance(empty, list) else next(iter(empty.values()))) == []
    server.switches(missing_right="403")
    server.change_user(setup["user_id"], preset="nothing", rights={NEEDED[stream]: "VIEWING_RIGHTS"})
    assert software.ask(path).status_code == 200
    others = {right for name, right in NEEDED.items() if right != NEEDED[stream]}
    for name, right in NEEDED.items():
        if right in others:
            assert software.ask(PAGED.get(name) or WHOLE[name][0]).status_code == 403


def test_limited_dimensions_shorten_the_list_without_a_word(server: SandboxServer, software: Software) -> None:
    setup = server.setup_company(preset="all-needed", rights={"user.limitedDimensions": True})
    software.enter(setup["api_key"])
    assert 0 < len(software.ask("/dimensions").json()) < len(server.records("dimensions"))


@pytest.mark.parametrize("stream", ["products", "ledger_receipts"])
def test_batches_are_an_object_or_an_array(server: SandboxServer, writer: Software, stream: str) -> None:
    path, listed = PAGED[stream], server.records(stream)
    one, two = listed[0]["id"], listed[-1]["id"]
    assert writer.ask(f"{path}/{one}").json()["id"] == one
    assert [each["id"] for each in writer.ask(f"{path}/{two},{one},{two},1").json()] == [one, two]
    assert [each["id"] for each in writer.ask(f"{path}/{one},1").json()] == [one]
    assert errors(writer.ask(f"{path}/1"), 404)
    assert errors(writer.ask(f"{path}/1,2"), 404)
    assert errors(writer.ask(f"{path}/{','.join(map(str, range(201)))}"))
    assert writer.ask(f"{path}/{','.join(map(str, [one, *range(199)]))}").status_code == 200


def test_a_receipt_has_rows_that_come_to_nothing_and_knows_its_invoice(
    server: SandboxServer, writer: Software
) -> None:
    journal = writer.ask(f"/ledgerreceipts/{server.records('ledger_receipts')[0]['id']}").json()
    assert journal["type"] in ("JOURNAL", "SALARY")
    assert sum(row["accountingValue"] for row in journal["transactions"]) == 0
    accounts = {account["ledgerAccountCode"] for account in server.records("accounts")}
    assert {row["account"] for row in journal["transactions"]} <= accounts
    invoice = writer.ask(f"/invoices/{server.records('invoices')[0]['id']}").json()
    assert writer.ask(f"/ledgerreceipts/{invoice['ledgerReceiptId']}").json()["invoiceId"] == invoice["id"]


def test_partners_are_found_by_number_and_by_a_name_in_a_header(server: SandboxServer, writer: Software) -> None:
    customer = next(p for p in server.records("partners") if p["type"] == "CUSTOMER")
    number = customer["invoicingInfo"]["customerNumber"]
    assert writer.ask("/businesspartners", customerNumber=number).json()["results"] == [customer]
    identifier = customer["invoicingInfo"]["identifier"]
    answer = writer.get(writer.server.api + "/businesspartners", headers={"identifier": identifier}, timeout=10)
    assert customer in answer.json()["results"]
    assert writer.ask("/businesspartners", name="no such").json()["meta"]["totalCount"] > 1, (
        "a name counts as header only"
    )


def test_changed_products_and_receipts_are_found_by_version(server: SandboxServer, writer: Software) -> None:
    for stream in ("products", "ledger_receipts"):
        chosen = [record["id"] for record in server.records(stream)][2:5]
        version = server.touch(stream, chosen)
        records = writer.ask(PAGED[stream], versionStartDate=version, orderByVersion="ASC").json()["results"]
        assert [record["id"] for record in records] == chosen
        assert errors(writer.ask(PAGED[stream], versionStartDate="yesterday")).keys() == {"versionStartDate"}


def test_a_later_release_says_more(server: SandboxServer, writer: Software) -> None:
    server.switches(later_release=True)
    records = writer.ask("/invoices", size=200).json()["results"]
    assert all("addedInALaterRelease" in record for record in records)
    assert any(record["status"] == "STATUS_OF_A_LATER_RELEASE" for record in records)
