"""Who asks for a token has a claim for some seconds: the answer is there before it ends, or what comes late is kept."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections.spec.errors import Unavailable
from connections.transport.http import session as http_session
from connections.transport.limits import rate_limiter
from connections.transport.oauth import token_store, tokens
from tests.revealing import revealed
from tests.transport.token_pairs import NEW, change, ends_in, living, presented, refused, row, saying


@pytest.fixture
def _slow_turn(monkeypatch):
    monkeypatch.setattr(rate_limiter, "wait_for_quota", lambda *_args, **_more: time.sleep(0.3))


@pytest.mark.usefixtures("_slow_turn")
def test_a_token_request_that_waited_for_its_place_has_less_time(hostile, person, monkeypatch):
    real, totals = http_session.send, []

    def send(**more):
        totals.append(more["total"])
        return real(**more)

    monkeypatch.setattr(token_store, "ANSWER_WITHIN_SECONDS", 5.0)
    monkeypatch.setattr(http_session, "send", send)
    ends_in(-1)
    saying(hostile, 200, NEW)
    assert revealed(living(person).secret) == "new-a"
    [total] = totals
    assert 1.0 <= total <= 4.7


@pytest.mark.usefixtures("_slow_turn")
def test_a_token_request_that_waited_too_long_for_its_place_is_not_sent(hostile, person, monkeypatch):
    ends_in(-1)
    saying(hostile, 200, NEW)
    with monkeypatch.context() as patched:
        patched.setattr(token_store, "ANSWER_WITHIN_SECONDS", 1.2)
        told = refused(person)
    assert (type(told), hostile.asked) == (Unavailable, [])
    assert (row().claimed_by, row().refused_at, row().uncertain_at) == ("", None, None)
    assert revealed(living(person).secret) == "new-a"


def late(hostile, person, claimed_by):
    """While we ask, our claim runs out, and somebody takes it."""
    ends_in(-1)

    def behave(line):
        change(claimed_by=claimed_by, claimed_until=timezone.now() + timedelta(seconds=20))
        database.close()  # this thread's own
        line.answer(200, NEW)

    hostile.behave = behave


def test_a_pair_that_comes_late_is_kept_where_nothing_newer_is(hostile, committed_person):
    late(hostile, committed_person, "somebody")
    assert revealed(living(committed_person).secret) == "new-a"
    assert (presented(hostile), row().generation, row().claimed_by) == (["old-r"], 2, "")


def test_a_pair_that_comes_late_gives_way_to_a_code(hostile, committed_person, monkeypatch):
    monkeypatch.setattr(tokens, "REFRESH_WAIT_SECONDS", 0.2)
    late(hostile, committed_person, f"{token_store.EXCHANGE_CLAIM}somebody")
    assert refused(committed_person).fault.code == "no-answer"
    assert (presented(hostile), row().generation) == (["old-r"], 1)
    assert row().claimed_by == f"{token_store.EXCHANGE_CLAIM}somebody"


def test_a_claim_that_is_seized_after_its_time_is_an_answer_that_nobody_saw(committed_person):
    change(claimed_by="somebody", claimed_until=timezone.now() - timedelta(seconds=1))
    assert not token_store.is_claimed(committed_person)
    token_store.seize_claim(committed_person, f"{token_store.EXCHANGE_CLAIM}me")
    assert row().uncertain_at is not None
    assert token_store.is_claimed(committed_person)
