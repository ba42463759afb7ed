"""Planted breaches of the certification: each is found by its own line and by no other, and an honest month has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connections.providers.procountor.provider import PROVIDER
from connections.spec.certification import ListPass
from portal.certification.board import LineState
from tests.certification.honest import BEGINS_AT, Office, board_of, month, number, office, short_lines

NOON = BEGINS_AT + timedelta(days=20, hours=12)
TOKEN, LIST = 0, 2  # of an office's first night
Plant = Callable[[list[Office]], Any]


def changed(index: int = LIST, **values: Any) -> Plant:
    return lambda offices: offices[0].change(index, **values)


def added(operation: str, **values: Any) -> Plant:
    return lambda offices: offices[0].add(NOON, operation, **values)


def of_connection(**values: Any) -> Plant:
    return lambda offices: offices[0].change_connection(**values)


def marked(slug: str, state: str | None) -> Plant:
    def plant(offices: list[Office]) -> None:
        marks = {**offices[0].connection.marks, slug: state or "open"}
        if state is None:
            del marks[slug]
        offices[0].change_connection(marks=marks)

    return plant


def token_after(minutes: float, **between: Any) -> Plant:
    def plant(offices: list[Office]) -> None:
        offices[0].add(NOON, "token")
        offices[0].add(NOON + timedelta(seconds=1), "session", **between)
        offices[0].add(NOON + timedelta(minutes=minutes), "token")

    return plant


def lonely_tokens(count: int, calls: int) -> Plant:
    """A new customer for whom every call has a token of its own, hours apart."""

    def plant(offices: list[Office]) -> None:
        own = Office(9, replace(offices[0].connection, id=number(9), tenant_id=number(9), company_id="4709"))
        for hour in range(count):
            at = NOON + timedelta(hours=2 * hour)
            own.add(at, "token")
            for call in range(calls):
                own.add(at + timedelta(seconds=1 + call), "session")
        offices.append(own)

    return plant


def burst(count: int, span_milliseconds: float) -> Plant:
    def plant(offices: list[Office]) -> None:
        for each in range(count):
            offices[0].add(NOON + timedelta(milliseconds=each * span_milliseconds / count), "session")

    return plant


def passed(stream: str, pages: int, records: int, day: int = 20, *, is_full: bool = False) -> Plant:
    def plant(offices: list[Office]) -> None:
        at = BEGINS_AT + timedelta(days=day, hours=12)
        own = offices[0]
        own.passes.append(ListPass(number(77), own.connection.id, stream, at, is_full, pages, records))

    return plant


def singles(operation: str, count: int, **values: Any) -> Plant:
    def plant(offices: list[Office]) -> None:
        for second in range(count):
            offices[0].add(NOON + timedelta(seconds=second), operation, **values)

    return plant


def retried(*seconds: float, operation: str = "company", **failed: Any) -> Plant:
    """An attempt that failed, and others so many seconds after its beginning; the last one is answered."""
    trouble = {"status": 503, "outcome": "troubled", "fault": "trouble", **failed}

    def plant(offices: list[Office]) -> None:
        moments = (0.0, *seconds)
        for attempt, second in enumerate(moments, 1):
            is_last = attempt == len(moments)
            at = NOON + timedelta(seconds=second)
            offices[0].add(at, operation, attempt=attempt, **({} if is_last else trouble))

    return plant


def unrepeated(operation: str, **values: Any) -> Plant:
    failed = {"status": 500, "outcome": "troubled", "fault": "trouble", **values}
    return lambda offices: offices[0].add(BEGINS_AT + timedelta(days=20, hours=12), operation, **failed)


def polls(count: int, *, confirmed: int = 0) -> Plant:
    def plant(offices: list[Office]) -> None:
        for each in range(confirmed):
            offices[0].add(NOON + timedelta(seconds=each), "payments.create", status=202)
        for each in range(count):
            offices[0].add(NOON + timedelta(minutes=1, seconds=each), "mfa.result")

    return plant


def left(**values: Any) -> Plant:
    return of_connection(left_at=NOON, **values)


def failed(outcome: str, status: int | None, operation: str = "fiscal_years.list") -> Plant:
    """Without a fault, and asked for again the same evening."""

    def plant(offices: list[Office]) -> None:
        offices[0].add(NOON, operation, outcome=outcome, status=status)
        offices[0].add(NOON + timedelta(hours=6), operation)

    return plant


def signing(tenant: int, **values: Any) -> Plant:
    """A customer whose owner signed in, and has nothing confirmed."""
    return lambda offices: offices.append(office(tenant, auth_method="sign-in", **values))


BREACHES: list[tuple[str, str, Plant]] = [
    ("documented-requests", "an operation that nobody declared", changed(operation="secrets.list")),
    ("documented-requests", "another method", changed(method="DELETE")),
    ("documented-requests", "another path", changed(path="/purchaseinvoices")),
    ("documented-requests", "no such path", added("company", path="/companies/own")),
    ("readable-answers", "a list that was not JSON", changed(outcome="unreadable", fault="unreadable")),
    ("readable-answers", "a token that could not be read", added("token", outcome="unreadable", fault="unreadable")),
    ("calls-per-token", "a token for every call", lonely_tokens(6, 1)),
    ("calls-per-token", "a token for no call", lonely_tokens(4, 0)),
    ("tokens-reused", "asked again after a second", token_after(1 / 60 + 0.05)),
    ("tokens-reused", "asked again after half an hour", token_after(30)),
    ("tokens-reused", "asked again after 50 minutes", token_after(50)),
    ("tokens-reused", "after a refusal of something else", token_after(20, status=404, outcome="refused", fault="no")),
    ("tokens-within-life", "a second too old", changed(token_age_seconds=3601)),
    ("tokens-within-life", "a day too old", changed(token_age_seconds=90_000)),
    ("no-secret-in-addresses", "an access token in the query", changed(path="/invoices?access_token=06fea353")),
    ("no-secret-in-addresses", "a query without one", changed(path="/invoices?size=200")),
    ("no-secret-in-addresses", "a token by GET", changed(TOKEN, method="GET")),
    ("no-secret-in-addresses", "a key in the token's path", changed(TOKEN, path="/oauth/token?api_key=1234")),
    ("no-secret-in-addresses", "a token by PUT", added("token.code", method="PUT")),
    ("no-secret-in-addresses", "a secret in a token's path", changed(TOKEN, path="/key/" + "a1B2" * 12 + "/oauth/token")),
    ("machine-access", "signed in for nothing", signing(8)),
    ("machine-access", "signed in for reading", signing(7, company_id="4799")),
    ("technical-users", "nobody said whose key it is", marked("technical-user", "unconfirmed")),
    ("technical-users", "another user than before", marked("technical-user", "failing")),
    ("technical-users", "never looked at", marked("technical-user", None)),
    ("rights-limited", "rights are missing", marked("rights", "failing")),
    ("rights-limited", "more rights than needed", marked("rights", "unconfirmed")),
    ("rights-limited", "rights never looked at", marked("rights", None)),
    ("m2m-only", "not attested", marked("m2m-only", "open")),
    ("m2m-only", "never answered", marked("m2m-only", None)),
    ("usage-allowed", "not known to be allowed", marked("usage-settings", "open")),
    ("usage-allowed", "refused", marked("usage-settings", "failing")),
    ("right-product", "the product has changed", marked("company", "failing")),
    ("right-product", "an odd product that nobody confirmed", marked("company", "unconfirmed")),
    ("confirmations-polled", "nothing was to be confirmed", polls(1)),
    ("confirmations-polled", "41 looks at one", polls(41, confirmed=1)),
    ("confirmations-polled", "81 looks at two", polls(81, confirmed=2)),
    ("peak-rate", "61 within a second", burst(61, 990)),
    ("peak-rate", "61 at once", burst(61, 0)),
    ("peak-rate", "200 in two seconds", burst(200, 2000)),
    ("full-pages", "pages of 50", passed("invoices", 10, 500)),
    ("full-pages", "many empty pages", passed("products", 6, 10)),
    ("full-pages", "a page for each record", passed("partners", 40, 40)),
    ("batches", "eleven invoices one by one", singles("invoices.get", 11)),
    ("batches", "eleven products in one run", singles("products.get", 11, run_id=number(99))),
    ("batches", "a hundred partners", singles("partners.get", 100)),
    ("changes-only", "all invoices again the next day", passed("invoices", 3, 450, day=22, is_full=True)),
    ("changes-only", "all partners twice a week", passed("partners", 1, 30, day=24, is_full=True)),
    ("spaced-retries", "at once", retried(0.12)),
    ("spaced-retries", "the second retry after one second", retried(1.2, 2.5)),
    ("spaced-retries", "the third retry after two seconds", retried(1.3, 3.6, 6.0)),
    ("spaced-retries", "half a second after a 429", retried(0.6, status=429, outcome="refused", fault="too-many")),
    ("server-errors-repeated", "dimensions never again", unrepeated("dimensions.list")),
    ("server-errors-repeated", "a right never again", unrepeated("rights", status=503)),
    ("refusals-not-repeated", "a 400 again", retried(1.3, status=400, outcome="refused", fault="invalid")),
    ("refusals-not-repeated", "a 403 again", retried(1.3, status=403, outcome="refused", fault="forbidden")),
    ("refusals-not-repeated", "a 404 again", retried(1.3, status=404, outcome="refused", fault="not-found")),
    ("errors-explained", "a refusal without a fault", failed("refused", 422)),
    ("errors-explained", "a server error without a fault", failed("troubled", 502)),
    ("errors-explained", "no answer, and no word", failed("unreachable", None)),
    ("errors-explained", "blocked without a word", failed("blocked", None)),
    ("complete-log", "an answer without a status", changed(status=None)),
    ("complete-log", "a token's path is missing", changed(TOKEN, path="")),
    ("served-versions", "no version", changed(api_version="")),
    ("served-versions", "one that has ended", changed(api_version="v2402")),
    ("served-versions", "one that is yet to come", changed(api_version="v2612")),
    ("served-versions", "nothing like a version", changed(api_version="beta")),
    ("guided", "no checklist", of_connection(has_checklist=False, marks={})),
    ("deactivation-guided", "left without a departure", left(has_departure=False)),
]  # fmt: skip


def test_an_honest_month_keeps_every_line_and_measures_all_of_them() -> None:
    board = board_of(month())
    assert short_lines(board) == {}
    assert {total.line.slug for total in board.totals if total.state is not LineState.KEPT} == set()


@pytest.mark.parametrize(("line", "what", "plant"), BREACHES, ids=[f"{line}: {what}" for line, what, _ in BREACHES])
def test_a_planted_breach_is_found_by_its_own_line_alone(line: str, what: str, plant: Plant) -> None:
    offices = month()
    plant(offices)
    assert set(short_lines(board_of(offices))) == {line}


def test_of_all_customers_together() -> None:
    assert set(short_lines(board_of(month()[:1]))) == {"live-customers"}
    assert set(short_lines(board_of(month(), client_id=""))) == {"client-registered"}
    assert set(short_lines(board_of(month(), tested=False))) == {"tested-first"}
    early = month()
    early[0].first_connected_at = BEGINS_AT - timedelta(days=200)
    assert set(short_lines(board_of(early))) == {"tested-first"}


def test_of_what_is_declared() -> None:
    silent = [replace(each, avoid=()) if each.connect else each for each in PROVIDER.checklist]
    assert set(short_lines(board_of(month(), provider=replace(PROVIDER, checklist=silent)))) == {"browsers-told"}
    other = next(each.paging for each in PROVIDER.streams if each.name == "invoices")
    by_number = type("ByNumber", (), {"size": 200})()
    assert other != by_number
    streams = [replace(each, paging=by_number) if each.name == "invoices" else each for each in PROVIDER.streams]
    assert set(short_lines(board_of(month(), provider=replace(PROVIDER, streams=streams)))) == {"previous-id"}
    unguided = replace(PROVIDER, after_leaving=())
    assert set(short_lines(board_of(month(), provider=unguided))) == {"deactivation-guided"}


def test_sixty_breaches_and_every_line() -> None:
    assert len(BREACHES) >= 60
    elsewhere = {"live-customers", "client-registered", "tested-first", "browsers-told", "previous-id"}
    assert PROVIDER.certification is not None
    lines = {line.slug for line in PROVIDER.certification.lines}
    assert {line for line, _what, _plant in BREACHES} | elsewhere == lines
