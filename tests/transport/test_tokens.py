"""When a token is asked for, by whom, and what is left behind: claims, generations, refusals that are shared."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
import time_machine
from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connections.spec.errors import CallFailed, Forbidden, QuotaExhausted, Unauthorized, Unavailable
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client
from connections.transport.models import RequestLogEntry
from connections.transport.oauth import refusal_waits, token, token_endpoint, token_store, tokens
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Grant
from connections.vault.secret import Secret
from connections.vault.services import store_credential
from tests.revealing import revealed
from tests.roles import acting_as
from tests.transport.conftest import API_KEY

pytestmark = pytest.mark.usefixtures("committed_db")
TIMES = ("issued_at", "expires_at", "refused_at", "ask_after")


@pytest.fixture(autouse=True)
def as_worker(uncanny):
    with acting_as("worker"):
        yield


def counting(hostile, lifetime=3600):
    """Tokens token-1, token-2, ..."""
    hostile.behave = lambda line: line.answer(
        200, {"access_token": f"token-{len(hostile.asked)}", "expires_in": lifetime}
    )


def caller(connection):
    return Client(connection=connection).tokens


def living(connection):
    return caller(connection).valid_token()


def grant():
    with acting_as("owner"):
        return Grant.objects.get()


def together(count, what):
    """What `count` threads got or raised."""
    got, gate = [], threading.Barrier(count)

    def run():
        gate.wait()
        try:
            got.append(what())
        except CallFailed as failed:
            got.append(failed)
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


# -- how long a token is used ----------------------------------------------------------------------------------------


@pytest.fixture
def steady(monkeypatch):
    """`steady(60)`: the process's steady clock and the database's go on by a minute."""
    gone = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + gone[0])
    for module in (token_store, token):
        monkeypatch.setattr(module, "time", clock)

    def go_on(seconds):
        gone[0] += seconds
        with acting_as("owner"):
            Grant.objects.update(**{name: F(name) - timedelta(seconds=seconds) for name in TIMES})

    return go_on


@pytest.mark.parametrize(("lifetime", "margin"), [(3600, 300), (36000, 300), (600, 60), (60, 6)])
def test_a_token_is_renewed_a_margin_before_it_ends(hostile, uncanny, steady, lifetime, margin):
    counting(hostile, lifetime)
    living(uncanny)
    steady(lifetime - margin - 2)
    assert revealed(living(uncanny).secret) == "token-1"
    steady(3)
    assert revealed(living(uncanny).secret) == "token-2"


def test_a_caller_keeps_its_token_until_it_is_due(hostile, uncanny, steady, django_assert_num_queries):
    counting(hostile)
    who = caller(uncanny)
    who.valid_token()
    steady(3290)
    with django_assert_num_queries(0):
        assert revealed(who.valid_token().secret) == "token-1"
    steady(20)
    assert revealed(who.valid_token().secret) == "token-2"


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_wrong_changes_nothing(hostile, uncanny, steady, minutes):
    """Machines that disagree by ten minutes neither use an ended token nor ask in turns (OAU-10)."""
    off = timedelta(minutes=minutes)
    for given in (60, 3600, "3600.0", "", "1e3", [3600], 0, None, 10**30, True, -5):
        hostile.asked.clear()
        counting(hostile, given)
        token_store.destroy_pair(uncanny)
        living(uncanny)
        life = grant().expires_at - grant().issued_at
        with time_machine.travel(timezone.now() + off):
            assert [revealed(living(uncanny).secret) for _ in range(3)] == ["token-1"] * 3
        steady(life.total_seconds() + 1)
        with time_machine.travel(timezone.now() + off):
            assert revealed(living(uncanny).secret) == "token-2"
        assert [revealed(living(uncanny).secret) for _ in range(3)] == ["token-2"] * 3
        assert len(hostile.asked) == 2


def test_a_lifetime_counts_from_before_the_request(hostile, uncanny):
    def slowly(line):
        time.sleep(1)
        line.answer(200, {"access_token": "t", "expires_in": 100})

    hostile.behave = slowly
    before = timezone.now()
    living(uncanny)
    assert before <= grant().issued_at < before + timedelta(seconds=0.9)
    assert grant().expires_at - grant().issued_at == timedelta(seconds=100)


# -- claims ----------------------------------------------------------------------------------------------------------


def test_a_token_is_never_asked_for_inside_a_transaction(hostile, uncanny):
    """A caller's rollback would lose it; so nothing is sent."""
    with pytest.raises(RuntimeError), transaction.atomic():
        living(uncanny)
    with pytest.raises(RuntimeError), transaction.atomic():
        Client(connection=uncanny).new_token()
    assert hostile.asked == []


