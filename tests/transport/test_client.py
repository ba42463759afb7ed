"""The send loop against the real simulator over real TLS."""

from __future__ import annotations

import pytest

from connections.spec.errors import Forbidden, Unauthorized, Unavailable
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.transport.limits import retry
from connections.transport.models import Outcome, RequestLogEntry
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db")


def write(client):
    with tenant_scope(client.connection.tenant_id):
        client.write_pending()


def test_a_call_brings_its_answer_and_its_entries(connected, sandbox):
    with acting_as("worker"):
        client = Client(connection=connected, checkpoint="api-key")
        reply = client.send("session")
        write(client)
    assert reply.status == 200
    assert str(reply.body["companyId"]) == connected.company_id
    token, call = RequestLogEntry.objects.order_by("at")
    assert (token.operation, token.path_template, token.outcome) == ("token", "/oauth/token", "answered")
    assert (call.operation, call.status, call.outcome) == ("session", 200, Outcome.ANSWERED)
    assert call.id == reply.entry_id
    assert 0 <= call.token_age_s < 60
    assert call.checkpoint == "api-key"


def test_a_token_is_used_again(connected, sandbox):
    with acting_as("worker"):
        for _ in range(5):
            Client(connection=connected).send("session")
    assert sandbox.state()["token_requests"] == 1


def test_a_revoked_key_is_named(connected, sandbox):
    with acting_as("worker"):
        Client(connection=connected).send("session")
        sandbox.revoke(connected.api_key)
        with pytest.raises(Unauthorized) as caught:
            Client(connection=connected).send("session")
    assert caught.value.fault.code == "api-key-refused"
    assert caught.value.fault.checkpoint == "api-key"
    entry = RequestLogEntry.objects.get(id=caught.value.entry_id)
    assert (entry.status, entry.fault, entry.operation) == (401, "api-key-refused", "token")
    assert connected.api_key not in str(caught.value)


def test_a_forbidden_usage_setting_is_told_from_a_bad_key(connected, sandbox):
    sandbox.control("usage", {"allowed": False})
    with acting_as("worker"), pytest.raises(Forbidden) as caught:
        Client(connection=connected).send("session")
    assert caught.value.fault.checkpoint == "usage-settings"


def test_trouble_that_passes_is_survived(connected, sandbox, monkeypatch):
    monkeypatch.setattr(retry, "STEPS_SECONDS", (0.01, 0.02))
    with acting_as("worker"):
        Client(connection=connected).send("session")
        sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 2}])
        Client(connection=connected).send("session")
    attempts = RequestLogEntry.objects.filter(operation="session", status=503).order_by("at")
    assert [entry.attempt for entry in attempts] == [1, 2]


def test_lasting_trouble_is_put_down_until_later(connected, sandbox, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    with acting_as("worker"):
        Client(connection=connected).send("session")
        sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 9, "headers": {"Retry-After": "120"}}])
        with pytest.raises(Unavailable) as caught:
            Client(connection=connected).send("session")
    left = (caught.value.retry_at - RequestLogEntry.objects.latest("at").at).total_seconds()
    assert 119 < left < 160


def test_a_token_that_died_early_is_renewed_once(connected, sandbox):
    with acting_as("worker"):
        Client(connection=connected).send("session")
        sandbox.change_user(connected.api_user, password_changed=True)
        Client(connection=connected).send("session")
    assert sandbox.state()["token_requests"] == 2
