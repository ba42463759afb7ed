"""Tokens that live for seconds: renewed in time, never sent when they have ended, and no storm of requests for them."""

from __future__ import annotations

import time

import pytest

from connections.transport.client import Client
from connections.transport.oauth import token_store
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db")


class Office:
    """Gives tokens of a short life and means it."""

    def __init__(self, hostile, life, says=...):
        self.life, self.says = life, life if says is ... else says
        self.given, self.refused, self.answered = {}, 0, 0
        hostile.behave = self.answer

    def answer(self, line):
        now = time.monotonic()
        if line.asked.endswith("/oauth/token"):
            token = f"token-{len(self.given)}"
            self.given[token] = now
            line.answer(200, {"access_token": token, "expires_in": self.says})
            return
        token = line.head.partition(b"Bearer ")[2].split(b"\r\n")[0].decode()
        if now - self.given[token] > self.life:
            self.refused += 1
            line.answer(401, {"errors": [{"status": 401, "message": "Token has expired"}]})
            return
        self.answered += 1
        line.answer(200, {})


def send(connection, seconds, pause=0.1):
    """Calls one after the other, with one client, as a run does."""
    client, until, sent = Client(connection=connection), time.monotonic() + seconds, 0
    with acting_as("worker"):
        while time.monotonic() < until:
            client.send("session")
            sent += 1
            time.sleep(pause)
    return sent


@pytest.mark.parametrize("said", [5, "5", 5.0, "5.0"])
def test_a_life_of_five_seconds_is_believed(hostile, uncanny, said):
    office = Office(hostile, 5, said)
    sent = send(uncanny, 6)
    assert (office.refused, office.answered) == (0, sent)
    assert len(office.given) == 2


def test_a_whole_run_of_tokens_that_live_two_seconds(hostile, uncanny):
    office = Office(hostile, 2)
    sent = send(uncanny, 7)
    assert (office.refused, office.answered) == (0, sent)
    assert len(office.given) <= 8


def test_of_a_life_below_a_second_no_more_than_one_is_asked_for_in_a_second(hostile, uncanny):
    office = Office(hostile, 0.4)
    sent = send(uncanny, 4, pause=0.0)
    assert sent > 3
    assert len(office.given) <= 4 / token_store.SHORT_LIFE_PAUSE_SECONDS + 2
    assert office.answered == sent


@pytest.mark.parametrize("said", [0, "0", -5, "-5", None, "soon", "", [], True, 1e-9])
def test_a_life_that_cannot_be_is_found_out_by_its_first_refusal(hostile, uncanny, said):
    """Nobody gives a token that has ended; what it is good for, the next call shows, and one request mends it."""
    office = Office(hostile, 1, said)
    client = Client(connection=uncanny)
    with acting_as("worker"):
        client.send("session")
        time.sleep(1.1)
        client.send("session")
    assert (office.answered, office.refused, len(office.given)) == (2, 1, 2)
