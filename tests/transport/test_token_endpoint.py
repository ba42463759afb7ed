"""Every odd answer of a token endpoint: what it becomes, and that nothing is lost, looped or told."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.db import connection as database
from django.utils import timezone

from connections.providers import registry
from connections.spec.errors import Forbidden, QuotaExhausted, Rejected, Unauthorized, Unavailable, Unreadable
from connections.spec.grants import ClientCredentials, ClientOwner, TokenBody
from connections.transport.client import Client
from connections.transport.models import RequestLogEntry
from connections.transport.oauth import token_endpoint, token_store
from connections.vault.models import ClientRegistration, Credential, Grant
from tests.revealing import bound_for, revealed
from tests.roles import acting_as
from tests.transport.conftest import API_KEY, CLIENT_SECRET

HOUR = timedelta(hours=1)
GOOD = {"access_token": "tok-en.1", "expires_in": 3600, "token_type": "Bearer"}


def ask(connection):
    with acting_as("worker"):
        Client(connection=connection).new_token()


def answering(hostile, status, body=b"", **headers):
    hostile.behave = lambda line: line.answer(status, body, **headers)


def stored():
    """The stored token, opened."""
    return token_store.open_access_token(Grant.objects.get(), timezone.now())


# -- what is sent ----------------------------------------------------------------------------------------------------


def test_the_documented_form_is_sent(hostile, uncanny, db):
    answering(hostile, 200, GOOD)
    ask(uncanny)
    (line,) = hostile.asked
    assert line.asked == "POST /api/oauth/token"
    assert {name: value for name, (value,) in parse_qs(line.body.decode()).items()} == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": CLIENT_SECRET,
        "api_key": API_KEY,
        "redirect_uri": "https://portal.example/callback",
    }
    assert b"Authorization" not in line.head


def test_a_json_body_with_the_customers_own_client(hostile, uncanny, db, monkeypatch):
    flow = ClientCredentials("m2m", client=ClientOwner.CUSTOMERS, scope="write", body=TokenBody.JSON)
    provider = replace(registry.find("procountor"), grants=(flow,))
    monkeypatch.setattr(registry, "find", lambda slug: provider)
    opened = token_endpoint.OpenCredentials(
        {"client_id": "theirs", "client_secret": bound_for(uncanny, "s")}, "ours", None, ""
    )
    monkeypatch.setattr(token_endpoint, "open_credentials", lambda connection: opened)
    answering(hostile, 200, GOOD)
    ask(uncanny)
    assert json.loads(hostile.asked[0].body) == {
        "grant_type": "client_credentials",
        "client_id": "theirs",
        "client_secret": "s",
        "scope": "write",
    }


@pytest.mark.parametrize(
    ("model", "fault", "acts"),
    [(ClientRegistration, "no-registration", "us"), (Credential, "no-credential", "customer")],
)
def test_a_missing_credential_is_reported_without_a_call(hostile, uncanny, db, model, fault, acts):
    model.objects.all().delete()
    with pytest.raises(Unauthorized) as caught:
        ask(uncanny)
    assert (caught.value.fault.code, caught.value.fault.responsible, caught.value.entry_id) == (fault, acts, None)
    assert hostile.asked == []


def test_a_credential_that_does_not_open_is_reported_without_a_call(hostile, uncanny, db):
    Credential.objects.update(ciphertext=b"planted")
    with pytest.raises(Unauthorized) as caught:
        ask(uncanny)
    assert caught.value.fault.code == "no-key"
    assert hostile.asked == []


# -- answers that are tokens -----------------------------------------------------------------------------------------

LIFETIMES = [
    (3600, HOUR), ("3600", HOUR), ("3600.0", HOUR), ("3.6e3", HOUR), ("1e3", timedelta(seconds=1000)), (59.5, 59.5),
    (5, 5), ("5", 5), (1, 1), (0.5, 0.5), (0.0001, HOUR),
    (0, HOUR), (None, HOUR), ("", HOUR), (-5, HOUR), ("-5", HOUR), (True, HOUR), (False, HOUR),
    ([], HOUR), ([3600], HOUR), ({}, HOUR), ("soon", HOUR), ("NaN", HOUR), ("Infinity", HOUR), ("-inf", HOUR),
    ("1" * 400, HOUR), (10**30, 86400), (86400, 86400), (86401, 86400), (43200, 43200), (" 3600 ", HOUR),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), LIFETIMES, ids=[repr(given)[:20] for given, _ in LIFETIMES])
def test_lifetimes_are_read_leniently(given, wanted):
    wanted = wanted if isinstance(wanted, timedelta) else timedelta(seconds=wanted)
    assert token_endpoint.lifetime(given, HOUR) == wanted


ODD_TOKENS = {
    "plain": GOOD,
    "no lifetime": {"access_token": "tok-en.1"},
    "null lifetime": {**GOOD, "expires_in": None},
    "listed lifetime": {**GOOD, "expires_in": [3600]},
    "type in capitals": {**GOOD, "token_type": "BEARER"},
    "type missing": {"access_token": "tok-en.1", "expires_in": 3600},
    "type null": {**GOOD, "token_type": None},
    "scope narrowed": {**GOOD, "scope": "read"},
    "scope with control characters": {**GOOD, "scope": "re\u0000ad\nwrite"},
    "scope too long": {**GOOD, "scope": "x" * 5000},
    "scope a list": {**GOOD, "scope": ["a"]},
    "refresh token nobody asked for": {**GOOD, "refresh_token": "r"},
}


@pytest.mark.parametrize("name", ODD_TOKENS)
@pytest.mark.parametrize("status", [200, 201])
def test_an_odd_token_is_still_a_token(hostile, uncanny, db, name, status):
    answering(hostile, status, ODD_TOKENS[name])
    ask(uncanny)
    assert revealed(stored().secret) == "tok-en.1"
    assert len(hostile.asked) == 1
    assert RequestLogEntry.objects.get().outcome == "answered"


# -- answers that are not --------------------------------------------------------------------------------------------

LOGIN = b"<html><form>Sign in</form></html>"
REFUSALS = [
    (200, b"", Unreadable, "unreadable"),
    (200, LOGIN, Unreadable, "unreadable"),
    (200, b"null", Unreadable, "unreadable"),
    (200, b"[1]", Unreadable, "unreadable"),
    (200, b'"tok"', Unreadable, "unreadable"),
    (200, b"\xff\xfe{", Unreadable, "unreadable"),
    (200, b"[" * 5000, Unreadable, "unreadable"),
    (200, {"token": "t"}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": None}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": ""}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": 5}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": ["t"]}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": "a\r\nX-Evil: 1"}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": "tökén"}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": " t"}, Unreadable, "unreadable"),
    (200, {**GOOD, "access_token": "t" * 20_000}, Unreadable, "unreadable"),
    (200, {**GOOD, "token_type": "mac"}, Unreadable, "unreadable"),
    (200, {**GOOD, "token_type": "DPoP"}, Unreadable, "unreadable"),
    (204, b"", Unreadable, "unreadable"),
    (206, GOOD, Unreadable, "unreadable"),
    (200, {"error": "invalid_grant"}, Unauthorized, "api-key-refused"),
    (200, {**GOOD, "error": "temporarily"}, Unavailable, "turned-away"),
    (302, b"", Rejected, "redirected"),
    (307, b"", Rejected, "redirected"),
    (308, GOOD, Rejected, "redirected"),
    (400, {"error": "invalid_grant"}, Unauthorized, "api-key-refused"),
    (400, {"error": "invalid_client"}, Unauthorized, "client-refused"),
    (400, {"error": "invalid_request"}, Unavailable, "turned-away"),
    (400, {"errors": [{"status": 400, "message": "redirect_uri is missing"}]}, Unavailable, "turned-away"),
    (400, LOGIN, Unavailable, "turned-away"),
    (400, b"", Unavailable, "turned-away"),
    (401, b"", Unavailable, "turned-away"),
    (401, LOGIN, Unavailable, "turned-away"),
    (400, b"invalid_grant", Unauthorized, "api-key-refused"),
    (429, {"error": "invalid_grant"}, QuotaExhausted, "too-many-requests"),
    (503, {"error": "invalid_client"}, Unavailable, "provider-trouble"),
    (401, {"error": "invalid_client"}, Unauthorized, "client-refused"),
    (401, {"errors": [{"status": 401, "message": "API key is not valid"}]}, Unauthorized, "api-key-refused"),
    (401, GOOD, Unavailable, "turned-away"),
    (403, LOGIN, Unavailable, "turned-away"),
    (403, b"", Unavailable, "turned-away"),
    (403, {"errors": [{"message": "INVOICEABLE_API_CLIENTS_NOT_ALLOWED"}]}, Forbidden, "usage-forbidden"),
    (404, LOGIN, Unavailable, "turned-away"),
    (405, b"", Unavailable, "turned-away"),
    (408, b"", Unavailable, "unknown-refusal"),
    (415, b"", Unavailable, "turned-away"),
    (429, b"", QuotaExhausted, "too-many-requests"),
    (500, LOGIN, Unavailable, "provider-trouble"),
    (502, LOGIN, Unavailable, "provider-trouble"),
    (503, GOOD, Unavailable, "provider-trouble"),
    (504, b"", Unavailable, "provider-trouble"),
    (599, b"", Unavailable, "unknown-refusal"),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "fault"), REFUSALS, ids=[f"{row[0]} {str(row[1])[:30]}" for row in REFUSALS]
)
def test_a_refusal_is_named_once_and_the_old_token_kept(hostile, uncanny, db, status, body, kind, fault):
    answering(hostile, 200, GOOD)
    ask(uncanny)
    hostile.asked.clear()
    answering(hostile, status, body, Location=f"{hostile.address}/elsewhere", X_Request_Id="req-1")
    with pytest.raises(Exception, match=fault) as caught:
        ask(uncanny)
    assert type(caught.value) is kind
    assert caught.value.fault.code == fault
    assert [line.asked for line in hostile.asked] == ["POST /api/oauth/token"]
    assert revealed(stored().secret) == "tok-en.1"
    entry = RequestLogEntry.objects.get(id=caught.value.entry_id)
    assert (entry.operation, entry.status, entry.fault) == ("token", status, fault)
    assert entry.provider_request_id == caught.value.provider_request_id == "req-1"
    assert entry.outcome == ("unreadable" if fault == "unreadable" else "troubled" if status >= 500 else "refused")


def test_a_cut_connection_is_no_refusal(hostile, uncanny, db):
    hostile.behave = lambda line: line.hang_up()
    with pytest.raises(Unavailable) as caught:
        ask(uncanny)
    assert caught.value.fault.code == "no-answer"
    assert RequestLogEntry.objects.get().outcome == "unreachable"


def test_an_answer_over_the_cap_is_unreadable(hostile, uncanny, db, monkeypatch):
    provider = registry.find("procountor")
    small = replace(provider, deadlines=replace(provider.deadlines, body_bytes=1000))
    monkeypatch.setattr(registry, "find", lambda slug: small)
    answering(hostile, 200, b" " * 2000)
    with pytest.raises(Unreadable):
        ask(uncanny)
    assert RequestLogEntry.objects.get().outcome == "unreadable"


def test_what_the_provider_asks_for_is_a_floor(hostile, uncanny, db):
    answering(hostile, 503, b"", Retry_After="90")
    with pytest.raises(Unavailable) as caught:
        ask(uncanny)
    entry = RequestLogEntry.objects.get()
    assert 89 < (caught.value.retry_at - entry.at).total_seconds() < 95


# -- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_nothing_that_a_provider_echoes_is_told(hostile, uncanny, db, caplog, status):
    """Error descriptions echo secrets and markup (F15)."""
    echo = f"{CLIENT_SECRET} {API_KEY} <script>alert(1)</script>\r\nSet-Cookie: a"
    answering(hostile, status, {"error": echo, "error_description": echo, "errors": [{"message": echo}]})
    with caplog.at_level(logging.INFO), pytest.raises(Exception, match="Un") as caught:
        ask(uncanny)
    with database.cursor() as cursor:
        cursor.execute("SELECT e::text FROM transport_entry e UNION ALL SELECT g::text FROM vault_grant g")
        rows = str(cursor.fetchall())
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text + rows
    for secret in (CLIENT_SECRET, API_KEY, "script", "client-s3cret"):
        assert secret not in told
