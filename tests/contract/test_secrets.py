"""Planted secrets: after good times and bad ones, nothing that opens a door is readable anywhere."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from django.db import connection as database

from connections.spec.errors import CallFailed
from tests.contract.customers import Customer
from tests.drills.canary_errors import text_of

SHORTEST = 6  # a shorter word may stand somewhere by chance


def forms(secret: str) -> set[str]:
    """As it is, and as it travels."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret, safe=""), quote_plus(secret), encoded}


def found(secrets: set[str], text: str) -> list[str]:
    """The places in a text where one of them stands, without saying which."""
    return [
        f"at {text.index(form)} of {len(text)}, before it: {text[: text.index(form)][-60:]!r}"
        for secret in secrets
        for form in forms(secret)
        if form in text
    ]


def tables() -> Iterator[tuple[str, str]]:
    """Every row of every table, as text."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '_[0-9]{4}_[0-9]{2}$'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT string_agg(each::text, ' ') FROM {name} AS each")
            yield name, cursor.fetchone()[0] or ""


def live(customer: Customer) -> list[CallFailed]:
    """Good and bad times; the errors that came up."""
    errors = []
    customer.ask()
    customer.secrets |= customer.tokens()
    customer.sync(customer.first_list.name)
    bad_times = (
        {"status": 401, "times": 2},
        {"status": 403},
        {"status": 429, "times": None},
        {"status": 503, "times": None},
        {"status": 200, "body": "<p>login"},
        {"status": 302, "headers": {"Location": "https://elsewhere.example/"}},
        {"cut": "before", "times": None},
        # Last: an answer that is lost may take the way in with it.
        {"cut": "middle", "times": None},
    )
    for fault in bad_times:
        for deed in (customer.ask, customer.fresh_token):
            customer.simulator.faults(fault)
            try:
                deed()
            except CallFailed as failed:
                errors.append(failed)
        customer.simulator.faults()
        customer.secrets |= customer.tokens()
    customer.simulator.control("revoke", {})
    customer.sync(customer.first_list.name)
    return errors


def test_no_secret_is_left_anywhere(customer: Customer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    errors = live(customer)
    assert errors, "nothing went wrong, so nothing was shown"
    secrets = {secret for secret in customer.secrets if len(secret) >= SHORTEST}
    assert secrets
    places = {name: hits for name, text in tables() if (hits := found(secrets, text))}
    assert places == {}
    assert found(secrets, caplog.text) == []
    assert found(secrets, "\n".join(str(vars(record)) for record in caplog.records)) == []
    assert found(secrets, "".join(text_of(error) for error in errors)) == []


def test_a_planted_secret_is_seen() -> None:
    secret = "s3cret&sauce"
    assert found({secret}, "?token=s3cret%26sauce")
    assert found({secret}, "Basic " + base64.b64encode(secret.encode()).decode())
    try:
        try:
            raise ValueError(secret)
        except ValueError:
            raise KeyError from None
    except KeyError as error:
        assert found({secret}, text_of(error)), "even behind a suppressed context"
