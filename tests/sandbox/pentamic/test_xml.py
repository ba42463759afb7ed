"""XML both ways: chosen by Accept and Content-Type, in the shape of a data contract."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.sandbox.pentamic.conftest import Program
from tests.sandbox_server import SandboxServer

SPACE = "http://schemas.datacontract.org/2004/07/Pentamic.Accounting.Models"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def contract(members: str, space: str = SPACE) -> str:
    return f'<Customer xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="{space}">{members}</Customer>'


GOOD = contract(
    '<Address i:nil="true"/><Name>Quán A &amp; B</Name><Phone>0000000001</Phone><TaxCode>0123456789</TaxCode>'
)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        (BROWSER, "application/xml"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        (None, "application/xml"),
    ],
)
def test_who_asks_for_xml_gets_it_while_it_is_offered(
    server: SandboxServer, program: Program, accept: str | None, kind: str
) -> None:
    program.headers["Accept"] = accept  # type: ignore[assignment]
    answer = program.ask("/customers")
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert answer.text[0] == ("[" if kind.endswith("json") else "<")
    server.switches(without_accept="json")
    if accept is None:
        assert program.ask("/customers").text[0] == "["
    server.switches(without_accept="xml", xml=False)
    assert program.ask("/customers").text[0] == "["


def test_a_list_in_xml(server: SandboxServer, program: Program) -> None:
    program.headers["Accept"] = "application/xml"
    root = ElementTree.fromstring(program.ask("/customers").content)
    assert root.tag == f"{{{SPACE}}}ArrayOfCustomer"
    records = server.control("records", stream="customers")["records"]
    assert len(root) == len(records)
    for element, record in zip(root, records, strict=True):
        members = [(each.tag, None if each.get(NIL) else each.text or "") for each in element]
        values = (record["address"], str(record["id"]), record["name"], record["phone"], record["taxCode"])
        names = ("Address", "Id", "Name", "Phone", "TaxCode")
        assert members == [(f"{{{SPACE}}}{name}", value) for name, value in zip(names, values, strict=True)]
    assert any(each.get(NIL) for element in root for each in element)
    server.switches(tax_code="lost", field_names="PascalCase")
    assert "<TaxCode>300000003</TaxCode>" in program.ask("/customers").text


def test_invoices_in_xml(server: SandboxServer, program: Program) -> None:
    program.headers["Accept"] = "application/xml"
    owner = server.control("records", stream="invoices")["records"][0]["customerId"]
    root = ElementTree.fromstring(program.ask(f"/customers/{owner}/invoices").content)
    assert root.tag == f"{{{SPACE}}}ArrayOfInvoice"
    names = [each.tag.partition("}")[2] for each in root[0]]
    assert names == ["CustomerId", "Date", "Id", "Number", "Paid", "Total"]
    assert root[0].findtext(f"{{{SPACE}}}Paid") in ("true", "false")


def test_a_customer_made_and_replaced_in_xml(server: SandboxServer, program: Program) -> None:
    server.switches(tax_code_accepted="number")  # which XML cannot tell from text
    program.headers["Accept"] = "application/xml"
    answer = program.order("POST", "/customers", GOOD, "application/xml")
    assert answer.status_code == 200
    element = ElementTree.fromstring(answer.content)
    assert element.tag == f"{{{SPACE}}}Customer"
    number = element.findtext(f"{{{SPACE}}}Id")
    assert element.findtext(f"{{{SPACE}}}Name") == "Quán A & B"
    last = server.control("records", stream="customers")["records"][-1]
    assert last == {
        "id": int(number or 0),
        "name": "Quán A & B",
        "taxCode": "0123456789",
        "address": None,
        "phone": "0000000001",
    }
    replaced = program.order("PUT", f"/customers/{number}", GOOD.replace("A &amp; B", "C"), "text/xml; charset=utf-8")
    assert "<Name>Quán C</Name>" in replaced.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (contract("<TaxCode>0123456789</TaxCode><Name>A</Name>"), "NAME_REQUIRED"),  # out of order
        (contract("<Name>A</Name><TaxCode>0123456789</TaxCode>", "urn:other"), "NAME_REQUIRED"),
        (contract('<Name>A</Name><TaxCode xmlns="urn:other">0123456789</TaxCode>'), "TAXC_REQUIRED"),
        ("<Customer><Name>A</Name><TaxCode>0123456789</TaxCode></Customer>", "NAME_REQUIRED"),
    ],
)
def test_members_out_of_order_or_elsewhere_are_silently_lost(
    server: SandboxServer, program: Program, body: str, code: str
) -> None:
    answer = program.order("POST", "/customers", body, "application/xml")
    assert (answer.status_code, answer.json()) == (403, {"error": code})
    server.switches(xml_reading="lenient")
    assert program.order("POST", "/customers", body, "application/xml").status_code == 200


def test_optional_members_out_of_order_are_lost_without_a_word(server: SandboxServer, program: Program) -> None:
    body = contract("<Name>A</Name><TaxCode>0123456789</TaxCode><Address>1 phố Mẫu</Address>")
    assert program.order("POST", "/customers", body, "application/xml").status_code == 200
    assert server.control("records", stream="customers")["records"][-1]["address"] is None


def test_errors_in_xml(program: Program) -> None:
    program.headers["Accept"] = "application/xml"
    answer = program.order("DELETE", "/customers/1")
    assert (answer.status_code, answer.text) == (403, "<Error><error>ID_NOTFOUND</error></Error>")
    answer = program.ask("/nothing")
    assert (answer.status_code, answer.text[:16]) == (404, "<Error><Message>")


@pytest.mark.parametrize("body", ["<Customer>", '<!DOCTYPE a [<!ENTITY b "c">]><Customer>&b;</Customer>', b"\xff\xfe"])
def test_broken_xml_is_400(program: Program, body: str | bytes) -> None:
    assert program.order("POST", "/customers", body, "application/xml").status_code == 400


def test_without_the_offer_an_xml_body_is_415(server: SandboxServer, program: Program) -> None:
    server.switches(xml=False)
    assert program.order("POST", "/customers", GOOD, "application/xml").status_code == 415