def test_a_token_is_committed_before_anything_else_can_fail(hostile, uncanny, monkeypatch):
    counting(hostile)

    def broken(entries):
        raise ConnectionResetError

    monkeypatch.setattr(tokens.writer, "write_now", broken)
    with pytest.raises(ConnectionResetError):
        living(uncanny)
    assert revealed(living(uncanny).secret) == "token-1"


def test_a_late_answer_does_not_overwrite(hostile, uncanny, monkeypatch):
    """Our claim is over, somebody stored a newer token: theirs is used."""
    counting(hostile)
    real, first = token_endpoint.request_token, []

    def ask(*where, **more):
        asked = real(*where, **more)
        if not first:
            first.append(asked)
            with tenant_scope(uncanny.tenant_id):
                Grant.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
            living(uncanny)
        return asked

    monkeypatch.setattr(token_endpoint, "request_token", ask)
    got = living(uncanny)
    assert (revealed(got.secret), got.generation, len(hostile.asked)) == ("token-2", 1, 2)


def test_a_destroyed_token_is_not_brought_back_by_an_answer_under_way(hostile, uncanny, monkeypatch):
    counting(hostile)
    real = token_endpoint.request_token

    def ask(*where, **more):
        asked = real(*where, **more)
        if len(hostile.asked) == 1:
            token_store.destroy_pair(uncanny)
        return asked

    monkeypatch.setattr(token_endpoint, "request_token", ask)
    assert revealed(living(uncanny).secret) == "token-2"
    token_store.destroy_pair(uncanny)
    assert revealed(living(uncanny).secret) == "token-3"


def test_a_new_token_is_not_one_of_the_credential_before(hostile, uncanny):
    """Somebody asks with the old key when the new one is stored: the check must ask with the new one itself."""
    release, seen = threading.Event(), threading.Event()

    def behave(line):
        key = parse_qs(line.body.decode())["api_key"][0]
        if key == API_KEY:
            seen.set()
            release.wait(10)
        line.answer(200, {"access_token": f"of-{key}", "expires_in": 3600})

    hostile.behave = behave
    old = threading.Thread(target=lambda: (living(uncanny), database.close()))
    old.start()
    assert seen.wait(10)
    with tenant_scope(uncanny.tenant_id), acting_as("owner"):
        store_credential(connection=uncanny, name="api_key", secret=Secret("another-key-012345"), actor=SYSTEM)
    threading.Timer(0.3, release.set).start()
    client = Client(connection=uncanny)
    client.new_token()
    old.join()
    assert revealed(client.tokens.valid_token().secret) == "of-another-key-012345"


def test_callers_who_want_a_newer_token_share_one(hostile, uncanny):
    counting(hostile)
    spent = living(uncanny).generation
    got = together(8, lambda: revealed(caller(uncanny).renew(newer_than=spent).secret))
    assert got == ["token-2"] * 8
    assert len(hostile.asked) == 2


def test_a_newer_token_that_is_gone_again_is_asked_for_at_once(hostile, uncanny, monkeypatch):
    monkeypatch.setattr(tokens, "REFRESH_WAIT_SECONDS", 600)  # longer than a test may take
    counting(hostile)
    spent = living(uncanny).generation
    caller(uncanny).renew(newer_than=spent)
    token_store.destroy_pair(uncanny)
    assert revealed(caller(uncanny).renew(newer_than=spent).secret) == "token-3"


def test_a_claim_is_released_whatever_happens(hostile, uncanny, monkeypatch):
    counting(hostile)

    def broken(*where, **more):
        raise ZeroDivisionError

    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(token_endpoint, "request_token", broken)
        living(uncanny)
    assert (grant().claimed_by, grant().claimed_until, grant().refused_at) == ("", None, None)
    assert revealed(living(uncanny).secret) == "token-1"


def test_a_claim_whose_holder_lives_is_respected(hostile, uncanny, monkeypatch):
    monkeypatch.setattr(tokens, "REFRESH_WAIT_SECONDS", 0.5)
    living_row = {"claimed_by": "somebody", "claimed_until": timezone.now() + timedelta(seconds=15)}
    with tenant_scope(uncanny.tenant_id):
        token_store.read(uncanny)
        Grant.objects.update(**living_row)
    with pytest.raises(Unavailable) as caught:
        living(uncanny)
    assert hostile.asked == []
    assert grant().claimed_by == "somebody"
    assert caught.value.fault.code == "no-answer"
    assert 10 < (caught.value.retry_at - timezone.now()).total_seconds() <= token_store.CLAIM_SECONDS


