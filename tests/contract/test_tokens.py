"""One token for many calls, one request for many callers, and a new one when the provider ends the old."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection as database

from connections.transport.models import RequestLogEntry
from connections.vault.models import Grant
from tests.contract.auth_methods import AuthMethod
from tests.contract.customers import Customer
from tests.roles import acting_as

CALLS, CALLERS = 10, 8


def token_entries(customer: Customer) -> int:
    return RequestLogEntry.objects.filter(connection=customer.connection, operation__startswith="token").count()


def test_many_calls_need_one_token_request(customer: Customer) -> None:
    customer.ask()
    customer.expire()
    before = token_entries(customer)
    customer.simulator.control("reset-counters", {})
    for _ in range(CALLS):
        assert customer.ask().status == 200
    assert customer.simulator.state()["token_requests"] == 1
    assert token_entries(customer) == before + 1


@pytest.mark.usefixtures("committed_db")
def test_many_callers_at_once_refresh_once(arrive: Callable[[AuthMethod], Customer], plain_way: AuthMethod) -> None:
    customer = arrive(plain_way).connect()
    customer.ask()
    customer.expire()
    generation = Grant.objects.get(connection=customer.connection).generation
    customer.simulator.control("reset-counters", {})
    # The first request, which is for a token, takes long enough for all others to come by.
    customer.simulator.faults({"delay_ms": 1000, "times": 1})
    gate, outcomes = threading.Barrier(CALLERS), []

    def call() -> None:
        client, stream = customer.client(), customer.first_list
        database.ensure_connection()
        gate.wait()
        try:
            outcomes.append(client.send(stream.operation, customer.question(stream)).status)
        except Exception as failed:
            outcomes.append(failed)
        finally:
            database.close()

    with acting_as("worker"):
        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert outcomes == [200] * CALLERS
    assert customer.simulator.state()["token_requests"] == 1
    assert Grant.objects.get(connection=customer.connection).generation == generation + 1


def test_a_session_that_the_provider_ended_is_renewed_once(customer: Customer) -> None:
    """Its clock runs ahead of ours: a token we take for good is refused there, and nobody notices."""
    customer.ask()
    generation = Grant.objects.get(connection=customer.connection).generation
    customer.simulator.control("reset-counters", {})
    customer.simulator.faults({"status": 401})
    assert customer.ask().status == 200
    assert customer.simulator.state()["token_requests"] == 1
    assert Grant.objects.get(connection=customer.connection).generation == generation + 1
