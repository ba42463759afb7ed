"""A provider in trouble is left alone, looked at now and then, and gone back to in little by little."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from django.db import DatabaseError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections.spec.errors import Rejected, Unavailable
from connections.transport import client as sending
from connections.transport.client import Client
from connections.transport.limits import circuit_breaker, retry
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.models import Breaker, RequestLogEntry
from connections.vault.models import Connection
from tests.roles import acting_as
from tests.transport.test_client_sending import answering, calls

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
ONE, OTHER = uuid.uuid4(), uuid.uuid4()
URL = "https://books.example/api/things"


def seconds(number):
    return timedelta(seconds=number)


# -- one row -----------------------------------------------------------------------------------------------------------


def row(**fields):
    return Breaker(key="k", began_at=NOW, by=ONE, **fields)


def opened(**fields):
    return row(opened_at=NOW, next_at=NOW + circuit_breaker.TRIAL_INTERVAL, bad=5, **fields)


def test_failures_of_two_connections_open_a_server():
    found = row()
    for number in range(circuit_breaker.OPENING_FAILURES - 1):
        circuit_breaker.count_failure(found, NOW, ONE)
        assert not circuit_breaker.is_open(found), number
    circuit_breaker.count_failure(found, NOW + seconds(3), OTHER)
    assert circuit_breaker.is_open(found)
    assert (found.opened_at, found.next_at) == (NOW + seconds(3), NOW + seconds(33))


@pytest.mark.parametrize(("of_connection", "is_open"), [(True, True), (False, False)])
def test_failures_of_one_connection_open_its_own_and_nobody_elses(of_connection, is_open):
    found = row(of_connection=of_connection)
    for _ in range(50):
        circuit_breaker.count_failure(found, NOW, ONE)
    assert circuit_breaker.is_open(found) is is_open


@pytest.mark.parametrize(("good", "is_open"), [(5, True), (6, False)])
def test_the_breaker_opens_by_the_ratio_of_failures(good, is_open):
    found = row(good=good, bad=4, is_shared=True)
    circuit_breaker.count_failure(found, NOW, ONE)
    assert circuit_breaker.is_open(found) is is_open


def test_failures_of_long_ago_do_not_count():
    found = row(bad=4, good=9, is_shared=True)
    circuit_breaker.count_failure(found, NOW + circuit_breaker.COUNTING_SPAN, OTHER)
    assert (found.bad, found.good, found.by, found.is_shared) == (1, 0, OTHER, False)
    assert found.began_at == NOW + circuit_breaker.COUNTING_SPAN


def test_an_open_one_lets_a_single_caller_through_every_half_minute():
    found = opened()
    assert circuit_breaker.admit(found, NOW + seconds(29)) is None
    assert circuit_breaker.admit(found, NOW + seconds(30)) == 0
    assert circuit_breaker.admit(found, NOW + seconds(30)) is None
    assert found.next_at == NOW + seconds(60)
    circuit_breaker.count_failure(found, NOW + seconds(31), OTHER)
    assert (found.opened_at, found.next_at) == (NOW, NOW + seconds(60))


def test_after_the_first_good_answer_the_rate_of_calls_doubles_step_by_step():
    found = opened(good=3)
    circuit_breaker.count_good_answer(found, NOW)
    assert not circuit_breaker.is_open(found)
    admitted, at = [], NOW
    while circuit_breaker.is_closing(found, at):
        while (wait := circuit_breaker.admit(found, at)) is not None:
            admitted.append((at - NOW).total_seconds() + wait)
        at += seconds(0.25)
    by_five = [sum(1 for each in admitted if start <= each < start + 5) for start in range(0, 30, 5)]
    assert by_five[0] <= 8
    assert all(later <= 2 * sooner + 6 for sooner, later in pairwise(by_five))
    assert by_five[-1] > 100
    gaps = [later - sooner for sooner, later in pairwise(admitted)]
    assert min(gaps) > 0
    assert circuit_breaker.admit(found, at) == 0
    assert not circuit_breaker.is_counting(found, NOW + circuit_breaker.COUNTING_SPAN)


def test_a_failure_right_after_the_first_good_answer_reopens_the_breaker():
    found = opened()
    circuit_breaker.count_good_answer(found, NOW + seconds(30))
    circuit_breaker.count_failure(found, NOW + seconds(32), ONE)
    assert circuit_breaker.is_open(found)
    assert (found.opened_at, found.next_at) == (NOW, NOW + seconds(62))  # the trouble is the same one


def test_three_failures_reopen_a_closing_breaker_and_fewer_do_not():
    found = opened()
    for _ in range(20):
        circuit_breaker.count_good_answer(found, NOW)
    for _ in range(2):
        circuit_breaker.count_failure(found, NOW + seconds(9), ONE)
    assert not circuit_breaker.is_open(found)
    circuit_breaker.count_failure(found, NOW + seconds(9), ONE)
    assert circuit_breaker.is_open(found)


def test_trouble_that_was_over_begins_anew():
    found = opened()
    circuit_breaker.count_good_answer(found, NOW)
    later = NOW + circuit_breaker.CLOSING_SPAN
    circuit_breaker.count_failure(found, later, ONE)
    assert (found.opened_at, found.healed_at, found.bad, found.good) == (None, None, 1, 0)


# -- in the database ---------------------------------------------------------------------------------------------------


def caller(connection_id=None, slug="procountor"):
    connection = Connection(id=connection_id or uuid.uuid4(), provider=slug, environment="test")
    return CircuitBreaker(connection)


def rows():
    return {found.of_connection: found for found in Breaker.objects.all()}


def fail(times, *callers, url=URL):
    for number in range(times):
        callers[number % len(callers)].note(url, is_good=False)


def come_due():
    Breaker.objects.filter(next_at__isnull=False).update(next_at=circuit_breaker.Clock())


@pytest.mark.django_db
class TestRows:
    @pytest.fixture(autouse=True)
    def nobody_wants_to_know(self, monkeypatch):
        """Who opens incidents by it asks for the tenant, which these connections have not."""
        monkeypatch.setattr(circuit_breaker, "_on_trouble", {})

    @pytest.fixture(autouse=True)
    def as_worker(self, db):
        with acting_as("worker"):
            yield

    def test_while_all_is_well_there_is_no_row_and_one_query_a_call(self):
        one = caller()
        with CaptureQueriesContext(database) as asked:
            with one.guard(URL):
                one.note(URL, is_good=True)
        assert len(asked) == 1
        assert not Breaker.objects.exists()

    def test_an_open_breaker_turns_all_but_one_caller_away(self):
        fleet = [caller() for _ in range(5)]
        fail(5, *fleet)
        for each in (*fleet, caller()):
            with pytest.raises(Unavailable) as refused, each.guard(URL):
                pytest.fail("let through")
            assert refused.value.fault.code == "provider-in-trouble"
            assert refused.value.entry_id is None
            away = (refused.value.retry_at - rows()[False].next_at).total_seconds()
            assert 0 <= away <= circuit_breaker.RETURN_SPREAD_SECONDS
        come_due()
        passed = []
        for each in fleet:
            try:
                with each.guard(URL):
                    passed.append(each)
            except Unavailable:
                continue
        assert passed == fleet[:1]

    def test_a_request_inside_a_guarded_one_has_passed_already(self):
        one = caller()
        fail(5, one, caller())
        come_due()
        with one.guard(URL), one.guard("https://books.example/token"):
            pass
        with pytest.raises(Unavailable), one.guard(URL):
            pytest.fail("a passage outlived its attempt")

    def test_another_server_of_the_same_provider_is_not_in_trouble(self):
        one = caller()
        fail(5, one, caller())
        with one.guard("https://other.example/api"):
            pass

    def test_one_connection_in_trouble_does_not_stand_in_the_others_way(self):
        one = caller()
        fail(9, one)
        with pytest.raises(Unavailable), one.guard(URL):
            pytest.fail("let through")
        with caller().guard(URL):
            pass

    def test_a_caller_that_tries_closes_both_breakers(self):
        one = caller()
        fail(9, one, caller())
        fail(5, one)
        come_due()
        with one.guard(URL):
            one.note(URL, is_good=True)
        assert rows()[False].healed_at is not None
        assert not Breaker.objects.filter(key__endswith=str(one._connection.id), healed_at=None).exists()

    def test_good_answers_count_while_there_are_failures(self):
        one = caller()
        fail(circuit_breaker.OPENING_FAILURES - 1, one)
        for _ in range(6):
            with one.guard(URL):
                one.note(URL, is_good=True)
        fail(1, one)
        assert (rows()[True].good, rows()[True].bad) == (6, circuit_breaker.OPENING_FAILURES)
        with one.guard(URL):
            pass

    def test_a_caller_that_met_no_trouble_looks_again_after_a_second_and_after_a_failure_of_its_own(self, monkeypatch):
        one, passed = caller(), [0.0]
        monkeypatch.setattr(circuit_breaker.time, "monotonic", lambda: 1000.0 + passed[0])
        looks = CaptureQueriesContext(database)

        def asks():
            with looks, one.guard(URL):
                pass
            return len(looks)

        assert asks() > 0
        assert asks() == 0
        passed[0] = circuit_breaker.CALM_SECONDS
        assert asks() > 0
        assert asks() == 0
        fail(1, one)
        assert asks() > 0
        fail(9, caller(), caller())
        passed[0] += circuit_breaker.CALM_SECONDS
        with pytest.raises(Unavailable), one.guard(URL):
            pytest.fail("let through")

    def test_an_answer_is_never_lost_because_the_breaker_could_not_be_told(self, monkeypatch, caplog):
        def gone(*args, **kwargs):
            raise DatabaseError

        monkeypatch.setattr(circuit_breaker, "_note_failure", gone)
        caller().note(URL, is_good=False)
        assert "not told" in caplog.text

    def test_no_address_is_kept(self):
        fail(1, caller())
        with database.cursor() as cursor:
            cursor.execute("SELECT b::text FROM transport_breaker b")
            assert "books.example" not in str(cursor.fetchall())


def test_since_when_there_is_trouble_is_known_to_the_pages(db):
    one = Connection(provider="procountor", environment="test")
    token = "https://pts-api.procountor.com/api/oauth/token"
    assert circuit_breaker.trouble_since(one) is None
    with acting_as("worker"):
        fail(5, caller(), caller(), url=token)
    with acting_as("web"):
        assert circuit_breaker.trouble_since(one) == rows()[False].opened_at
    Breaker.objects.filter(of_connection=False).update(
        next_at=circuit_breaker.Clock() - circuit_breaker.TROUBLE_KNOWN_FOR
    )
    assert circuit_breaker.trouble_since(one) is None  # nobody has looked for a while
    come_due()
    Breaker.objects.filter(of_connection=False).update(healed_at=circuit_breaker.Clock())
    assert circuit_breaker.trouble_since(one) is None
    assert circuit_breaker.trouble_since(Connection(provider="pentamic", environment="production")) is None


# -- in the send loop --------------------------------------------------------------------------------------------------


@pytest.fixture
def client(uncanny, monkeypatch):
    monkeypatch.setattr(retry, "LONGEST_RETRY_WAIT_SECONDS", 0.0)
    return Client(connection=uncanny)


def send(client):
    with acting_as("worker"):
        return client.send("session")


def test_server_errors_open_it_and_nothing_more_is_sent(hostile, client, db):
    answering(hostile, (503, b"{}"))
    for _ in range(circuit_breaker.OPENING_FAILURES):
        with pytest.raises(Unavailable):
            send(client)
    before = len(hostile.asked)
    for _ in range(circuit_breaker.OPENING_FAILURES):
        with pytest.raises(Unavailable) as refused:
            send(client)
        assert refused.value.fault.code == "provider-in-trouble"
    assert len(hostile.asked) == before
    assert (
        RequestLogEntry.objects.filter(operation="session").count()
        == len(calls(hostile))
        == circuit_breaker.OPENING_FAILURES
    )
    come_due()
    answering(hostile, (200, {}))
    assert send(client).status == 200
    assert not circuit_breaker.is_open(rows()[True])


def test_no_answer_counts_as_well(hostile, client, db):
    answering(hostile, lambda line: line.hang_up())
    with pytest.raises(Unavailable):
        send(client)
    assert rows()[True].bad == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_refusal_never_counts_as_trouble(hostile, client, db, status):
    answering(hostile, (status, b"{}"))
    for _ in range(6):
        with pytest.raises(Exception, match=r"\w"):
            send(client)
    assert not Breaker.objects.exists()


def test_a_refusal_is_a_sign_of_life(hostile, client, db):
    answering(hostile, (503, b"{}"))
    for _ in range(circuit_breaker.OPENING_FAILURES):
        with pytest.raises(Unavailable):
            send(client)
    come_due()
    answering(hostile, (404, b"{}"))
    with pytest.raises(Rejected):
        send(client)
    assert not circuit_breaker.is_open(rows()[True])


def test_a_token_request_feeds_it_and_is_held_back_by_it(hostile, client, db):
    hostile.behave = lambda line: line.answer(503, b"{}")
    for _ in range(circuit_breaker.OPENING_FAILURES):
        with pytest.raises(Unavailable), acting_as("worker"):
            client.new_token()
    asked = len(hostile.asked)
    assert asked == circuit_breaker.OPENING_FAILURES
    with pytest.raises(Unavailable) as refused, acting_as("worker"):
        client.new_token()
    assert refused.value.fault.code == "provider-in-trouble"
    assert len(hostile.asked) == asked


def test_the_breaker_is_asked_before_a_place_in_the_quota_is_taken(hostile, client, db, monkeypatch):
    answering(hostile, (503, b"{}"))
    for _ in range(circuit_breaker.OPENING_FAILURES):
        with pytest.raises(Unavailable):
            send(client)
    monkeypatch.setattr(sending.rate_limiter, "wait_for_quota", lambda *a, **k: pytest.fail("a place was taken"))
    with pytest.raises(Unavailable):
        send(client)
