"""A look proves a write only where what it finds can be nobody else's: no other call's, and nothing that was there before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections as databases
from django.utils import timezone

from connections.calls.models import Call
from connections.jobs.models import Job
from connections.providers import registry
from connections.tenancy.scope import tenant_scope
from tests.calls.conftest import Calling, Ledger, cut_after, cut_before
from tests.transport.hostile import Line

LATER = timedelta(minutes=2)
OTHER_BODY = {"reference": "R-1", "amount": 2}


def left_as_twin(call: Call) -> bool:
    return (call.state, call.why, call.needs_a_person, call.found_by_look_up) == ("unknown", "twin", True, False)


@pytest.mark.parametrize("body", [None, OTHER_BODY], ids=["identical", "another body"])
def test_what_another_call_did_meanwhile_proves_nothing(calling: Calling, body: Any) -> None:
    calling.ledger.fates = [cut_before]
    lost = calling.run()
    assert lost.is_in_progress, "nothing like it was sent before"
    assert calling.run("things.create", body).state == "answered"
    assert left_as_twin(calling.go_on(lost, later=LATER))
    assert len(calling.ledger.things) == 1


def test_of_two_lost_calls_none_is_found_by_what_one_of_them_did(calling: Calling) -> None:
    calling.ledger.fates = [cut_before, cut_after]
    lost, done = calling.run(), calling.run()
    assert left_as_twin(calling.go_on(lost, later=LATER))
    assert left_as_twin(calling.go_on(done, later=LATER))
    assert len(calling.ledger.things) == 1


def test_one_that_leaves_while_the_look_is_out_counts_too(calling: Calling) -> None:
    calling.ledger.fates = [cut_before]
    lost = calling.run()
    other = calling.ask()
    Job.objects.filter(subject=other.id).update(due_at=timezone.now() + timedelta(hours=1))

    def answer_late(line: Line, ledger: Ledger) -> None:
        with tenant_scope(calling.connection.tenant_id):
            Call.objects.filter(id=other.id).update(state="sent")
        databases.close_all()
        line.answer(200, {"things": [{"reference": "R-1"}]})

    calling.ledger.fates = [answer_late]
    assert left_as_twin(calling.go_on(lost, later=LATER))


@pytest.mark.parametrize("state", ["answered", "sent", "unknown", "waiting", "settled-done"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_whatever_may_have_been_done_counts_however_long_ago(calling: Calling, state: str, when: str) -> None:
    calling.ledger.fates = [cut_before]
    lost = calling.run() if when == "meanwhile" else None
    other = calling.ask("things.create", OTHER_BODY)
    Job.objects.filter(subject=other.id).delete()
    Call.objects.filter(id=other.id).update(state=state, asked_at=timezone.now() - timedelta(days=900))
    assert left_as_twin(calling.go_on(lost, later=LATER) if lost else calling.run())


@pytest.mark.parametrize("state", ["queued", "refused", "failed", "settled-not-done"])
def test_what_was_surely_not_done_does_not_count(calling: Calling, state: str) -> None:
    other = calling.ask()
    Job.objects.filter(subject=other.id).delete()
    Call.objects.filter(id=other.id).update(state=state)
    calling.ledger.fates = [cut_after]
    assert calling.go_on(calling.run(), later=LATER).found_by_look_up


def test_another_operation_and_another_reference_do_not_count(calling: Calling) -> None:
    calling.run("things.create", {"reference": "R-2", "amount": 1})
    paid = calling.ask("things.pay")
    Job.objects.filter(subject=paid.id).delete()
    Call.objects.filter(id=paid.id).update(state="answered")
    calling.ledger.fates = [cut_after]
    assert calling.go_on(calling.run(), later=LATER).found_by_look_up


def test_twins_are_asked_for_in_one_query(calling: Calling, django_assert_num_queries: Any) -> None:
    from connections.calls import reconciliation, services

    for number in range(3):
        calling.run("things.create", {"reference": f"R-{number + 2}", "amount": 1})
    lost = calling.ask()
    look_up = services.operation_of(calling.connection, "things.create").look_up
    with tenant_scope(lost.tenant_id), django_assert_num_queries(1):
        assert look_up
        assert not reconciliation.is_ambiguous(lost, look_up)


# -- what was there before ---------------------------------------------------------------------------------------------


@pytest.fixture
def dated(calling: Calling, writable: Any, monkeypatch: pytest.MonkeyPatch) -> Calling:
    """The same, at a provider that says when a thing was created."""

    def created(thing: Any) -> datetime | None:
        return datetime.fromisoformat(thing["created"]) if "created" in thing else None

    operations = [
        replace(each, look_up=replace(each.look_up, created=created)) if each.name == "things.create" else each
        for each in writable.operations
    ]
    provider = replace(writable, operations=operations)
    monkeypatch.setattr(registry, "all_providers", lambda: {provider.slug: provider})
    return calling


def there(calling: Calling, *ages: timedelta | None) -> None:
    """Things with our reference, created so long ago; None where the provider does not say."""
    calling.ledger.things = [
        {"reference": "R-1", "serial": at} | ({} if age is None else {"created": (timezone.now() - age).isoformat()})
        for at, age in enumerate(ages)
    ]


YEARS, MINUTES, NOW = timedelta(days=900), timedelta(minutes=10), timedelta()


@pytest.mark.parametrize("ages", [(YEARS,), (MINUTES,), (None,), (YEARS, None)], ids=str)
def test_what_was_there_before_is_no_proof(dated: Calling, ages: Any) -> None:
    dated.ledger.fates = [cut_before]
    call = dated.run()
    there(dated, *ages)
    call = dated.go_on(call, later=timedelta(seconds=5))
    assert call.is_in_progress, "ours may still come late"
    assert left_as_twin(dated.look_to_the_end(call))


@pytest.mark.parametrize("ages", [(NOW,), (YEARS, NOW), (timedelta(minutes=1),)], ids=str)
def test_what_was_created_since_is_found_beside_what_was_there_before(dated: Calling, ages: Any) -> None:
    dated.ledger.fates = [cut_before]
    call = dated.run()
    there(dated, *ages)
    call = dated.go_on(call, later=timedelta(seconds=5))
    assert call.found_by_look_up
    assert f'"serial": {len(ages) - 1}' in call.answer


def test_of_two_that_were_created_since_none_is_ours_for_sure(dated: Calling) -> None:
    dated.ledger.fates = [cut_before]
    call = dated.run()
    there(dated, NOW, NOW)
    assert left_as_twin(dated.go_on(call, later=timedelta(seconds=5)))
