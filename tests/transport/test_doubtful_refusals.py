"""A refusal that a machine on the way may have made breaks nothing at once: it counts when it is still there later."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db.models import F
from django.utils import timezone

from connections.spec.errors import CallFailed, Forbidden, Rejected, Unauthorized, Unavailable
from connections.transport import client as client_module
from connections.transport.client import Client
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection, Grant
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("db")
PAGE = b"  <!DOCTYPE html><title>Access denied</title>"
WORDS = {"errors": [{"status": 403, "message": "NO_RIGHTS"}]}
DOUBTFUL = [
    (401, b"{}", Unauthorized, "token-refused"),
    (401, {"errors": [{"status": 401, "message": "Token is not valid"}]}, Unauthorized, "token-refused"),
    (401, PAGE, Rejected, "turned-away"),
    (403, b"", Forbidden, "right-missing"),
    (403, PAGE, Rejected, "turned-away"),
    (404, PAGE, Rejected, "turned-away"),
    (400, b"<HTML>", Rejected, "turned-away"),
]


@pytest.fixture
def standing(uncanny):
    """Set up and connected."""
    Connection.objects.update(state="connected")
    uncanny.refresh_from_db()
    return uncanny


def answering(hostile, status, body=b"{}"):
    hostile.behave = lambda line: (
        line.answer(200, {"access_token": f"t-{len(hostile.asked)}", "expires_in": 3600})
        if line.asked.endswith("/oauth/token")
        else line.answer(status, body)
    )


def send(connection, operation="session"):
    with acting_as("worker"):
        return Client(connection=connection, run_id=uuid.uuid4()).send(operation)


def refused(connection):
    with pytest.raises(CallFailed) as caught:
        send(connection)
    return caught.value


def pass_time(seconds):
    with acting_as("owner"):
        RequestLogEntry.objects.update(at=F("at") - timedelta(seconds=seconds))
        Grant.objects.update(issued_at=F("issued_at") - timedelta(seconds=seconds), wait_until=None)


@pytest.mark.parametrize(("status", "body", "kind", "fault"), DOUBTFUL)
def test_a_doubtful_refusal_is_asked_again_after_a_minute_and_counts_then(
    hostile, standing, status, body, kind, fault
):
    answering(hostile, status, body)
    for _ in range(2):  # within the minute it is no more than one
        first = refused(standing)
        assert (type(first), first.fault.code) == (Unavailable, "turned-away")
        assert 55 < (first.retry_at - timezone.now()).total_seconds() < 61
    pass_time(61)
    second = refused(standing)
    assert (type(second), second.fault.code) == (kind, fault)


@pytest.mark.parametrize(("status", "body", "kind", "fault"), DOUBTFUL)
def test_one_that_has_passed_meanwhile_counts_for_nothing(hostile, standing, status, body, kind, fault):
    for _ in range(3):
        answering(hostile, status, body)
        assert refused(standing).fault.code == "turned-away"
        pass_time(61)
        answering(hostile, 200)
        client = Client(connection=standing)
        with acting_as("worker"):
            client.send("session")
        RequestLogEntry.objects.bulk_create(client.pending)
        pass_time(61)


@pytest.mark.parametrize(("status", "body", "kind", "fault"), DOUBTFUL)
def test_in_set_up_a_refusal_counts_at_once(hostile, uncanny, status, body, kind, fault):
    """A person waits for the answer, and nothing has worked before that could be broken."""
    answering(hostile, status, body)
    assert not isinstance(refused(uncanny), Unavailable)


def test_what_the_provider_says_in_its_own_words_counts_at_once(hostile, standing):
    answering(hostile, 403, WORDS)
    assert type(refused(standing)) is Forbidden


def test_another_refusal_than_before_is_the_first_one(hostile, standing):
    answering(hostile, 401)
    refused(standing)
    pass_time(61)
    answering(hostile, 403, b"")
    assert refused(standing).fault.code == "turned-away"


def test_a_session_that_opens_other_things_is_not_refused_as_such(hostile, standing):
    """One endpoint wants something else than our token: nobody's key is to blame, and the others go on."""
    hostile.behave = lambda line: (
        line.answer(200, {"access_token": f"t-{len(hostile.asked)}", "expires_in": 3600})
        if line.asked.endswith("/oauth/token")
        else line.answer(401 if "sessioninfo" in line.asked else 200)
    )
    client = Client(connection=standing)
    with acting_as("worker"):
        client.send("company")
    RequestLogEntry.objects.bulk_create(client.pending)
    refused(standing)
    pass_time(61)
    told = refused(standing)
    assert (type(told), told.fault.code) == (Rejected, "turned-away")
    pass_time(660)
    assert refused(standing).fault.code == "token-refused"  # nothing at all was answered lately


@pytest.mark.parametrize("connected", [False, True], ids=["in set-up", "connected"])
def test_a_token_that_is_not_known_everywhere_yet_is_sent_once_more(hostile, uncanny, connected, monkeypatch):
    """The server that answers calls hears of a token a moment after the one that gives it."""
    monkeypatch.setattr(client_module, "TOKEN_SPREADS_SECONDS", 0.6)
    given = []

    def told():
        given.append(time.monotonic())
        return f"t-{len(given)}"

    hostile.behave = lambda line: (
        line.answer(200, {"access_token": told(), "expires_in": 3600})
        if line.asked.endswith("/oauth/token")
        else line.answer(401 if time.monotonic() - given[-1] < 0.4 else 200)
    )
    if connected:
        Connection.objects.update(state="connected")
        uncanny.refresh_from_db()
    assert send(uncanny).status == 200
    assert len(given) == 2  # one was renewed, and that one waited for


def test_a_new_token_that_stays_refused_is_sent_once_more_and_no_oftener(hostile, standing, monkeypatch):
    slept = []
    monkeypatch.setattr(client_module, "TOKEN_SPREADS_SECONDS", 60.0)
    monkeypatch.setattr(client_module, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    answering(hostile, 401)
    assert refused(standing).fault.code == "turned-away"
    assert sum(not line.asked.endswith("/oauth/token") for line in hostile.asked) == 3
    assert len(slept) == 1
