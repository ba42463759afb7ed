"""Nothing cuts between the answer and the commit: a pair that was given is stored, or the doubt about it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import InterfaceError, InternalError, OperationalError
from django.utils import timezone

from connections.transport.oauth import token_store, tokens
from tests.processes import ROOT
from tests.revealing import revealed
from tests.transport.conftest import OLD
from tests.transport.token_pairs import (
    NEW,
    change,
    ends_in,
    exchange_code,
    hold_is_over,
    living,
    presented,
    refused,
    refused_twice,
    row,
    saying,
)


class SoftLimit(Exception):
    """As Celery raises in a task whose soft time limit is over."""


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["while it is answered", "before it is stored"])
def test_a_signal_waits_until_the_pair_is_stored(hostile, committed_person, monkeypatch, number, moment):
    def stop(number, frame):
        raise SoftLimit

    def behave(line):
        if moment == "while it is answered":
            os.kill(os.getpid(), number)
            time.sleep(0.1)
        line.answer(200, NEW)

    def keep(*args):
        if moment == "before it is stored":
            os.kill(os.getpid(), number)
        return real(*args)

    ends_in(-1)
    hostile.behave, real = behave, token_store.store
    monkeypatch.setattr(token_store, "store", keep)
    before = signal.signal(number, stop)
    try:
        with pytest.raises(SoftLimit):
            living(committed_person)
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert revealed(living(committed_person).secret) == "new-a"
    assert (row().claimed_by, presented(hostile)) == ("", ["old-r"])


@pytest.mark.process
def test_a_process_that_is_told_to_stop_ends_when_it_has_finished():
    """Without a handler of its own: the system would end it at once."""
    code = (
        "import os, signal\nfrom connections.transport.oauth.deferred_signals import deferred_signals\n"
        "with deferred_signals():\n    os.kill(os.getpid(), signal.SIGTERM)\n    print('stored', flush=True)\n"
        "print('went on', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "stored\n")


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_database_that_goes_away_at_the_commit_costs_no_pair(hostile, committed_person, monkeypatch, is_committed):
    """It may be gone for a while, and read-only where another one takes over."""
    ends_in(-1)
    saying(hostile, 200, NEW)
    real, troubles = token_store.store, [OperationalError, InterfaceError, InternalError] * 4

    def keep(*args):
        if not troubles:
            return real(*args)
        if is_committed:
            real(*args)
        raise troubles.pop()

    monkeypatch.setattr(token_store, "store", keep)
    monkeypatch.setattr(tokens, "STORE_PAUSE_SECONDS", 0.01)
    assert revealed(living(committed_person).secret) == "new-a"
    assert (troubles, presented(hostile), row().generation) == ([], ["old-r"], 2)


def test_a_code_whose_pair_was_stored_unheard_is_no_failure(hostile, committed_person, monkeypatch):
    saying(hostile, 200, NEW)
    real, tries = token_store.store, []

    def keep(*args):
        tries.append(args)
        found = real(*args)
        if len(tries) == 1:
            raise OperationalError
        return found

    monkeypatch.setattr(token_store, "store", keep)
    monkeypatch.setattr(tokens, "STORE_PAUSE_SECONDS", 0.01)
    assert revealed(exchange_code(committed_person).secret) == "new-a"
    assert (len(tries), row().generation) == (2, 2)


def test_a_pair_that_could_not_be_stored_is_not_the_customers_fault(hostile, person, monkeypatch):
    ends_in(-1)
    saying(hostile, 200, NEW)

    def broken(*args):
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(token_store, "store", broken)
        living(person)
    assert row().claimed_by == ""
    saying(hostile, 400, {"error": "invalid_grant"})
    assert refused_twice(person).fault.code == "access-lost"


def test_a_pair_without_a_key_to_seal_it_is_not_the_customers_fault(hostile, person, monkeypatch):
    def gone(*args):
        raise token_store.KeyUnavailable

    ends_in(-1)
    saying(hostile, 200, NEW)
    with monkeypatch.context() as patched:
        patched.setattr(token_store.sealing, "seal", gone)
        assert refused(person).fault.code == "no-key"
    hold_is_over()
    saying(hostile, 400, {"error": "invalid_grant"})
    assert refused_twice(person).fault.code == "access-lost"


def test_a_stored_pair_ends_the_doubt(hostile, person):
    change(uncertain_at=timezone.now())
    ends_in(-1)
    saying(hostile, 200, NEW)
    living(person)
    ends_in(-1)
    saying(hostile, 400, {"error": "invalid_grant"})
    assert refused_twice(person).fault.code == "access-ended"
    assert OLD["refresh_token"] not in presented(hostile)[1:]
