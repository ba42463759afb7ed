"""Creating, changing and deleting records, the actions of documents, and what a test can count afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.sandbox.smartbusiness.conftest import FIRST, Client, field_errors, refusal
from tests.sandbox.smartbusiness.test_api import PATHS, records
from tests.sandbox_server import SandboxServer

Own = Callable[..., Client]
ADDRESS = {"country": "CH", "street": "Musterweg", "postcode": "0001", "city": "Musterlingen"}
CONTACT = {"number": "K-1", "relation": ["CL"], "type": "C", "name": "Neuwerk AG", "main_address": ADDRESS}
POSITION = {"type": "N", "name": "Arbeit", "price": 100.0, "vat": 8.1, "amount": 2.0, "unit_id": 1}
MAIL = {
    "subject": "Rechnung",
    "body": "Guten Tag",
    "from": "wir@example.com",
    "recipients": [{"email": "kunde@example.com", "name": "Kunde"}],
}


def document(server: SandboxServer, **changed: Any) -> dict[str, Any]:
    contact = records(server, "contacts")[0]
    body = {
        "number": "W-1",
        "contact_id": contact["id"],
        "contact_address_id": contact["main_address_id"],
        "date": "2025-02-01",
        "due": "2025-03-01",
        "currency": "CHF",
        "language": "de",
        "positions": [POSITION, {"type": "T", "description": "Danke"}],
    }
    return body | changed


def created_item(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    item: dict[str, Any] = answer.json()["item"]
    return item


def test_a_contact_is_created_changed_and_deleted(server: SandboxServer, own: Own) -> None:
    client = own()
    item = created_item(client.tell("POST", "/contacts", CONTACT))
    assert (item["number"], item["name"], "main_address" in item) == ("K-1", "Neuwerk AG", False)
    assert len(records(server, "contacts")) == 221
    path = f"/contacts/{item['id']}"
    whole = client.ask(path, **{"with": "main_address"}).json()["item"]
    assert whole["main_address"] | ADDRESS == whole["main_address"]
    assert whole["main_address"]["id"] == item["main_address_id"]
    changed = client.tell("PUT", path, {"name": "Neuwerk Erfindung AG", "payment_grace": 14})
    assert (changed.status_code, changed.json()["item"]) == (
        200,
        item | {"name": "Neuwerk Erfindung AG", "payment_grace": 14},
    )
    moved = client.tell("PUT", path, {"main_address": ADDRESS | {"city": "Beispielwil"}})
    assert moved.json()["item"]["main_address_id"] == item["main_address_id"]
    deleted = client.tell("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert refusal(client.ask(path)) == (404, 3000)
    assert refusal(client.tell("DELETE", path)) == (404, 3000)
    assert server.control("find", stream="contacts", number="K-1") == {"count": 0, "ids": [], "created": 1, "sent": 0}
    assert server.state()["created"]["contacts"] == 1


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"name": None, "relation": []}, {("name", 1100), ("relation", 1100)}),
        ({"name": 7, "relation": "CL"}, {("name", 1101), ("relation", 1101)}),
        ({"type": "X", "relation": ["CL", "ZZ"]}, {("type", 1102), ("relation", 1102)}),
        ({"email": "nobody", "currency": "Franken"}, {("email", 1103), ("currency", 1103)}),
        ({"number": "1000"}, {("number", 1105)}),
        ({"type": "P"}, {("gender", 1100)}),
        ({"vat_rate": 8}, {("vat_rate", 1101)}),
        ({"payment_grace": 8.0}, {("payment_grace", 1101)}),
        ({"main_address": {"country": "CH", "street": "x", "city": 1}},
         {("main_address.postcode", 1100), ("main_address.city", 1101)}),
        ({"main_address": "Musterweg"}, {("main_address", 1101)}),
    ],
)  # fmt: skip
def test_a_bad_contact_is_refused_field_by_field(
    server: SandboxServer, own: Own, changed: dict[str, Any], errors: set[tuple[str, int]]
) -> None:
    assert field_errors(own().tell("POST", "/contacts", CONTACT | changed)) == errors
    assert server.state()["created"]["contacts"] == 0


def test_missing_fields_are_named(own: Own) -> None:
    client = own()
    needed = {("relation", 1100), ("type", 1100), ("name", 1100), ("main_address", 1100)}
    assert field_errors(client.tell("POST", "/contacts", {})) == needed
    problems = field_errors(client.tell("POST", "/receivables/invoices", {}))
    names = "contact_id contact_address_id date due currency language positions"
    assert problems == {(name, 1100) for name in names.split()}
    assert field_errors(client.tell("POST", "/configuration/bank-accounts", {})) == {("description", 1100)}


def test_an_update_keeps_to_the_rules(server: SandboxServer, own: Own) -> None:
    client, contact = own(), records(server, "contacts")[0]
    path = f"/contacts/{contact['id']}"
    assert field_errors(client.tell("PUT", path, {"id": 5, "name": ""})) == {("id", 1104), ("name", 1100)}
    assert client.tell("PUT", path, {"number": contact["number"]}).status_code == 200
    number = records(server, "contacts")[1]["number"]
    assert field_errors(client.tell("PUT", path, {"number": number})) == {("number", 1105)}
    server.switches(update="full")
    assert ("main_address", 1100) in field_errors(client.tell("PUT", path, {"name": "X"}))
    assert refusal(client.tell("PUT", "/contacts/1", {"name": "X"})) == (404, 3000)


def test_switches_of_writing(server: SandboxServer, own: Own) -> None:
    client = own()
    server.switches(float_typing="lenient", create_status="200", unique_number="none")
    answer = client.tell("POST", "/contacts", CONTACT | {"vat_rate": 8, "number": "1000", "nonsense": 1})
    assert (answer.status_code, answer.json()["item"]["vat_rate"]) == (200, 8.0)
    server.switches(unknown_fields="refused", nested_key="brackets")
    body = document(server, positions=[POSITION | {"price": "x"}], nonsense=1)
    problems = field_errors(client.tell("POST", "/receivables/invoices", body))
    assert problems == {("positions[0][price]", 1101), ("nonsense", 1102)}


@pytest.mark.parametrize("stream", ["invoices", "offers", "order_confirmations"])
def test_a_document_is_created_totalled_and_changed(server: SandboxServer, own: Own, stream: str) -> None:
    client, path = own(), PATHS[stream]
    item = created_item(client.tell("POST", path, document(server)))
    assert (item["number"], item["status"], item["total"]) == ("W-1", "DR", 216.2)
    assert "positions" not in item
    one = f"{path}/{item['id']}"
    positions = client.ask(one, **{"with": "positions"}).json()["item"]["positions"]
    assert [position["total"] for position in positions] == [200.0, None]
    halved = client.tell("PUT", one, {"positions": [POSITION | {"discount_rate": 50.0, "discount_type": "P"}]})
    assert halved.json()["item"]["total"] == 108.1
    gross = client.tell("PUT", one, {"vat_included": True})
    assert gross.json()["item"]["total"] == 100.0
    assert server.control("find", stream=stream, number="W-1")["count"] == 1
    assert created_item(client.tell("POST", path, document(server, number=None)))["number"]


def test_the_same_number_twice_is_counted_twice_or_refused(server: SandboxServer, own: Own) -> None:
    client = own()
    for _ in range(2):
        created_item(client.tell("POST", "/receivables/invoices", document(server)))
    matches = server.control("find", stream="invoices", number="W-1")
    assert (matches["count"], matches["created"], len(matches["ids"])) == (2, 2, 2)
    server.switches(unique_number="all")
    answer = client.tell("POST", "/receivables/invoices", document(server))
    assert field_errors(answer) == {("number", 1105)}


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"contact_id": 1}, {("contact_id", 1102)}),
        ({"contact_address_id": 1}, {("contact_address_id", 1102)}),
        ({"date": "1.2.2025", "due": "2025-02-31"}, {("date", 1103), ("due", 1103)}),
        ({"positions": []}, {("positions", 1100)}),
        ({"positions": ["x"]}, {("positions.0", 1101)}),
        ({"positions": [POSITION, {"type": "N"}]},
         {("positions.1.price", 1100), ("positions.1.vat", 1100), ("positions.1.amount", 1100),
          ("positions.1.unit_id", 1100)}),
        ({"positions": [POSITION | {"type": "Z", "price": 1}]},
         {("positions.0.type", 1102), ("positions.0.price", 1101)}),
    ],
)  # fmt: skip
def test_a_bad_invoice_is_refused_field_by_field(
    server: SandboxServer, own: Own, changed: dict[str, Any], errors: set[tuple[str, int]]
) -> None:
    assert field_errors(own().tell("POST", "/receivables/invoices", document(server, **changed))) == errors


@pytest.mark.parametrize(
    ("stream", "body"),
    [
        ("products", {"name": "Hebel", "price": 12.5, "unit_id": 2}),
        ("services", {"name": "Beratung", "price": 180.0, "number": "B-1"}),
        ("bank_accounts", {"description": "Sparkonto", "iban": "CH00 0000 0000 0000 9999 0"}),
    ],
)
def test_articles_and_accounts_too(server: SandboxServer, own: Own, stream: str, body: dict[str, Any]) -> None:
    client, path = own(), PATHS[stream]
    item = created_item(client.tell("POST", path, body))
    assert item | body == item
    name = "description" if stream == "bank_accounts" else "name"
    assert client.tell("PUT", f"{path}/{item['id']}", {name: "Anders"}).json()["item"] == item | {name: "Anders"}
    assert item["id"] in {record["id"] for record in records(server, stream)}
    assert client.tell("DELETE", f"{path}/{item['id']}").status_code == 204
    assert item["id"] not in {record["id"] for record in records(server, stream)}


def test_several_are_deleted_at_once(server: SandboxServer, own: Own) -> None:
    client, first = own(), [contact["id"] for contact in records(server, "contacts")[:4]]
    assert refusal(client.tell("DELETE", f"/contacts/{first[0]},1")) == (404, 3000)
    assert len(records(server, "contacts")) == 220
    assert client.tell("DELETE", f"/contacts/{first[0]},{first[1]}").status_code == 204
    assert len(records(server, "contacts")) == 218
    server.switches(bulk_delete="part")
    assert client.tell("DELETE", f"/contacts/{first[2]},1").status_code == 204
    assert client.tell("DELETE", "/contacts/1,2").status_code == 404
    assert refusal(client.tell("DELETE", "/contacts/x,y")) == (404, 3000)
    assert [contact["id"] for contact in records(server, "contacts")][:1] == first[3:]


def test_deleted_documents_may_stay_with_a_status(server: SandboxServer, own: Own) -> None:
    client, (first, second) = own(), records(server, "invoices")[:2]
    assert client.tell("DELETE", f"/receivables/invoices/{first['id']}").status_code == 204
    server.switches(deleted_documents="status_d")
    assert client.tell("DELETE", f"/receivables/invoices/{second['id']}").status_code == 204
    assert records(server, "invoices")[0] == second | {"status": "D"}


def test_the_status_of_a_document_is_changed_by_patch(server: SandboxServer, own: Own) -> None:
    client, path = own(), f"/receivables/offers/{records(server, 'offers')[0]['id']}"
    answer = client.tell("PATCH", f"{path}/change-status", {"status": "A", "date_time": "2025-01-01 10:00:00"})
    assert (answer.status_code, answer.json()["item"]["status"]) == (200, "A")
    assert field_errors(client.tell("PATCH", f"{path}/change-status", {"status": "PP"})) == {("status", 1102)}
    assert field_errors(client.tell("PATCH", f"{path}/change-status", {})) == {("status", 1100)}
    server.switches(action_answer="empty")
    assert client.tell("PATCH", f"{path}/change-status", {"status": "B"}).status_code == 204
    assert client.ask(path).json()["item"]["status"] == "B"
    assert refusal(client.tell("PATCH", "/receivables/offers/1/change-status", {"status": "A"})) == (404, 3000)


def test_e_mails_are_counted_never_sent(server: SandboxServer, own: Own) -> None:
    client = own()
    item = created_item(client.tell("POST", "/receivables/invoices", document(server)))
    path = f"/receivables/invoices/{item['id']}/send-by-email"
    bad = MAIL | {"recipients": [{"name": "Kunde"}], "subject": None}
    assert field_errors(client.tell("PATCH", path, bad)) == {("recipients.0.email", 1100), ("subject", 1100)}
    assert field_errors(client.tell("PATCH", path, MAIL | {"from": "nobody"})) == {("from", 1103)}
    assert server.state()["sent"] == {}
    assert client.tell("PATCH", path, MAIL).json()["item"]["status"] == "S"
    assert server.state()["sent"] == {f"invoices/{item['id']}": 1}
    server.faults([{"path": "/receivables/invoices/{id}/send-by-email", "cut": "after"}])
    with pytest.raises(requests.ConnectionError):
        client.tell("PATCH", path, MAIL)
    assert server.control("find", stream="invoices", number="W-1")["sent"] == 2


def test_payments_of_an_invoice(server: SandboxServer, own: Own) -> None:
    client = own()
    paid = next(invoice for invoice in records(server, "invoices") if invoice["status"] == "P")
    body = client.ask(f"/receivables/invoices/{paid['id']}/payments").json()
    assert [payment["amount"] for payment in body["items"]] == [paid["total_paid"]]
    item = created_item(client.tell("POST", "/receivables/invoices", document(server)))
    path = f"/receivables/invoices/{item['id']}/payments"
    assert client.ask(path).json()["items"] == []
    assert field_errors(client.tell("POST", path, {"amount": 5})) == {("amount", 1101), ("date", 1100)}
    first = created_item(client.tell("POST", path, {"amount": 16.2, "date": "2025-02-10"}))
    assert (first["type"], first["channel"], first["amount"]) == ("N", "T", 16.2)
    one = f"/receivables/invoices/{item['id']}"
    assert client.ask(one).json()["item"]["status"] == "PP"
    created_item(client.tell("POST", path, {"amount": 200.0, "date": "2025-02-11", "type": "N"}))
    invoice = client.ask(one).json()["item"]
    assert (invoice["status"], invoice["total_paid"], invoice["paid_date"]) == ("P", 216.2, "2025-02-11")
    assert len(client.ask(path).json()["items"]) == 2
    assert refusal(client.ask("/receivables/invoices/1/payments")) == (404, 3000)
    assert server.state()["created"]["payments"] == 2


def test_a_create_whose_answer_is_lost_has_happened(server: SandboxServer, own: Own) -> None:
    client = own()
    server.faults([{"path": "/contacts", "method": "POST", "cut": "after"}])
    with pytest.raises(requests.ConnectionError):
        client.tell("POST", "/contacts", CONTACT)
    assert server.control("find", stream="contacts", number="K-1")["count"] == 1
    assert field_errors(client.tell("POST", "/contacts", CONTACT)) == {("number", 1105)}


def test_what_was_written_outlives_a_restart(server: SandboxServer, own: Own) -> None:
    client = own()
    item = created_item(client.tell("POST", "/contacts", CONTACT))
    ident = records(server, "contacts")[0]["id"]
    client.tell("DELETE", f"/contacts/{ident}")
    before = records(server, "contacts")
    server.restart()
    assert records(server, "contacts") == before
    assert server.control("find", stream="contacts", number="K-1", company=FIRST)["ids"] == [item["id"]]
    server.reset()
    assert len(records(server, "contacts")) == 220
