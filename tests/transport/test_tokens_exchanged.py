"""The pair that a person's code is traded for, and what is there to be given back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from connections.spec.errors import Unauthorized, Unavailable
from connections.transport.client import Client
from connections.transport.oauth import token_endpoint, token_store, tokens
from tests.revealing import revealed
from tests.transport.token_pairs import NEW, change, code_for, ends_in, exchange_code, living, refused, row, saying


def held(connection):
    """The access token that could be given back, and whether there is a refresh token."""
    access, has_refresh = tokens.stored_pair(connection)
    return access and revealed(access.secret), has_refresh


def test_a_pair_could_be_given_back_whatever_became_of_it(hostile, person):
    assert held(person) == ("old-a", True)
    ends_in(-1)
    assert held(person) == (None, True)
    ends_in(600)
    change(access_ciphertext=b"planted")
    assert held(person) == (None, True)
    token_store.destroy_pair(person)
    assert held(person) == (None, False)
    assert hostile.asked == []


def test_a_token_of_a_customers_own_key_has_no_refresh_token(hostile, customer):
    assert held(customer) == (None, False)
    saying(hostile, 200, {"access_token": "a", "expires_in": 3600})
    living(customer)
    assert held(customer) == ("a", False)
    change(access_ciphertext=b"planted")
    assert held(customer) == (None, False)


def test_a_code_waits_for_a_token_request_that_is_under_way_and_then_goes_first(hostile, person):
    """What that brings would be lost otherwise, and it is all there is where the code is refused."""
    until = timezone.now() + timedelta(seconds=1)
    change(claimed_by="somebody", claimed_until=until)
    saying(hostile, 200, NEW)
    assert revealed(exchange_code(person).secret) == "new-a"
    assert row().issued_at > until
    [line] = hostile.asked
    assert b"code-2" in line.body
    assert b"old-r" not in line.body
    assert (row().claimed_by, row().claimed_until) == ("", None)
    assert revealed(living(person).secret) == "new-a"


def test_a_code_that_is_refused_says_nothing_of_the_pair_that_is_there(hostile, person):
    """Nor is it told as an access that was lost with an answer, whatever is doubtful about that pair."""
    change(uncertain_at=timezone.now(), client_id="client-0")
    saying(hostile, 400, {"error": "invalid_grant"})
    told = refused(person, exchange_code)
    assert isinstance(told, Unauthorized)
    assert told.fault.code not in ("access-lost", "other-client")
    assert (row().refused_with, row().claimed_by) == ("", "")
    assert revealed(living(person).secret) == "old-a"


def test_a_pair_of_a_code_that_somebody_overtook_is_not_kept(hostile, person, monkeypatch):
    """Another person's code, or a goodbye, came while this one was traded: what it brought belongs to nobody."""
    real = token_endpoint.request_token

    def ask(*where, **more):
        asked = real(*where, **more)
        token_store.destroy_pair(person)
        return asked

    monkeypatch.setattr(token_endpoint, "request_token", ask)
    saying(hostile, 200, NEW)
    with pytest.raises(Unavailable) as caught:
        exchange_code(person)
    assert caught.value.fault.code == "no-answer"
    assert abs((caught.value.retry_at - timezone.now()).total_seconds()) < 10
    assert held(person) == (None, False)


def test_a_refused_code_of_somebody_who_was_overtaken_is_told(hostile, person, monkeypatch):
    real = token_endpoint.request_token

    def ask(*where, **more):
        token_store.destroy_pair(person)
        return real(*where, **more)

    monkeypatch.setattr(token_endpoint, "request_token", ask)
    saying(hostile, 400, {"error": "invalid_grant"})
    assert isinstance(refused(person, exchange_code), Unauthorized)


def test_a_caller_keeps_no_token_from_before_its_code(hostile, person):
    who = Client(connection=person).tokens
    who.valid_token()
    saying(hostile, 200, NEW)
    who.exchange_code(code_for(person))
    assert revealed(who.valid_token().secret) == "new-a"


@pytest.mark.parametrize("gone", [InterfaceError, OperationalError])
def test_a_database_that_stays_away_is_told_in_the_end(hostile, person, monkeypatch, gone):
    tries = []

    def keep(*args):
        tries.append(args)
        raise gone

    monkeypatch.setattr(token_store, "store", keep)
    monkeypatch.setattr(tokens, "STORE_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(tokens, "STORE_PAUSE_SECONDS", 0.03)
    monkeypatch.setattr(tokens.database, "close", lambda: None)  # this test's transaction lives on it
    ends_in(-1)
    saying(hostile, 200, NEW)
    with pytest.raises(gone):
        living(person)
    assert len(tries) > 2
    assert row().claimed_by == ""


def test_nothing_of_a_destroyed_pair_is_left(person):
    now = timezone.now()
    doubt = {"uncertain_at": now, "refused_at": now, "ask_after": now, "refused_with": "d" * 64, "failures": 3}
    change(claimed_by="somebody", claimed_until=now, refresh_issued_at=now, scope="all", client_id="client-0", **doubt)
    before = row().generation
    token_store.destroy_pair(person)
    found = row()
    gone = ("access_ciphertext", "refresh_ciphertext", "expires_at", "refresh_issued_at", "claimed_until")
    assert {name: getattr(found, name) for name in gone} == dict.fromkeys(gone)
    assert (found.scope, found.client_id, found.claimed_by, found.generation) == ("", "", "", before + 1)
    assert (found.uncertain_at, found.refused_at, found.ask_after) == (None, None, None)
    assert (found.refused_with, found.failures) == ("", 0)


def test_a_token_is_sent_as_the_type_that_came_with_it(hostile, person):
    saying(hostile, 200, NEW)
    assert exchange_code(person).kind == "Bearer"
    assert living(person).kind == "Bearer"


def test_a_token_that_is_not_newer_is_none(person):
    assert token_store.newer_token(person, row().generation) is None
    assert token_store.newer_token(person, row().generation - 1) is not None
