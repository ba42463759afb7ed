"""Writes whose answer was lost: looked for several times, found, or left to a person; and those that must be confirmed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from connections.calls import reconciliation, services
from connections.calls.models import Call
from connections.jobs.models import Job
from connections.providers import registry
from connections.spec.operations import Arguments
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from tests.calls.conftest import ALICE, Calling, Ledger, cut_after, cut_before, cut_during, says
from tests.roles import acting_as
from tests.transport.hostile import Line

LATER = timedelta(minutes=2)
DONE = [cut_after, cut_during, *(says(status, done=True) for status in (500, 502, 503, 504, 408, 302))]
DONE += [says(200, b"<html>", done=True), says(200, b" " * 11_000_000, done=True)]
DONE_NAMES = ["after", "during", "500", "502", "503", "504", "408", "302", "unreadable", "too large"]
NOT_DONE = [cut_before, *(says(status) for status in (500, 503, 504))]


@pytest.mark.parametrize("fate", DONE, ids=DONE_NAMES)
def test_a_lost_write_that_happened_is_found(calling: Calling, fate: Any) -> None:
    calling.ledger.fates = [fate]
    call = calling.run()
    assert (call.state, call.is_in_progress, call.needs_a_person) == ("unknown", True, False)
    assert call.next_at - timezone.now() <= reconciliation.LOOK_UP_WAITS[0]
    sent_as = call.entry_id
    call = calling.go_on(call, later=LATER)
    assert (call.state, call.found_by_look_up, call.entry_id) == ("answered", True, sent_as)
    assert '"R-1"' in call.answer
    assert calling.ledger.writes() == len(calling.ledger.things) == 1


@pytest.mark.parametrize("fate", NOT_DONE, ids=["before", "500", "503", "504"])
def test_a_lost_write_that_did_not_happen_waits_for_a_person(calling: Calling, fate: Any) -> None:
    calling.ledger.fates = [fate]
    call = calling.run()
    due = []
    while call.is_in_progress:
        due.append(Job.objects.get(subject=call.id, state="queued").due_at - timezone.now())
        call = calling.go_on(call, later=LATER)
    assert (call.state, call.why, call.looks, call.needs_a_person) == ("unknown", "not-found", 3, True)
    assert len(due) == calling.ledger.looks() == 3
    assert due == sorted(due)
    assert sum(due, timedelta()) > timedelta(seconds=50)
    assert not calling.work_off()
    assert calling.ledger.writes() == 1


def test_what_is_done_late_is_found_by_a_later_look(calling: Calling) -> None:
    calling.ledger.fates = [cut_before]
    call = calling.run()
    call = calling.go_on(call, later=LATER)
    call = calling.go_on(call, later=LATER)
    assert (call.state, call.looks) == ("unknown", 2)
    calling.ledger.things.append({"reference": "R-1"})
    assert calling.go_on(call, later=LATER).found_by_look_up


def test_it_is_not_looked_for_before_its_time(calling: Calling) -> None:
    calling.ledger.fates = [cut_after]
    call = calling.run()
    Job.objects.update(due_at=timezone.now())
    calling.go_on(call)
    assert calling.ledger.looks() == 0
    assert Job.objects.get(subject=call.id).due_at == call.next_at


def test_a_look_that_is_answered_404_has_not_found_it(calling: Calling) -> None:
    calling.ledger.fates = [cut_before, says(404, {})]
    call = calling.go_on(calling.run(), later=LATER)
    assert (call.looks, call.is_in_progress) == (1, True)


def test_a_token_that_is_answered_404_says_nothing(calling: Calling) -> None:
    calling.ledger.fates = [cut_before]
    call = calling.run()
    calling.ledger.token_status = 404
    from connections.vault.models import Grant

    Grant.objects.all().delete()
    call = calling.go_on(call, later=LATER)
    assert (call.looks, call.is_in_progress) == (0, True)
    call = calling.go_on(call, later=timedelta(minutes=80))
    assert (call.looks, call.why, call.needs_a_person) == (0, "not-heard", True)


def test_a_provider_that_does_not_answer_is_asked_for_an_hour(calling: Calling) -> None:
    calling.ledger.fates = [cut_after, *[says(503)] * 100]
    call = calling.go_on(calling.run(), later=timedelta(minutes=10))
    assert (call.looks, call.is_in_progress) == (0, True), "a look that could not be asked is no look"
    call = calling.go_on(call, later=timedelta(minutes=80))
    assert (call.why, call.needs_a_person) == ("not-heard", True)
    assert calling.ledger.writes() == 1


def test_a_look_that_is_refused_is_left_to_a_person(calling: Calling) -> None:
    calling.ledger.fates = [cut_after, says(403, {})]
    call = calling.go_on(calling.run(), later=LATER)
    assert (call.why, call.needs_a_person) == ("not-heard", True)


@pytest.mark.parametrize("body", [{"things": [1]}, {"things": None}, {}, [], {"things": [{}]}], ids=str)
def test_an_answer_that_cannot_be_looked_through_says_nothing(calling: Calling, body: Any) -> None:
    calling.ledger.fates = [cut_after, says(200, body)]
    call = calling.go_on(calling.run(), later=LATER)
    assert (call.state, call.why, call.looks, call.needs_a_person) == ("unknown", "not-heard", 0, True)
    assert calling.ledger.writes() == calling.ledger.looks() == 1


@pytest.mark.parametrize("slug", ["smartbusiness", "pentamic"])
def test_a_finder_that_meets_no_objects_is_stopped(
    calling: Calling, writable: Any, monkeypatch: pytest.MonkeyPatch, slug: str
) -> None:
    real = registry.find(slug)
    assert real is not None
    body: Any = {"items": [1]} if slug == "smartbusiness" else [1]
    name = "contacts.create" if slug == "smartbusiness" else "customers.create"
    look_up = real.operation(name).look_up
    operations = [
        replace(each, look_up=replace(look_up, operation="things.find", arguments=lambda sent: Arguments()))
        if each.name == "things.create" and look_up
        else each
        for each in writable.operations
    ]
    provider = replace(writable, operations=tuple(operations))
    monkeypatch.setattr(registry, "all_providers", lambda: {provider.slug: provider})
    calling.ledger.fates = [cut_after, says(200, body)]
    call = calling.go_on(calling.run(), later=LATER)
    assert (call.state, call.why, call.needs_a_person) == ("unknown", "not-heard", True)


def test_where_nothing_can_be_looked_up_a_person_decides_at_once(calling: Calling) -> None:
    calling.ledger.fates = [cut_after, cut_after]
    without = calling.run("things.pay")
    assert (without.state, without.why, without.needs_a_person) == ("unknown", "not-offered", True)
    nameless = calling.run("things.create", {"amount": 5})
    assert (nameless.state, nameless.why) == ("unknown", "not-offered"), "it holds no reference of ours"
    assert not Job.objects.filter(state="queued").exists()


def test_finding_the_twin_of_an_earlier_one_proves_nothing(calling: Calling) -> None:
    assert calling.run().state == "answered"
    calling.ledger.fates = [cut_before]
    call = calling.run()
    assert (call.state, call.why, call.needs_a_person) == ("unknown", "twin", True)
    calling.ledger.fates = [cut_after]
    other = calling.run("things.create", {"reference": "R-2", "amount": 1})
    assert other.is_in_progress, "another reference is another thing"


def test_a_connection_that_ended_is_not_asked(calling: Calling) -> None:
    calling.ledger.fates = [cut_after]
    call = calling.run()
    Connection.objects.update(state="disconnected")
    asked = len(calling.ledger.asked)
    assert calling.go_on(call, later=LATER).needs_a_person
    assert len(calling.ledger.asked) == asked


# -- a person's word ---------------------------------------------------------------------------------------------------


@pytest.fixture
def unknown(calling: Calling) -> Call:
    calling.ledger.fates = [cut_before]
    return calling.look_to_the_end(calling.run())


def settle(call: Call, done: bool) -> bool:
    with acting_as("web"), tenant_scope(call.tenant_id):
        return services.settle(call=call, done=done, actor=ALICE)


def again(call: Call) -> Call:
    with acting_as("web"), tenant_scope(call.tenant_id):
        return services.send_again(call=call, actor=ALICE)


def test_a_person_says_that_it_was_done(unknown: Call, calling: Calling) -> None:
    assert settle(unknown, True)
    unknown.refresh_from_db()
    assert (unknown.state, unknown.settled_by) == ("settled-done", ALICE.name)
    assert AuditEvent.objects.get(action="call.settled").details["outcome"] == "settled-done"
    with pytest.raises(ActionRefused, match="after somebody looked"):
        again(unknown)
    assert calling.ledger.writes() == 1


def test_only_what_was_not_done_is_sent_again_and_once(unknown: Call, calling: Calling) -> None:
    with pytest.raises(ActionRefused):
        again(unknown)
    assert settle(unknown, False)
    second = again(unknown)
    assert again(unknown).id == second.id
    assert (second.instead_of_id, second.reason, second.body) == (unknown.id, "again", unknown.body)
    assert calling.go_on(second).state == "answered"
    assert calling.ledger.writes() == 2
    assert len(calling.ledger.things) == 1


def test_the_first_word_counts(unknown: Call) -> None:
    assert settle(unknown, True)
    assert not settle(unknown, False)
    unknown.refresh_from_db()
    assert unknown.state == "settled-done"


@pytest.mark.parametrize("state", ["queued", "sent", "waiting", "answered", "refused", "failed"])
def test_nobody_settles_what_is_not_unknown(calling: Calling, state: str) -> None:
    call = calling.ask()
    Call.objects.update(state=state)
    assert not settle(call, True)
    assert Job.objects.get(subject=call.id).state == "queued", "its work goes on"
    assert Call.objects.get().state == state


def test_a_persons_word_ends_the_looking(calling: Calling) -> None:
    calling.ledger.fates = [cut_after]
    call = calling.run()
    assert settle(call, True)
    call = calling.go_on(call, later=LATER)
    assert (call.state, calling.ledger.looks()) == ("settled-done", 0)


def test_a_persons_word_stands_whatever_a_look_in_flight_then_finds(calling: Calling) -> None:
    """The look was sent before the person spoke, and its answer comes after."""
    calling.ledger.fates = [cut_after]
    call = calling.run()

    def answer_late(line: Line, ledger: Ledger) -> None:
        with ThreadPoolExecutor(1) as person:  # the database is another connection's there
            assert person.submit(spoken, call).result(30)
        line.answer(200, {"things": ledger.things})

    calling.ledger.fates = [answer_late]
    call = calling.go_on(call, later=LATER)
    assert (call.state, call.found_by_look_up, calling.ledger.looks()) == ("settled-not-done", False, 1)


def spoken(call: Call) -> bool:
    try:
        return settle(call, False)
    finally:
        connection.close()


# -- to be confirmed at the provider -----------------------------------------------------------------------------------

PENDING = says(202, {"transactionIdentifier": "tx-1", "confirmationApp": "Key"}, done=True)


def paid(calling: Calling, *results: tuple[int, Any]) -> Call:
    calling.ledger.fates = [PENDING]
    calling.ledger.results = list(results)
    return calling.run("things.pay")


def test_a_payment_waits_until_a_person_has_confirmed_it(calling: Calling) -> None:
    call = paid(calling, (202, {}), (202, {}), (200, {"result": "paid"}))
    assert (call.state, call.status, call.follow_up) == ("waiting", 202, "tx-1")
    for _ in range(2):
        call = calling.go_on(call, later=timedelta(seconds=10))
        assert call.state == "waiting"
    call = calling.go_on(call, later=timedelta(seconds=10))
    assert (call.state, call.status) == ("answered", 200)
    assert '"paid"' in call.answer
    assert calling.ledger.asked.count("GET /latest/api/results/tx-1") == 3
    assert calling.ledger.writes() == 1


@pytest.mark.parametrize("status", [406, 408])
def test_a_payment_that_was_rejected_or_expired_is_refused(calling: Calling, status: int) -> None:
    call = calling.go_on(paid(calling, (status, {})), later=timedelta(seconds=10))
    assert (call.state, call.status) == ("refused", status)


def test_trouble_while_asking_is_no_news(calling: Calling) -> None:
    call = calling.go_on(paid(calling, (503, {})), later=timedelta(seconds=10))
    assert call.state == "waiting"
    calling.ledger.results = [(200, {})]
    assert calling.go_on(call, later=timedelta(minutes=2)).state == "answered"


@pytest.mark.parametrize("status", [403, 404])
def test_what_can_no_longer_be_followed_is_left_to_a_person(calling: Calling, status: int) -> None:
    call = calling.go_on(paid(calling, (status, {})), later=timedelta(seconds=10))
    assert (call.state, call.why, call.needs_a_person) == ("unknown", "no-news", True)


def test_a_confirmation_is_not_waited_for_for_ever(calling: Calling) -> None:
    call = calling.go_on(paid(calling, (202, {})), later=timedelta(hours=25))
    assert (call.state, call.why) == ("unknown", "no-news")


@pytest.mark.parametrize(
    "body", [{}, [], {"transactionIdentifier": None}, {"transactionIdentifier": "x" * 300}], ids=str
)
def test_a_confirmation_without_a_name_is_left_to_a_person(calling: Calling, body: Any) -> None:
    calling.ledger.fates = [says(202, body)]
    call = calling.run("things.pay")
    assert (call.state, call.why, call.status) == ("unknown", "no-news", 202)


def test_a_202_of_an_operation_that_needs_no_confirmation_is_an_answer(calling: Calling) -> None:
    calling.ledger.fates = [says(202, {})]
    assert calling.run().state == "answered"


def test_a_worker_that_dies_with_the_name_of_what_waits_leaves_it_to_a_person(
    calling: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.calls.test_dispatch import die_at

    calling.ledger.fates = [PENDING]
    monkeypatch.setattr(Calling, "ask", lambda self, real=Calling.ask: real(self, "things.pay"))
    call = calling.go_on(die_at(monkeypatch, calling, "_record_answer"))
    assert (call.state, call.needs_a_person) == ("unknown", True)
