"""Payments with a person's confirmation, and the webhooks that tell of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.sandbox.procountor.conftest import OTHERS_PERSON, Software, errors, visit
from tests.sandbox.procountor.test_invoices import PURCHASE, create
from tests.sandbox_server import SandboxServer

MAIN = 10451


@pytest.fixture
def signed_in(server: SandboxServer, software: Software) -> Software:
    software.sign_in()
    return software


def payable(software: Software) -> dict[str, Any]:
    """The body of `POST /payments` for a fresh approved purchase invoice."""
    number = create(software, PURCHASE)["id"]
    assert software.call("PUT", f"/invoices/{number}/approve").status_code == 200
    invoice = software.ask(f"/invoices/{number}").json()
    payment = {
        "invoiceId": number,
        "invoiceVersion": invoice["version"],
        "amount": 112.94,
        "paymentDate": "2026-03-20",
        "paymentMethod": "FINNISH_BANK_TRANSFER",
        "recipientBankAccount": "FI0000000000000000",
        "recipientNameAndAddress": {"name": "Kivi Oy"},
    }
    return {"payments": [payment]}


def start_confirmation(software: Software, method: str, path: str, body: Any = None) -> str:
    answer = software.call(method, path, body)
    assert answer.status_code == 202, answer.text
    assert set(answer.json()) == {"transactionIdentifier", "confirmationApp"}
    ident: str = answer.json()["transactionIdentifier"]
    return ident


def result(software: Software, ident: str) -> Any:
    return software.ask(f"/mfatransactionresult/{ident}")


def test_a_payment_is_made_once_the_person_says_yes(server: SandboxServer, signed_in: Software) -> None:
    body = payable(signed_in)
    number = body["payments"][0]["invoiceId"]
    ident = start_confirmation(signed_in, "POST", "/payments", body)
    assert result(signed_in, ident).status_code == 202
    assert signed_in.ask("/payments", invoiceId=number).json()["results"] == []
    page = visit(f"{server.ui}/procountor/companies/{MAIN}/key-app").text
    assert f'id="confirm-{ident}"' in page
    assert "<script" not in page
    redirect = visit(f"{server.ui}/procountor/companies/{MAIN}/key-app", {"id": ident, "answer": "confirm"})
    assert redirect.headers["Location"].endswith("done=confirmed")
    answer = result(signed_in, ident)
    assert answer.status_code == 200
    (payment,) = answer.json()["transactions"]
    assert payment["invoiceId"] == number
    listed = signed_in.ask("/payments", invoiceId=number).json()["results"]
    assert [(p["id"], p["status"]) for p in listed] == [(payment["paymentId"], "PAYMENT_QUEUED")]
    assert signed_in.ask(f"/invoices/{number}").json()["status"] == "PAYMENT_QUEUED"
    assert server.state()["created"]["payments"] == 1
    assert errors(result(signed_in, ident), 409)
    server.switches(mfa_result_again="200")
    assert result(signed_in, ident).json() == answer.json()


def test_no_and_silence_change_nothing(server: SandboxServer, signed_in: Software) -> None:
    body = payable(signed_in)
    rejected, expired = (start_confirmation(signed_in, "POST", "/payments", body) for _ in range(2))
    where = f"{server.ui}/procountor/companies/{MAIN}/key-app"
    assert visit(where, {"id": rejected, "answer": "reject"}).headers["Location"].endswith("done=rejected")
    assert errors(result(signed_in, rejected), 406)
    server.clock(299)
    assert result(signed_in, expired).status_code == 202
    server.clock(301)
    assert errors(result(signed_in, expired), 408)
    assert visit(where, {"id": expired, "answer": "confirm"}).headers["Location"].endswith("done=late")
    assert visit(where, {"id": "nonsense", "answer": "confirm"}).status_code == 404
    assert errors(result(signed_in, "nonsense"), 404)
    assert server.state()["created"] == {"invoices": 1}


def test_another_person_cannot_see_the_result(server: SandboxServer, signed_in: Software) -> None:
    ident = start_confirmation(signed_in, "POST", "/payments", payable(signed_in))
    with Software(server) as other:
        server.allow_usage(True, company=10452)
        other.sign_in(user_id=OTHERS_PERSON, company=10452)
        assert errors(result(other, ident), 404)


def test_m2m_and_technical_users_are_refused(server: SandboxServer, writer: Software) -> None:
    body = payable(writer)
    calls = (("POST", "/payments", body), ("DELETE", "/payments/1", None), ("PUT", "/payments/1/cancel", None))
    calls += (("DELETE", "/invoices/1/paymentevents/1", None), ("GET", "/mfatransactionresult/x", None))
    for method, path, content in calls:
        assert writer.call(method, path, content).status_code == 403, path
    technical = server.setup_company(preset="everything", m2m_only=False)["user_id"]
    writer.sign_in(user_id=technical)
    assert errors(writer.call("POST", "/payments", body), 403)


def test_a_payment_is_cancelled_then_removed(server: SandboxServer, signed_in: Software) -> None:
    start_confirmation(signed_in, "POST", "/payments", payable(signed_in))
    assert server.control("confirm", {})["state"] == "confirmed"
    number = server.records("payments")[-1]["id"]
    assert errors(signed_in.call("DELETE", f"/payments/{number}"), 403), "still queued"
    first = start_confirmation(signed_in, "PUT", f"/payments/{number}/cancel")
    second = start_confirmation(signed_in, "PUT", f"/payments/{number}/cancel")
    server.control("confirm", {"id": first})
    assert server.control("confirm", {"id": second})["state"] == "failed"
    assert errors(result(signed_in, second), 403) == {None: "Invalid status"}
    removal = start_confirmation(signed_in, "DELETE", f"/payments/{number}")
    assert signed_in.ask(f"/payments/{number}").status_code == 200
    server.control("confirm", {"id": removal})
    assert set(result(signed_in, removal).json()) == {"message"}
    assert errors(signed_in.ask(f"/payments/{number}"), 404)
    assert errors(signed_in.call("DELETE", f"/payments/{number}"), 404)


def test_wrong_payments_are_refused(server: SandboxServer, signed_in: Software) -> None:
    body = payable(signed_in)
    payment = body["payments"][0]
    assert errors(signed_in.call("POST", "/payments", {"payments": []})).keys() == {"payments"}
    assert errors(signed_in.call("POST", "/payments", {"payments": [{**payment, "amount": 0}]})).keys() == {
        "payments[0].amount"
    }
    assert errors(signed_in.call("POST", "/payments", {"payments": [{**payment, "invoiceId": 1}]}), 404)
    stale = {**payment, "invoiceVersion": "2020-01-01T00:00:00"}
    assert errors(signed_in.call("POST", "/payments", {"payments": [stale]})).keys() == {"version"}


class Inbox(HTTPServer):
    """Somebody who listens for webhooks."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        until = time.monotonic() + 10
        while len(self.deliveries) < count and time.monotonic() < until:
            time.sleep(0.01)
        return self.deliveries


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.deliveries.append((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


def hook(inbox: Inbox | None = None, **changed: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{inbox.server_port}/hook?c=1" if inbox else "http://localhost:1/hook"
    return {"url": url, "authenticationType": "NONE", "subscriptions": ["INVOICE_PAYMENT_CREATED"], **changed}


def test_webhooks_are_kept_listed_replaced_and_removed(server: SandboxServer, writer: Software) -> None:
    answer = writer.call("POST", "/webhooks", hook())
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "uuid"}
    ident = answer.json()["uuid"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ident)
    (listed,) = writer.ask("/webhooks").json()["results"]
    assert listed == {"uuid": ident, "authenticationMeta": None, **hook()}
    changed = hook(subscriptions=["PAYMENT_DELETED"])
    assert writer.call("PUT", f"/webhooks/{ident}", changed).status_code == 200
    assert writer.ask("/webhooks", eventType="INVOICE_PAYMENT_CREATED").json()["results"] == []
    assert len(writer.ask("/webhooks", eventType="PAYMENT_DELETED").json()["results"]) == 1
    for wrong in (hook(subscriptions=[]), hook(subscriptions=["INVOICE_CHANGED"]), hook(url="ftp://x"),
                  hook(authenticationType="HMAC"), hook(authenticationType="BASIC")):  # fmt: skip
        assert errors(writer.call("POST", "/webhooks", wrong))
    with Software(server) as other:
        other.enter(server.setup_company(10452)["api_key"])
        assert errors(other.call("DELETE", f"/webhooks/{ident}"), 404)
        assert other.ask("/webhooks").json()["results"] == []
    assert writer.call("DELETE", f"/webhooks/{ident}").status_code == 204
    assert errors(writer.call("DELETE", f"/webhooks/{ident}"), 404)


def test_a_confirmed_payment_is_told_to_those_who_asked(
    server: SandboxServer, signed_in: Software, inbox: Inbox
) -> None:
    signed = hook(inbox, authenticationType="HMAC", authenticationMeta={"secret": "made up"})
    idents = [signed_in.call("POST", "/webhooks", body).json()["uuid"] for body in (hook(inbox), signed)]
    signed_in.call("POST", "/webhooks", hook(inbox, subscriptions=["PAYMENT_DELETED"]))
    ident = start_confirmation(signed_in, "POST", "/payments", payable(signed_in))
    server.control("confirm", {})
    by_webhook = {json.loads(body)["webhookUuid"]: (headers, body) for headers, body in inbox.wait(2)}
    assert set(by_webhook) == set(idents)
    message = json.loads(by_webhook[idents[0]][1])
    assert message["eventType"] == "INVOICE_PAYMENT_CREATED"
    assert message["payload"]["transactionIdentifier"] == ident
    assert message["payload"]["result"]["transactions"]
    assert set(message["meta"]) == {"version", "timestamp"}
    assert "X-Procountor-Signature" not in by_webhook[idents[0]][0]
    headers, body = by_webhook[idents[1]]
    assert headers["X-Procountor-Signature"] == hmac.new(b"made up", body, hashlib.sha256).hexdigest()

    server.switches(webhook_signature="base64")
    start_confirmation(signed_in, "POST", "/payments", payable(signed_in))
    server.control("confirm", {})
    (headers, body) = next(each for each in inbox.wait(4)[2:] if json.loads(each[1])["webhookUuid"] == idents[1])
    digest = base64.b64encode(hmac.new(b"made up", body, hashlib.sha256).digest()).decode()
    assert headers["Authorization"] == f"HMAC {digest}"
