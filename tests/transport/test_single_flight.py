"""One token request, whatever the number of callers, threads and processes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from connections.spec.errors import Unauthorized
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client
from connections.transport.limits import rate_limiter
from connections.transport.models import RequestLogEntry
from connections.vault.models import Grant
from connections.vault.secret import Secret
from connections.vault.services import store_credential
from tests.processes import ROOT, worker_environment
from tests.roles import acting_as

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.process]
PROCESSES, THREADS = 4, 8


def send_from_everywhere(connection):
    """32 senders in 4 processes, all at the same moment; their outcomes."""
    arguments = [str(connection.tenant_id), str(connection.id), str(THREADS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.transport.send_worker", *arguments],
            cwd=ROOT,
            env=worker_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate(timeout=10)[1][-2000:]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = []
    for process in processes:
        output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors[-2000:]
        outcomes += json.loads(output)
    return outcomes


def expire(connection):
    past = timezone.now() - timedelta(hours=2)
    with tenant_scope(connection.tenant_id):
        Grant.objects.update(issued_at=past, expires_at=past + timedelta(hours=1))


def test_32_senders_with_an_expired_token_ask_for_one(connected, sandbox):
    with acting_as("worker"):
        Client(connection=connected).send("session")
    expire(connected)
    sandbox.reset_counters()
    outcomes = send_from_everywhere(connected)
    assert outcomes == ["200"] * (PROCESSES * THREADS)
    assert sandbox.state()["token_requests"] == 1
    assert RequestLogEntry.objects.filter(operation="token").count() == 2


def test_32_senders_without_any_token_ask_for_one(connected, sandbox):
    outcomes = send_from_everywhere(connected)
    assert outcomes == ["200"] * (PROCESSES * THREADS)
    assert sandbox.state()["token_requests"] == 1


def test_32_senders_with_a_revoked_key_are_refused_once(connected, sandbox):
    sandbox.revoke(connected.api_key)
    sandbox.reset_counters()
    outcomes = send_from_everywhere(connected)
    assert outcomes == ["api-key-wrong"] * (PROCESSES * THREADS)
    assert sandbox.state()["token_requests"] == 1


def test_a_thousand_calls_in_an_hour_need_at_most_two_tokens(connected, sandbox, monkeypatch):
    monkeypatch.setattr(rate_limiter, "MARGIN", 0.0)  # the hour is injected, the database's clock is not
    with acting_as("worker"), time_machine.travel(timezone.now(), tick=False) as clock:
        for call in range(1000):
            if call % 50 == 0:
                sandbox.clock(call * 3.6)
            assert Client(connection=connected).send("session").status == 200
            clock.shift(timedelta(seconds=3.6))
    assert 1 <= sandbox.state()["token_requests"] <= 2


def test_the_claim_of_a_crashed_caller_is_taken_over(connected, sandbox):
    """A claim that its holder never gave back is not waited for longer than it lasts: who waits longer fails."""
    with acting_as("worker"):
        Client(connection=connected).send("session")
    expire(connected)
    Grant.objects.update(claimed_by="somebody who died", claimed_until=timezone.now() + timedelta(seconds=1))
    with acting_as("worker"):
        Client(connection=connected).send("session")
    assert Grant.objects.get().claimed_by == ""


def test_a_new_credential_is_asked_for_even_after_a_refusal(connected, sandbox):
    sandbox.revoke(connected.api_key)
    with acting_as("worker"):
        client = Client(connection=connected)
        with pytest.raises(Unauthorized):
            client.new_token()
    new_key = sandbox.new_key(connected.api_user)
    with tenant_scope(connected.tenant_id):
        store_credential(connection=connected, name="api_key", secret=Secret(new_key), actor=SYSTEM)
    with acting_as("worker"):
        client.new_token()
        assert client.send("session").status == 200
