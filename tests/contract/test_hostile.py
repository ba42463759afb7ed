"""Answers that no document promises: each ends as a fault in words, and none as a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connections.jobs.models import Job
from connections.spec.errors import CallFailed
from connections.sync.models import Record, RunLogLine, RunState
from tests.contract.customers import Customer

CAP = 1_000_000  # as in the provider's deadlines; lowered, so that a body over it can be ordered
DEEP = 5_000
HTML = "<!doctype html><title>Sign in</title><p>Please sign in."

Fault = dict[str, Any]


def a_list(customer: Customer, records: list[Any]) -> str:
    """The provider's own envelope around these records."""
    stream = customer.first_list
    reply = customer.ask()
    page = stream.paging.read(reply.body, stream.key)
    if not page.path:
        return json.dumps(records)
    body = copy.deepcopy(reply.body)
    body[page.path[0]] = records
    return json.dumps(body)


def a_record(customer: Customer, **more: Any) -> dict[str, Any]:
    return {customer.first_list.key: "4711", "name": "Invented", **more}


BAD: dict[str, Callable[[Customer], Fault]] = {
    "a login page": lambda _: {"body": HTML, "content_type": "text/html"},
    "half an answer": lambda customer: {"body": a_list(customer, [a_record(customer)])[:-7]},
    "more than the cap": lambda customer: {
        "body": a_list(customer, [a_record(customer, note="x" * (CAP + CAP // 2))])
    },
    "a list of things that are no records": lambda customer: {"body": a_list(customer, [1, "two", None, []])},
    "records without a key": lambda customer: {"body": a_list(customer, [{"name": "Invented"}])},
    "no list": lambda _: {"body": '{"something": "else"}'},
    "a depth without an end": lambda _: {"body": "[" * DEEP + "]" * DEEP},
    "a redirect": lambda _: {"status": 302, "body": "", "headers": {"Location": "https://elsewhere.example/"}},
}
ODD: dict[str, Callable[[Customer], Fault]] = {
    "a key twice": lambda customer: {
        "body": a_list(customer, [a_record(customer)]).replace('"4711"', '"4711", "name": "x", "name": "y"')
    },
    "a NUL character": lambda customer: {"body": a_list(customer, [a_record(customer, note="a\0b\\u0000c")])},
    "half a surrogate": lambda customer: {
        "body": a_list(customer, [a_record(customer)]).replace('"Invented"', '"\\ud800"')
    },
    "another content type": lambda customer: {
        "body": a_list(customer, [a_record(customer)]),
        "content_type": "text/plain",
    },
}


@pytest.fixture
def low_cap(first: Customer) -> Any:
    kept = first.provider.deadlines
    object.__setattr__(first.provider, "deadlines", replace(kept, body_bytes=CAP))
    yield
    object.__setattr__(first.provider, "deadlines", kept)


def order(customer: Customer, fault: Fault) -> None:
    """From the first page of the first list on, nothing else comes."""
    stream = customer.provider.streams[0]
    skipped = 1 if stream.permission else 0
    customer.simulator.faults({"status": 200, "times": None, "skip": skipped, **fault})


def unharmed(customer: Customer, what: str) -> None:
    """No job failed or was parked, and healed, everything is as it should be."""
    assert not Job.objects.filter(state__in=("parked", "running")).exists(), what
    assert not Job.objects.filter(failures__gt=0).exists(), what
    customer.simulator.faults()
    customer.fresh_token()
    assert customer.ask().status == 200, what


@pytest.mark.usefixtures("low_cap")
def test_what_cannot_be_read_ends_the_run_in_words(first: Customer) -> None:
    first.ask()
    for what, make in BAD.items():
        order(first, make(first))
        run = first.sync()
        assert run.state in (RunState.FAILED, RunState.INCOMPLETE), f"{what} was taken for an answer"
        first.knows(run.fault)
        assert not Record.objects.exists(), what
        unharmed(first, what)


@pytest.mark.usefixtures("low_cap")
def test_what_is_odd_is_read_or_refused_in_words(first: Customer) -> None:
    first.ask()
    for what, make in ODD.items():
        order(first, make(first))
        run = first.sync(first.first_list.name)
        if run.state != RunState.SUCCEEDED:
            first.knows(run.fault)
        else:
            kept = Record.objects.filter(stream=first.first_list.name)
            assert [row.external_id for row in kept] == ["4711"], what
            assert "\0" not in "".join(map(str, kept[0].body.values())), what
        unharmed(first, what)


@pytest.mark.usefixtures("low_cap")
def test_a_hostile_token_answer_is_refused_in_words(first: Customer) -> None:
    first.ask()
    for what, make in BAD.items():
        fault = make(first)
        first.simulator.faults({"status": 200, "times": 1, **fault})
        with pytest.raises(CallFailed) as caught:
            first.fresh_token()
        first.knows(caught.value.fault.code)
        assert caught.value.entry_id is not None, what
    unharmed(first, "a hostile token answer")


def test_a_runs_log_says_what_was_missing_not_what_was_there(first: Customer) -> None:
    first.ask()
    order(first, {"body": a_list(first, [{"name": "Confidential Oy"}, {"name": "Confidential Ab"}])})
    run = first.sync()
    lines = str(list(RunLogLine.objects.filter(run=run).values_list("values", flat=True)))
    assert "no record with a usable" in lines
    assert "Confidential" not in lines
