"""A refresh token that works once: what a refusal means, what is never asked again, and what trouble changes."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db.models import F
from django.utils import timezone

from connections.spec.errors import CallFailed, QuotaExhausted, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Responsible
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client
from connections.transport.models import Breaker, RequestLogEntry
from connections.transport.oauth import token_endpoint, token_store
from connections.vault.models import Grant
from connections.vault.secret import Secret
from connections.vault.services import register_client, store_credential
from tests.revealing import revealed
from tests.roles import acting_as
from tests.transport.conftest import CLIENT_SECRET, connect
from tests.transport.token_pairs import (
    NEW,
    change,
    check,
    ends_in,
    hold_is_over,
    living,
    presented,
    refused,
    refused_twice,
    row,
    saying,
)

# -- what a refusal means, and that it is asked for once --------------------------------------------------------------


@pytest.mark.parametrize("lost", ["cut", "unreadable", "killed"])
def test_a_grant_lost_with_an_answer_is_told_once_and_for_all(hostile, person, lost):
    ends_in(-1)
    if lost == "killed":
        with acting_as("owner"):
            Grant.objects.update(claimed_by="somebody who died", claimed_until=timezone.now() - timedelta(seconds=1))
    else:
        hostile.behave = lambda line: line.hang_up() if lost == "cut" else line.answer(200, b"<html>")
        assert isinstance(refused(person), Unavailable | Unreadable)
        hold_is_over()
    saying(hostile, 400, {"error": "invalid_grant"})
    hostile.asked.clear()
    first = refused_twice(person)
    assert (first.fault.code, type(first), presented(hostile)) == ("access-lost", Unauthorized, ["old-r"] * 2)
    for _ in range(3):
        hold_is_over()
        again = refused(person)
        assert (again.fault.code, type(again), again.entry_id) == ("access-lost", Unauthorized, first.entry_id)
    with acting_as("owner"):
        RequestLogEntry.objects.all().delete()  # the log is kept for a time only
    hold_is_over()
    assert (refused(person).fault.code, type(refused(person))) == ("access-lost", Unauthorized)
    assert len(hostile.asked) == 2
    connect(hostile, person)
    assert revealed(living(person).secret) == "old-a"
    assert (row().uncertain_at, row().refused_at, row().refused_with) == (None, None, "")


def test_an_access_that_was_taken_back_is_asked_for_twice(hostile, person):
    ends_in(-1)
    saying(hostile, 400, {"error": "invalid_grant"})
    once = refused(person)
    assert (once.fault.code, len(hostile.asked)) == ("renewal-refused-once", 1)
    for what in (living, check):  # nobody asks within the minute, a person no more than a run
        again = refused(person, what)
        assert (again.fault.code, again.entry_id, len(hostile.asked)) == ("renewal-refused-once", once.entry_id, 1)
        assert 50 < (again.retry_at - timezone.now()).total_seconds() < 61
    hold_is_over()
    for _ in range(3):
        assert refused(person).fault.code == "access-ended"
        hold_is_over()
    assert len(hostile.asked) == 2
    assert refused(person, check).fault.code == "access-ended"  # a person may ask once more
    assert len(hostile.asked) == 3
    assert refused(person, check).asked_again_at  # not a moment later with the very same
    assert len(hostile.asked) == 3
    hold_is_over()
    saying(hostile, 200, NEW)
    check(person)
    assert revealed(living(person).secret) == "new-a"
    assert row().refresh_refused_at is None


def test_one_refusal_that_is_not_repeated_ends_nothing(hostile, person):
    """A second node that has not heard of the token yet, a restart: seen at providers, and gone a minute later."""
    for _ in range(3):
        ends_in(-1)
        saying(hostile, 400, {"error": "invalid_grant"})
        assert isinstance(refused(person), Unavailable)
        hold_is_over()
        saying(hostile, 200, NEW)
        assert revealed(living(person).secret) == "new-a"
        found = row()
        assert (found.refused_with, found.refused_at, found.refresh_refused_at, found.wait_until) == ("",) + (
            None,
        ) * 3


def test_a_new_refresh_token_within_a_refusal_is_asked_with_next(hostile, person):
    """What is refused then is the one before, so its refusal counts for nothing."""
    for status, body in ((429, {}), (400, {"error": "invalid_grant"}), (503, {}), (400, {"error": "access_denied"})):
        connect(hostile, person)
        ends_in(-1)
        saying(hostile, status, {**body, "refresh_token": "new-r"})
        assert isinstance(refused(person), Unavailable), status
        hold_is_over()
        saying(hostile, 400, {"error": "invalid_grant"})
        hostile.asked.clear()
        assert refused_twice(person).fault.code == "access-ended"
        assert presented(hostile) == ["new-r"] * 2


ODD = [
    (400, {"error": "access_denied", "error_description": "access_token not expired"}),
    (400, {"error": "invalid_request"}),
    (400, {"error": "unauthorized_client"}),
    (400, {"error": "invalid_scope"}),
    (400, {"error": "unsupported_grant_type"}),
    (400, {"error": "no_such_word"}),
    (400, {"message": "invalid_grant"}),
    (400, b""),
    (400, b"<html>Bad Request</html>"),
    (401, b""),
    (401, b"<html>Sign in</html>"),
    (403, b"<html>Blocked</html>"),
    (403, {"error": "x"}),
    (404, b""),
    (405, b""),
    (418, b""),
]


@pytest.mark.parametrize(("status", "body"), ODD, ids=[f"{status} {str(body)[:40]}" for status, body in ODD])
def test_whatever_else_is_answered_blames_nobody_and_ends_nothing(hostile, person, status, body):
    ends_in(120)
    saying(hostile, status, body)
    assert revealed(living(person).secret) == "old-a"  # what still lives is used
    ends_in(-1)
    hold_is_over()
    for _ in range(4):
        told = refused(person)
        assert (type(told), told.fault.code, told.fault.responsible) == (
            Unavailable,
            "turned-away",
            Responsible.NOBODY,
        )
        assert told.retry_at > timezone.now()
        hold_is_over()
    assert row().refused_with == ""
    hold_is_over()
    saying(hostile, 200, NEW)
    assert revealed(living(person).secret) == "new-a"


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("auth_method", ["person", "customer"])
def test_a_client_that_is_refused_stops_at_once(hostile, auth_method, status, request):
    connection = request.getfixturevalue(auth_method)
    change(uncertain_at=timezone.now())  # says nothing about the client
    ends_in(-1)
    saying(hostile, status, {"error": "invalid_client"})
    for _ in range(3):
        found = refused(connection).fault
        assert found.code in ("client-refused", "our-client-refused")
        assert found.responsible is Responsible.US  # the client is ours in both ways
        hold_is_over()
    assert len(hostile.asked) == 1
    with acting_as("owner"):
        register_client(
            provider=connection.provider,
            environment="sandbox",
            client_id="client-1",
            client_secret=Secret(f"{CLIENT_SECRET}-2"),
        )
    saying(hostile, 200, NEW)
    assert revealed(living(connection).secret) == "new-a"


def test_a_client_that_is_refused_is_tried_with_a_new_credential(hostile, customer):
    saying(hostile, 401, {"error": "invalid_client"})
    refused(customer)
    hold_is_over()
    refused(customer)
    assert len(hostile.asked) == 1
    with tenant_scope(customer.tenant_id), acting_as("owner"):
        store_credential(connection=customer, name="api_key", secret=Secret("another-key-012345"), actor=SYSTEM)
    saying(hostile, 200, NEW)
    assert revealed(living(customer).secret) == "new-a"


def test_a_refresh_token_of_another_client_is_our_own_doing(hostile, person):
    change(client_id="client-0", uncertain_at=timezone.now())
    ends_in(-1)
    saying(hostile, 400, {"error": "invalid_grant"})
    found = refused_twice(person)
    assert (found.fault.code, found.fault.responsible) == ("other-client", Responsible.US)
    with acting_as("owner"):
        register_client(provider="smartbusiness", environment="sandbox", client_id="client-0", client_secret=None)
    assert refused(person).fault.code == "access-lost"
    assert len(hostile.asked) == 3
    assert row().client_id == "client-0"


def test_our_client_at_another_environment_is_another_one(person):
    with tenant_scope(person.tenant_id):
        before = token_store.request_fingerprint(person)
    with acting_as("owner"):
        register_client(provider="smartbusiness", environment="production", client_id="client-0", client_secret=None)
    with tenant_scope(person.tenant_id):
        assert token_store.request_fingerprint(person) == before


def test_a_refresh_token_of_a_client_that_nobody_noted_is_the_present_ones(hostile, person):
    change(client_id="")
    ends_in(-1)
    saying(hostile, 400, {"error": "invalid_grant"})
    assert refused_twice(person).fault.code == "access-ended"


def test_what_was_spent_by_somebody_else_is_no_refusal(hostile, person, monkeypatch):
    """Our claim ran out, another caller stored a newer pair, and what we asked with is refused: theirs is used."""
    ends_in(-1)
    real = token_endpoint.request_token
    hostile.behave = lambda line: (
        line.answer(200, NEW) if len(hostile.asked) > 1 else line.answer(400, {"error": "invalid_grant"})
    )

    def ask(*where, **more):
        if not hostile.asked:
            try:
                return real(*where, **more)
            finally:
                change(claimed_until=timezone.now() - timedelta(seconds=1))
                living(person)
        return real(*where, **more)

    monkeypatch.setattr(token_endpoint, "request_token", ask)
    assert revealed(living(person).secret) == "new-a"
    assert len(hostile.asked) == 2
    assert (row().generation, row().refused_at, row().refused_with) == (2, None, "")


def test_a_pair_that_came_between_looking_and_claiming_is_used(hostile, person, monkeypatch):
    ends_in(-1)

    def claim(*args, **more):
        change(generation=F("generation") + 1, expires_at=timezone.now() + timedelta(hours=1))
        return real(*args, **more)

    real = token_store.claim
    monkeypatch.setattr(token_store, "claim", claim)
    assert living(person).generation == 2
    assert hostile.asked == []


def test_an_answer_that_brings_half_a_pair_is_shared(hostile, committed_person):
    """Its refresh token is the only one that counts, and those who waited do not spend it in turns."""

    def half(line):
        time.sleep(0.2)
        line.answer(200, {**NEW, "token_type": "mac"})

    ends_in(-1)
    hostile.behave = half
    told, gate = [], threading.Barrier(8)

    def run():
        gate.wait()
        try:
            living(committed_person)
        except CallFailed as failed:
            told.append(failed.fault.code)
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (told, presented(hostile)) == (["unreadable"] * 8, ["old-r"])
    hold_is_over()
    saying(hostile, 200, NEW)
    living(committed_person)
    assert presented(hostile) == ["old-r", "new-r"]


def test_a_token_that_was_refused_does_not_come_back_with_half_a_pair(hostile, person):
    spent = living(person).generation
    saying(hostile, 200, {**NEW, "access_token": None})
    for _ in range(2):
        with pytest.raises(Unreadable):
            Client(connection=person).tokens.renew(newer_than=spent)


# -- trouble at the token endpoint ------------------------------------------------------------------------------------

TROUBLE = [(503, b""), (429, b""), (500, b""), (200, b"<html>"), (302, b""), (0, b"")]


@pytest.mark.parametrize(("status", "body"), TROUBLE)
def test_a_token_with_minutes_left_is_used_while_there_is_trouble(hostile, person, status, body):
    hostile.behave = lambda line: line.answer(status, body) if status else line.hang_up()
    ends_in(120)
    who = Client(connection=person).tokens
    for _ in range(3):
        assert revealed(who.valid_token().secret) == "old-a"
    assert len(hostile.asked) == 1
    ends_in(-1)
    who.token = None
    assert isinstance(refused(person), CallFailed)
    assert len(hostile.asked) == 1
    hold_is_over()
    saying(hostile, 200, NEW)
    assert revealed(living(person).secret) == "new-a"
    assert (row().failures, row().ask_after) == (0, None)


def test_a_token_that_ends_while_we_ask_is_not_used(hostile, person):
    def slowly(line):
        time.sleep(1.0)
        line.answer(503)

    hostile.behave = slowly
    ends_in(0.8)
    assert isinstance(refused(person), Unavailable)


def test_a_refusal_is_said_although_minutes_are_left(hostile, person):
    """Not by the first one: what still lives is used on."""
    ends_in(120)
    saying(hostile, 400, {"error": "invalid_grant"})
    assert revealed(living(person).secret) == "old-a"
    hold_is_over()
    assert refused(person).fault.code == "access-ended"


def test_a_token_with_minutes_left_is_not_held_up_by_somebody_elses_question(hostile, person):
    """The one before had no success; who asks again may wait for as long as a token request takes."""
    ends_in(120)
    change(failures=1, claimed_by="somebody", claimed_until=timezone.now() + timedelta(seconds=15))
    assert revealed(living(person).secret) == "old-a"
    assert hostile.asked == []


@pytest.mark.parametrize("status", [429, 503])
def test_nobody_asks_before_the_provider_wants_it(hostile, person, status):
    ends_in(-1)
    saying(hostile, status, b"", Retry_After="90")
    first = refused(person)
    change(refused_at=F("refused_at") - timedelta(seconds=80))  # our own hold is over long ago
    for what in (living, check):
        again = refused(person, what)
        assert (type(again), again.fault.code, again.entry_id) == (type(first), first.fault.code, first.entry_id)
        assert 80 < (again.retry_at - timezone.now()).total_seconds() < 91
    assert len(hostile.asked) == 1
    change(ask_after=timezone.now() - timedelta(seconds=1))
    saying(hostile, 200, NEW)
    assert revealed(living(person).secret) == "new-a"
    assert type(first) is (QuotaExhausted if status == 429 else Unavailable)


def test_the_pause_grows_while_the_trouble_lasts(hostile, person):
    ends_in(-1)
    saying(hostile, 503)
    pauses = []
    for _ in range(6):
        Breaker.objects.all().delete()  # which would spare the token endpoint the later ones
        first = refused(person)
        waits = refused(person)
        assert waits.entry_id == first.entry_id
        pauses.append(round((waits.retry_at - timezone.now()).total_seconds()))
        change(refused_at=F("refused_at") - timedelta(seconds=pauses[-1] - 1))
        assert refused(person).entry_id == first.entry_id
        change(refused_at=F("refused_at") - timedelta(seconds=2))
    assert [pause for pause in pauses if pause] == [5, 10, 20, 40, 60, 60]
    assert len(hostile.asked) == 6
