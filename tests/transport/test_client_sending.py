"""The send loop against a provider that misbehaves: what is retried, renewed, written down, and never told."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections.providers import registry
from connections.spec.errors import (
    Blocked,
    Forbidden,
    OutcomeUnknown,
    QuotaExhausted,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from connections.spec.operations import Arguments, Operation
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.transport.limits import circuit_breaker, retry
from connections.transport.log import writer
from connections.transport.log.writer import request_id
from connections.transport.models import RequestLogEntry
from connections.vault.secret import Secret
from tests.roles import acting_as
from tests.transport.conftest import API_KEY, CLIENT_SECRET, at_hosts

TOKEN = "tok-canary-1"
pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture(autouse=True)
def quick_steps(monkeypatch):
    monkeypatch.setattr(retry, "STEPS_SECONDS", (0.01, 0.02, 0.04))
    monkeypatch.setattr(retry, "LONGEST_RETRY_WAIT_SECONDS", 2.0)


@pytest.fixture
def client(uncanny, monkeypatch):
    """Beside what Procountor declares, an operation that writes and one with a placeholder."""
    provider = registry.find("procountor")
    more = (Operation("send", "POST", "/things", "Send"), Operation("one", "GET", "/things/{id}", "One"))
    provider = replace(
        provider,
        operations=(*provider.operations, *more),
        deadlines=replace(provider.deadlines, total=1.0, body_bytes=10_000),
    )
    monkeypatch.setattr(registry, "find", lambda slug: provider)
    return Client(connection=uncanny)


def answering(hostile, *answers):
    """Tokens for who asks; to calls these answers in turn, the last one for ever: (status, body, headers)."""
    left = list(answers)

    def behave(line):
        if line.asked.endswith("/oauth/token"):
            line.answer(200, {"access_token": TOKEN, "expires_in": 3600})
            return
        answer = left.pop(0) if len(left) > 1 else left[0]
        if callable(answer):
            answer(line)
        else:
            status, body, *headers = answer
            line.answer(status, body, **(headers[0] if headers else {}))

    hostile.behave = behave


def send(client, arguments=None, operation="session"):
    with acting_as("worker"):
        return client.send(operation, arguments or Arguments())


def calls(hostile):
    return [line for line in hostile.asked if not line.asked.endswith("/oauth/token")]


def entries():
    return list(RequestLogEntry.objects.exclude(operation="token").order_by("at", "attempt"))


# -- what comes back -------------------------------------------------------------------------------------------------


def test_a_call_is_signed_and_answered(hostile, client):
    answering(hostile, (200, {"a": 1}, {"X_Request_Id": "r-1"}))
    reply = send(client, Arguments(query={"size": "2"}))
    assert (reply.status, reply.body, reply.document, reply.provider_request_id) == (200, {"a": 1}, b'{"a": 1}', "r-1")
    (line,) = calls(hostile)
    assert line.asked == "GET /latest/api/sessioninfo?size=2"
    assert f"Authorization: Bearer {TOKEN}".encode() in line.head
    assert TOKEN not in repr(reply)
    assert "a" not in repr(reply).split("entry_id")[0].removeprefix("Reply(status=200, ")


def test_an_empty_answer_is_no_body(hostile, client):
    answering(hostile, (204, b""))
    assert send(client).body is None


KINDS = [
    (400, b"{}", Rejected, "bad-request", "refused"),
    (403, b"{}", Forbidden, "right-missing", "refused"),
    (404, b"<html>", Rejected, "not-found", "refused"),
    (418, b"", Rejected, "unknown-refusal", "refused"),
    (301, b"{}", Rejected, "redirected", "refused"),
    (307, b"", Rejected, "redirected", "refused"),
    (200, b"<html>login</html>", Unreadable, "unreadable", "unreadable"),
    (200, b"[" * 5000 + b"]" * 5000, Unreadable, "unreadable", "unreadable"),
    (200, b'{"a": NaN}', Unreadable, "unreadable", "unreadable"),
    (200, b"\xff", Unreadable, "unreadable", "unreadable"),
    (200, b" " * 20_000, Unreadable, "unreadable", "unreadable"),
]


@pytest.mark.parametrize(("status", "body", "kind", "fault", "outcome"), KINDS)
def test_a_refusal_is_named_and_not_repeated(hostile, client, status, body, kind, fault, outcome):
    answering(hostile, (status, body, {"Location": f"{hostile.address}/x"}))
    with pytest.raises(Exception, match=fault) as caught:
        send(client)
    assert type(caught.value) is kind
    assert len(calls(hostile)) == 1
    (entry,) = entries()
    assert (entry.id, entry.fault, entry.outcome) == (caught.value.entry_id, fault, outcome)


def test_an_address_that_we_refuse_is_blocked(hostile, client, monkeypatch):
    at_hosts(client, loopback=False)
    with pytest.raises(Blocked) as caught:
        send(client)
    assert caught.value.fault.code == "blocked"
    assert hostile.asked == []
    assert RequestLogEntry.objects.get().outcome == "blocked"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_no_value_leads_to_another_path(hostile, client, value):
    with pytest.raises(ValueError, match="path"):
        send(client, Arguments(path={"id": value}), "one")
    assert hostile.asked == []


@pytest.mark.parametrize("body", [{"id": 10**30}, {"a": {1, 2}}, object()], ids=["number", "set", "object"])
def test_what_cannot_be_written_is_never_marked_as_sent(hostile, client, body):
    kept = []
    with acting_as("worker"), pytest.raises(TypeError):
        client.send("send", Arguments(body=body), before_write=kept.append)
    assert (kept, hostile.asked, entries()) == ([], [], [])


@pytest.mark.parametrize("gone", ["simulator", "environment"])
def test_an_environment_that_is_gone_is_a_fault_like_others(hostile, client, settings, gone):
    settings.SANDBOX_HOSTS = {}
    client.connection.environment = "sandbox" if gone == "simulator" else "test"
    vars(client.context)["provider"] = replace(client.provider, hosts={})
    with pytest.raises(Blocked) as caught:
        send(client)
    assert caught.value.fault.code == "blocked"
    assert hostile.asked == []


def test_a_value_stays_within_its_place(hostile, client):
    answering(hostile, (200, {}))
    send(client, Arguments(path={"id": "../a?b=c#d/ä"}), "one")
    assert calls(hostile)[0].asked == "GET /latest/api/things/..%2Fa%3Fb%3Dc%23d%2F%C3%A4"
    assert [entry.path_template for entry in client.pending] == ["/things/{id}"]


# -- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [(503, b""), (500, b"<html>"), (429, b""), (408, b""), lambda line: line.hang_up()]
)
def test_trouble_is_survived_by_what_may_be_repeated(hostile, client, trouble):
    answering(hostile, trouble, trouble, (200, {}))
    assert send(client).status == 200
    assert len(calls(hostile)) == 3
    assert [entry.attempt for entry in entries()] == [1, 2]
    assert [entry.attempt for entry in client.pending] == [3]


@pytest.mark.parametrize("trouble", [(503, b""), (429, b"")])
def test_a_write_is_sent_once(hostile, client, trouble):
    answering(hostile, trouble)
    with pytest.raises(Unavailable):
        send(client, Arguments(body={"a": 1}), "send")
    assert len(calls(hostile)) == 1


@pytest.mark.parametrize(
    "lost", [(500, b""), (502, b""), (504, b""), (408, b""), (200, b"<html>"), lambda line: line.hang_up()]
)
def test_a_write_without_a_clear_answer_has_an_unknown_outcome(hostile, client, lost):
    answering(hostile, lost)
    with pytest.raises(OutcomeUnknown) as caught:
        send(client, Arguments(body={"a": 1}), "send")
    assert len(calls(hostile)) == 1
    assert [entry.id for entry in entries()] == [caught.value.entry_id]


def test_an_intent_is_kept_before_a_write_leaves(hostile, client):
    kept = []
    answering(hostile, lambda line: (kept.append("left"), line.answer(201, {})))
    with acting_as("worker"):
        reply = client.send("send", Arguments(body={}), before_write=kept.append)
    assert kept == [reply.entry_id, "left"]


def test_what_took_long_by_itself_is_not_retried_in_place(hostile, client, monkeypatch):
    monkeypatch.setattr(retry, "LONGEST_CALL_SECONDS", 0.0)
    answering(hostile, (503, b""))
    with pytest.raises(Unavailable):
        send(client)
    assert len(calls(hostile)) == 1


def test_retries_end_after_the_longest_wait_and_the_work_is_put_down(hostile, client, monkeypatch):
    monkeypatch.setattr(retry, "STEPS_SECONDS", (0.1, 0.2, 0.4, 0.8))
    monkeypatch.setattr(retry, "LONGEST_RETRY_WAIT_SECONDS", 0.9)
    answering(hostile, (503, b""))
    with pytest.raises(Unavailable) as caught:
        send(client)
    assert len(calls(hostile)) == 4
    assert 0.7 < (caught.value.retry_at - timezone.now()).total_seconds() < 1.1


def test_a_short_retry_after_is_waited_for_in_place(hostile, client):
    answering(hostile, (429, b"", {"Retry_After": "1"}), (200, {}))
    started = time.monotonic()
    send(client)
    assert time.monotonic() - started >= 1


def test_retries_in_place_are_a_tenth_of_the_calls(hostile, client, monkeypatch):
    """Trouble that comes and goes: without a limit every call would be sent twice."""
    monkeypatch.setattr(circuit_breaker, "OPENING_FAILURES", 10**6)
    troubled = [(503, b""), (200, {})] * 40
    answering(hostile, *troubled)
    put_down = 0
    for _ in range(40):
        try:
            send(client)
        except Unavailable:
            put_down += 1
    retried = sum(entry.attempt > 1 for entry in entries())
    assert retried <= len(calls(hostile)) * retry.RETRIES_PER_CALL + retry.FIRST_RETRIES
    assert put_down > 10


def test_a_long_retry_after_puts_the_work_down(hostile, client):
    answering(hostile, (429, b"", {"Retry_After": "600"}))
    before = timezone.now()
    with pytest.raises(QuotaExhausted) as caught:
        send(client)
    assert timedelta(seconds=600) <= caught.value.retry_at - before < timedelta(seconds=605)
    assert caught.value.fault.code == "too-many-requests"


def test_a_refused_token_is_renewed_once_and_the_call_repeated_once(hostile, client):
    answering(hostile, (401, b"{}"))
    with pytest.raises(Unauthorized) as caught:
        send(client)
    assert caught.value.fault.code == "token-refused"
    assert [line.asked.split()[1].rsplit("/", 1)[1] for line in hostile.asked] == [
        "token",
        "sessioninfo",
        "token",
        "sessioninfo",
    ]


def test_a_refused_token_on_a_write_is_renewed_and_the_write_repeated(hostile, client):
    """401 says that nothing was done."""
    answering(hostile, (401, b"{}"), (201, {}))
    assert send(client, Arguments(body={"a": 1}), "send").status == 201


# -- what is written down --------------------------------------------------------------------------------------------


def test_every_attempt_is_an_entry_with_its_facts(hostile, client):
    answering(
        hostile,
        (503, b"busy", {"X_Request_Id": "r-1", "X_Rate_Limit_Remaining": "7"}),
        (200, b"[1]", {"X_Request_Id": "r-2"}),
    )
    reply = send(client)
    assert [entry.operation for entry in RequestLogEntry.objects.order_by("at")] == ["token", "session"]
    with tenant_scope(client.connection.tenant_id):
        client.write_pending()
    assert client.pending == []
    failed, good = entries()
    assert (failed.status, failed.outcome, failed.fault, failed.attempt) == (503, "troubled", "provider-trouble", 1)
    assert (failed.provider_request_id, failed.quota_left, failed.bytes_in) == ("r-1", 7, 4)
    assert (good.id, good.status, good.outcome, good.fault, good.attempt) == (reply.entry_id, 200, "answered", "", 2)
    assert (good.provider_request_id, good.quota_left, good.bytes_in) == ("r-2", None, 3)
    for entry in (failed, good):
        assert (entry.tenant_id, entry.connection_id) == (client.connection.tenant_id, client.connection.id)
        assert (entry.provider, entry.environment, entry.method) == ("procountor", "sandbox", "GET")
        assert entry.path_template == "/sessioninfo"
        assert (entry.run_id, entry.checkpoint) == (None, "")
        assert 0 <= entry.token_age_s < 60


def test_an_attempt_without_an_answer_says_how_long_it_was_waited_for(hostile, client):
    answering(hostile, lambda line: time.sleep(3))
    client.provider = replace(
        client.provider, operations=[replace(client.provider.operation("session"), retried=False)]
    )
    with pytest.raises(Unavailable):
        send(client)
    (entry,) = entries()
    assert (entry.status, entry.outcome, entry.fault) == (None, "unreachable", "no-answer")
    assert 900 < entry.duration_ms < 2500


def test_the_entry_of_a_write_is_written_at_once(hostile, client):
    answering(hostile, (201, {}))
    send(client, Arguments(body={}), "send")
    assert client.pending == []
    assert [entry.operation for entry in entries()] == ["send"]


IDS = [
    ("c0ce64e5-d351-48fb-9c30-f19ffd3a2b0e", True), ("a", True), ("A.b_c:d-9", True), ("x" * 128, True),
    ("x" * 129, False), ("a b", False), ("<script>", False), ("a\x1b[2J", False), ("ä", False), ("a/b", False),
    ("a,b", False), ("'", False), ("a\n", False),
]  # fmt: skip


@pytest.mark.parametrize(("given", "is_kept"), IDS)
def test_a_request_id_is_an_id_or_a_hash(given, is_kept):
    kept = request_id(registry.find("procountor"), {"x-request-id": given})
    assert (kept == given) is is_kept
    if not is_kept:
        assert kept.startswith("unprintable id, hash ")
        assert len(kept) <= 140
        assert kept == request_id(registry.find("procountor"), {"x-request-id": given})


@pytest.mark.parametrize("provider", sorted(registry.all_providers()))
@pytest.mark.parametrize("name", writer.USUAL_REQUEST_ID_HEADERS)
def test_a_usual_header_is_kept_for_every_provider(provider, name):
    assert request_id(registry.find(provider), {name: "seen-by-support"}) == "seen-by-support"
    assert name in writer.request_id_headers(registry.find(provider))


def test_of_several_the_documented_one_counts_unless_it_is_none():
    smartbusiness = registry.find("smartbusiness")
    both = {"x-request-id": "documented", "cf-ray": "of-the-gateway", "x-correlation-id": "other"}
    assert request_id(smartbusiness, both) == "documented"
    assert request_id(smartbusiness, {**both, "x-request-id": "<no id>"}) == "other"
    assert request_id(smartbusiness, {"x-request-id": "<no id>"}).startswith("unprintable id, hash ")
    assert request_id(smartbusiness, {"x-request-id": ""}) == ""


def test_our_own_secret_is_no_request_id():
    secret = Secret("tok-4f5e6d7c8b9a0")
    assert request_id(registry.find("procountor"), {"x-request-id": "tok-4f5e6d7c8b9a0"}) == "tok-4f5e6d7c8b9a0"
    secret.reveal()
    for echo in ("tok-4f5e6d7c8b9a0", b"tok-4f5e6d7c8b9a0".hex()):
        assert request_id(registry.find("procountor"), {"x-request-id": echo}).startswith("unprintable id, hash ")


@pytest.mark.parametrize("trouble", [(500, b"{}"), (401, b"{}"), (200, b"<"), (302, b""), lambda line: line.hang_up()])
def test_no_secret_stands_in_an_error_or_the_log(hostile, client, caplog, trouble, monkeypatch):
    monkeypatch.setattr(retry, "LONGEST_RETRY_WAIT_SECONDS", 0.1)
    answering(hostile, trouble)
    with caplog.at_level(logging.INFO), pytest.raises(Exception, match=r"\w+: [a-z-]+$") as caught:
        send(client, Arguments(query={"secret": TOKEN}, body={"password": API_KEY}))
    with database.cursor() as cursor:
        cursor.execute("SELECT e::text FROM transport_entry e UNION ALL SELECT q::text FROM transport_quotawindow q")
        rows = str(cursor.fetchall())
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + rows
    for secret in (TOKEN, API_KEY, CLIENT_SECRET, hostile.address):
        assert secret not in told