def test_a_sealing_key_that_is_gone_when_the_token_comes_is_reported(hostile, uncanny, monkeypatch):
    counting(hostile)

    def gone(*args):
        raise KeyUnavailable

    monkeypatch.setattr(token_store.sealing, "seal", gone)
    with pytest.raises(Unauthorized) as caught:
        living(uncanny)
    assert caught.value.fault.code == "no-key"
    with acting_as("owner"):
        assert RequestLogEntry.objects.get().fault == "no-key"
    assert grant().claimed_until is None


def test_a_stored_token_that_was_altered_is_not_used(hostile, uncanny):
    counting(hostile)
    living(uncanny)
    with acting_as("owner"):
        Grant.objects.update(access_ciphertext=b"planted")
    with pytest.raises(Unauthorized) as caught:
        living(uncanny)
    assert caught.value.fault.code == "no-key"


# -- failures that are shared ----------------------------------------------------------------------------------------

KEY_REFUSED = {"error": "invalid_grant"}
NOT_ALLOWED = {"errors": [{"message": "INVOICEABLE_API_CLIENTS_NOT_ALLOWED"}]}
TROUBLE = [
    (401, KEY_REFUSED, Unauthorized),
    (403, NOT_ALLOWED, Forbidden),
    (403, b"", Unavailable),
    (429, b"", QuotaExhausted),
    (503, b"", Unavailable),
    (0, b"", Unavailable),
]


@pytest.mark.parametrize(("status", "body", "kind"), TROUBLE)
def test_callers_who_waited_share_a_failure(hostile, uncanny, status, body, kind):
    def behave(line):
        time.sleep(0.2)
        line.answer(status, body) if status else line.hang_up()

    hostile.behave = behave
    failures = together(8, lambda: living(uncanny))
    assert [type(failed) for failed in failures] == [kind] * 8
    assert len({failed.fault.code for failed in failures}) == 1
    assert len({failed.entry_id for failed in failures}) == 1
    assert len(hostile.asked) == 1


def test_a_failure_is_shared_for_some_seconds_only(hostile, uncanny, monkeypatch):
    monkeypatch.setattr(token_store, "FAILURE_HOLDS_SECONDS", 0.3)
    monkeypatch.setattr(refusal_waits, "FIRST_WAIT_SECONDS", 0.3)
    hostile.behave = lambda line: line.answer(401, KEY_REFUSED)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            living(uncanny)
    assert len(hostile.asked) == 1
    time.sleep(0.35)
    counting(hostile)
    assert revealed(living(uncanny).secret) == "token-2"
    row = grant()
    assert (row.refused_at, row.refused_fault, row.refused_entry) == (None, "", None)
    assert (row.claimed_by, row.claimed_until) == ("", None)


def test_trouble_leaves_the_stored_token(hostile, uncanny):
    counting(hostile)
    spent = living(uncanny).generation
    hostile.behave = lambda line: line.answer(503)
    with pytest.raises(Unavailable):
        caller(uncanny).renew(newer_than=spent)
    assert revealed(living(uncanny).secret) == "token-1"


def test_a_caller_who_got_none_has_none_and_does_not_ask_again_at_once(hostile, uncanny):
    counting(hostile)
    who = caller(uncanny)
    spent = who.valid_token().generation
    hostile.behave = lambda line: line.answer(503)
    for _ in range(3):
        with pytest.raises(Unavailable):
            who.renew(newer_than=spent)
    assert len(hostile.asked) == 2
    with pytest.raises(Unavailable):
        who.renew(newer_than=spent, forced=True)
    assert len(hostile.asked) == 3
    assert revealed(who.valid_token().secret) == "token-1"


def test_a_quota_of_ours_is_no_failure_of_theirs(hostile, uncanny, monkeypatch):
    counting(hostile)

    def full(*args, **kwargs):
        raise QuotaExhausted(tokens.faults.QUOTA, retry_at=timezone.now())

    with monkeypatch.context() as patched, pytest.raises(QuotaExhausted):
        patched.setattr(token_endpoint.rate_limiter, "wait_for_quota", full)
        living(uncanny)
    assert revealed(living(uncanny).secret) == "token-1"
