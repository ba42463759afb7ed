"""What a provider may say instead of an answer: each refusal is told apart, waited out, or put down with a time."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.spec.errors import CallFailed, Forbidden, QuotaExhausted, Rejected, Unauthorized
from connections.sync.models import RunState
from connections.transport import faults
from connections.transport.client import Client
from connections.transport.models import RequestLogEntry
from connections.vault.models import Grant
from tests.contract.customers import Customer

WAIT = 120


def refused(customer: Customer) -> CallFailed:
    """In a run: what is asked by hand is no reason to doubt a refusal, as nothing breaks by it."""
    with pytest.raises(CallFailed) as caught:
        customer.ask(Client(connection=customer.connection, run_id=uuid.uuid4()))
    customer.knows(caught.value.fault.code)
    return caught.value


def test_503_503_200_is_an_answer(first: Customer, no_pauses: list[float]) -> None:
    first.ask()
    first.simulator.faults({"status": 503, "times": 2})
    reply = first.ask()
    assert reply.status == 200
    assert [int(pause) for pause in no_pauses] == [1, 2], "one second, then two, and jitter on top"
    assert first.simulator.state()["faults"] == []


def test_trouble_that_stays_ends_with_a_time(first: Customer) -> None:
    first.ask()
    first.simulator.faults({"status": 503, "times": None})
    failed = refused(first)
    assert failed.retry_at > timezone.now()  # type: ignore[attr-defined]


def test_401_403_and_429_are_three_things(first: Customer) -> None:
    first.ask()
    # The call is refused, a new token is given, and the call is refused with that one as well.
    first.simulator.faults({"status": 401}, {"status": 401, "skip": 1})
    assert refused(first).fault is faults.TURNED_AWAY, "once may be a whim"
    first.a_minute_later(minutes=11)  # beside what was answered lately, one refused list is no refused session
    first.simulator.faults({"status": 401}, {"status": 401, "skip": 1})
    unauthorized = refused(first)
    assert refused(first).asked_again_at, "the very same credential was sent again at once"
    Grant.objects.update(wait_until=None)
    first.simulator.faults({"status": 403, "body": ""})
    assert refused(first).fault is faults.TURNED_AWAY, "nothing but the status says so"
    first.a_minute_later()
    first.simulator.faults({"status": 403, "body": ""})
    forbidden = refused(first)
    first.simulator.faults({"status": 429, "headers": {"Retry-After": str(WAIT)}, "times": None})
    exhausted = refused(first)
    assert type(unauthorized) is Unauthorized
    assert type(forbidden) in (Forbidden, Rejected)
    assert type(exhausted) is QuotaExhausted
    assert len({failed.fault.code for failed in (unauthorized, forbidden, exhausted)}) == 3


def test_a_run_over_the_quota_is_put_down_until_it_may_go_on(first: Customer) -> None:
    first.ask()
    first.simulator.control("reset-counters", {})
    first.simulator.faults({"status": 429, "headers": {"Retry-After": str(WAIT)}, "times": None})
    run = first.sync()
    assert run.state == RunState.WAITING
    assert run.waiting_until >= timezone.now() + timedelta(seconds=WAIT - 20)
    assert first.simulator.state()["calls"] == 1, "asked on after a no"
    first.knows(run.fault)


def test_the_providers_request_id_is_kept(first: Customer) -> None:
    """On refusals, which support asks about, and on good answers; where no document names a header, from a usual one."""
    name = next(iter(first.provider.request_id_headers), "X-Correlation-Id")
    if not first.provider.request_id_headers:
        assert any("request id" in assumption for assumption in first.provider.assumptions), "said to be without one"
    first.ask()
    first.simulator.faults(
        {"status": 403, "headers": {name: "seen-by-support-1"}},
        {"status": 200, "body": "{}", "headers": {name: "seen-by-support-2"}},
    )
    failed, reply = refused(first), first.ask()
    # A simulator that numbers its answers puts its own id over the ordered one.
    assert failed.provider_request_id
    assert reply.provider_request_id
    assert failed.provider_request_id != reply.provider_request_id
    entry = RequestLogEntry.objects.get(id=failed.entry_id)
    assert (entry.status, entry.provider_request_id) == (403, failed.provider_request_id)
