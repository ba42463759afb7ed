"""The very same credential is not sent again right after it was refused: growing waits, per connection, by what was refused."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections as databases
from django.db.models import F
from django.utils import timezone

from connections.spec.errors import CallFailed, Unauthorized
from connections.spec.operations import Arguments
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client
from connections.transport.oauth import refusal_waits
from connections.vault.secret import Secret
from connections.vault.services import open_connection, store_credential
from tests.roles import acting_as
from tests.transport.token_pairs import (
    NEW,
    change,
    check,
    exchange_code,
    hold_is_over,
    living,
    refused,
    refused_twice,
    row,
    saying,
)

REFUSED = {"error": "invalid_grant"}


@pytest.mark.parametrize("body", [REFUSED, b"", b"<html>"], ids=["in words", "empty", "a page"])
def test_each_refusal_doubles_the_wait_up_to_five_minutes(hostile, customer, body):
    """One without a reason as well: it may mean the credential."""
    saying(hostile, 401, body)
    waits = []
    for number in range(1, 9):
        for _ in range(5):
            refused(customer, check)
        assert len(hostile.asked) == number
        waits.append(round((row().wait_until - row().refused_at).total_seconds()))
        hold_is_over()
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


def test_who_waits_is_told_what_was_refused_and_until_when(hostile, customer):
    saying(hostile, 401, REFUSED)
    first = refused(customer, check)
    assert first.asked_again_at is None
    again = refused(customer, check)
    assert isinstance(again, Unauthorized)
    assert (again.fault, again.entry_id, again.asked_again_at) == (first.fault, first.entry_id, row().wait_until)


def test_a_call_that_is_refused_with_a_new_token_counts_as_well(hostile, customer):
    """The token endpoint says yes, and the API no: to this operation, and then to another one."""
    hostile.behave = lambda line: line.answer(200, NEW) if "token" in line.asked else line.answer(401)

    def ask(connection, operation="session"):
        Client(connection=connection).send(operation)

    for _ in range(5):
        refused(customer, ask)
    asked = len(hostile.asked)
    assert asked == 4  # token, call, token, call
    assert refused(customer, ask).asked_again_at
    living(customer)
    assert refused(customer, lambda connection: ask(connection, "company")).asked_again_at is None
    # Now everything waits.
    assert (row().refusals, row().wait_operation) == (2, "")
    for what in (ask, check, living, lambda connection: ask(connection, "invoices.list")):
        assert refused(customer, what).asked_again_at
    hold_is_over()
    refused(customer, ask)
    assert row().refusals == 3
    # An answer ends it.
    hold_is_over()
    hostile.behave = lambda line: line.answer(200, NEW if "token" in line.asked else {})
    ask(customer)
    assert (row().refusals, row().wait_until) == (0, None)


def test_one_operation_that_is_refused_holds_no_other_back(hostile, customer):
    """An endpoint that wants something else than our token says nothing of the credential."""
    hostile.behave = lambda line: (
        line.answer(200, NEW)
        if "token" in line.asked
        else line.answer(401 if "integrations" in line.asked else 200, {})
    )
    with pytest.raises(Unauthorized):
        Client(connection=customer).send("activation.show", Arguments({"id": "7"}))
    assert row().wait_operation == "activation.show"
    client = Client(connection=customer)
    client.send("session")
    asked = len(hostile.asked)
    for again in (client, Client(connection=customer)):  # with its token in hand, and without
        with pytest.raises(Unauthorized) as held:
            again.send("activation.show", Arguments({"id": "7"}))
        assert held.value.asked_again_at
        again.send("session")
    assert len(hostile.asked) == asked + 2
    hold_is_over()
    with pytest.raises(Unauthorized):
        Client(connection=customer).send("activation.show", Arguments({"id": "7"}))
    assert (row().refusals, row().wait_operation, row().wait_is_alone) == (2, "activation.show", True)
    with pytest.raises(Unauthorized):  # another one of the kind does not make it everything's trouble
        Client(connection=customer).send("activation.decide", Arguments({"id": "7"}))
    assert (row().refusals, row().wait_operation) == (1, "activation.decide")
    Client(connection=customer).send("session")


def test_another_credential_is_sent_at_once_and_is_the_first_one_again(hostile, customer):
    saying(hostile, 401)
    for _ in range(3):
        refused(customer, check)
        hold_is_over()
    refused(customer, check)
    with tenant_scope(customer.tenant_id), acting_as("owner"):
        store_credential(connection=customer, name="api_key", secret=Secret("another-key-012345"), actor=SYSTEM)
    assert refused(customer, check).asked_again_at is None
    assert row().refusals == 1
    assert refused(customer, check).asked_again_at


def test_a_new_consent_ends_the_wait(hostile, person):
    change(expires_at=None)
    saying(hostile, 400, {"error": "invalid_grant"})
    refused_twice(person, check)
    assert refused(person, check).asked_again_at
    saying(hostile, 200, NEW)
    exchange_code(person)
    assert (row().refusals, row().wait_until) == (0, None)
    check(person)


def test_another_connection_does_not_wait(hostile, customer):
    saying(hostile, 401)
    refused(customer, check)
    with tenant_scope(customer.tenant_id), acting_as("owner"):
        other = open_connection(tenant=customer.tenant, provider="procountor", environment="sandbox", actor=SYSTEM)
        store_credential(connection=other, name="api_key", secret=Secret("a-key-of-its-own-0123"), actor=SYSTEM)
    saying(hostile, 200, NEW)
    check(other)
    assert len(hostile.asked) == 2


def test_many_callers_refused_at_once_count_as_one_refusal(hostile, committed_person):
    saying(hostile, 400, {"error": "invalid_grant"})
    change(expires_at=None, refresh_refused_at=timezone.now() - timedelta(hours=1))
    heard = []

    def ask():
        try:
            check(committed_person)
        except CallFailed as failed:
            heard.append(failed)
        finally:
            databases.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(heard) == 8
    assert (row().refusals, len(hostile.asked)) == (1, 1)


@pytest.mark.parametrize(("status", "body"), [(503, {}), (500, b""), (200, b"no token")])
def test_trouble_is_no_refusal(hostile, customer, status, body):
    saying(hostile, status, body)
    refused(customer, check)
    assert (row().refusals, row().wait_until) == (0, None)


def test_a_correction_ends_the_wait_but_not_for_ever(hostile, customer):
    saying(hostile, 401)
    heeded = []
    for _ in range(5):
        refused(customer, check)
        with tenant_scope(customer.tenant_id), acting_as("web"):
            heeded.append(refusal_waits.ask_at_once(customer.id))
    assert heeded == [True] * refusal_waits.MOST_CORRECTIONS + [False] * 2
    assert len(hostile.asked) == refusal_waits.MOST_CORRECTIONS + 1
    with tenant_scope(customer.tenant_id), acting_as("web"):
        assert refusal_waits.ask_at_once(customer.id, is_typed=True)


def test_the_web_may_end_a_wait_and_nothing_else_of_a_grant(hostile, customer):
    from django.db import ProgrammingError, transaction

    from connections.vault.models import Grant

    saying(hostile, 401)
    refused(customer, check)
    for name in ("wait_with", "refusals", "access_ciphertext", "connection_id", "refused_with"):
        with acting_as("web"), tenant_scope(customer.tenant_id), pytest.raises(ProgrammingError), transaction.atomic():
            Grant.objects.filter(connection_id=customer.id).update(**{name: F(name)})
