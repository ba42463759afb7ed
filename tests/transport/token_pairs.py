"""A connection whose token pair tests age, renew and look at, with what it is told meanwhile."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from connections.spec.errors import CallFailed, Unavailable
from connections.transport.client import Client
from connections.transport.oauth.token import LoginCode
from connections.vault.models import Grant
from tests.revealing import bound_for
from tests.roles import acting_as

NEW = {"access_token": "new-a", "refresh_token": "new-r", "expires_in": 3600, "token_type": "Bearer"}


def code_for(connection, text="code-2"):
    """As a login page gave it for this connection."""
    verifier = bound_for(connection, text.replace("code", "verifier"))
    return LoginCode(bound_for(connection, text), verifier, "https://portal.example/callback")


def exchange_code(connection):
    return Client(connection=connection).tokens.exchange_code(code_for(connection))


def living(connection):
    return Client(connection=connection).tokens.valid_token()


def refused(connection, what=living):
    with pytest.raises(CallFailed) as caught:
        what(connection)
    return caught.value


def refused_twice(connection, what=living):
    """The refresh token is refused, and refused again later: that is the end of it."""
    first = refused(connection, what)
    assert (first.fault.code, type(first)) == ("renewal-refused-once", Unavailable)
    hold_is_over()
    return refused(connection, what)


def check(connection):
    """As a person does, with *Check now*."""
    Client(connection=connection).new_token()


def row():
    with acting_as("owner"):
        return Grant.objects.get()


def change(**values):
    with acting_as("owner"):
        Grant.objects.update(**values)


def ends_in(seconds):
    change(issued_at=timezone.now() - timedelta(minutes=50), expires_at=timezone.now() + timedelta(seconds=seconds))


def hold_is_over():
    """Failures are not shared any more, and what the provider asked for has passed, as has the wait after a refusal."""
    hour = timedelta(hours=1)
    change(**{name: F(name) - hour for name in ("refused_at", "ask_after", "wait_until", "refresh_refused_at")})


def saying(hostile, status, body=b"", **headers):
    hostile.behave = lambda line: line.answer(status, body, **headers)


def presented(hostile):
    """The refresh tokens that were presented."""
    return [json.loads(line.body)["refresh_token"] for line in hostile.asked]
