"""What may be asked for, what is refused at which field, and that asking twice is asking once."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection as database
from django.db.utils import ProgrammingError

from connections.calls import services
from connections.calls.models import METADATA, Call
from connections.calls.validation import BadCall
from connections.jobs.models import Job
from connections.spec.operations import Arguments, ParameterPlace
from connections.tenancy.models import AuditEvent, Tenant
from connections.tenancy.scope import staff_scope, tenant_scope
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from tests.calls.conftest import ALICE, Calling
from tests.roles import acting_as


def troubles(calling: Calling, *args: Any, **given: Any) -> dict[Any, str]:
    with pytest.raises(BadCall) as caught:
        calling.ask(*args, **given)
    assert not Call.objects.exists()
    at = {key: str(value) for key, value in caught.value.parameters.items()}
    return at | {each.path: str(each.sentence) for each in caught.value.body}


def test_the_intent_is_kept_with_its_job_and_its_trace(calling: Calling) -> None:
    call = calling.ask(query={"mode": "draft"})
    kept = Call.objects.get()
    assert (kept.id, kept.state, kept.is_write) == (call.id, "queued", True)
    assert kept.call_arguments == Arguments({}, {"mode": "draft"}, {}, {"reference": "R-1", "amount": 1})
    assert (kept.asked_by, kept.actor_id, kept.reason) == (ALICE.name, ALICE.id, "hand")
    assert Job.objects.get(kind="calls.send").subject == call.id
    event = AuditEvent.objects.get(action="call.asked")
    assert (event.actor_name, event.details["call"]) == (ALICE.name, str(call.id))
    assert "R-1" not in str(event.details)


def test_reading_leaves_no_audit_event(calling: Calling) -> None:
    calling.ask("things.find")
    assert not AuditEvent.objects.filter(action="call.asked").exists()


PATHS = ["", " ", ".", "..", "../x", "a/b", "a\\b", "%2e%2e", "a\nb", "a\x00", "x" * 3000, "\u202ea"]


@pytest.mark.parametrize("value", PATHS)
def test_no_value_leads_to_another_path(calling: Calling, value: str) -> None:
    assert set(troubles(calling, "things.get", path={"id": value})) == {(ParameterPlace.PATH, "id")}


@pytest.mark.parametrize("value", ["A-1 ä?#", "می\u200cشود", "न\u200d्"], ids=["odd", "Persian", "Hindi"])
def test_a_harmless_value_stands_in_a_path(calling: Calling, value: str) -> None:
    assert calling.ask("things.get", path={"id": value}).state == "queued"


def test_every_trouble_is_told_at_its_place(calling: Calling) -> None:
    found = troubles(
        calling,
        "things.create",
        {"reference": "R", "amount": -1},
        query={"mode": "sideways", "other": "1"},
        headers={"Authorization": "Bearer mine"},
    )
    assert set(found) == {
        (ParameterPlace.QUERY, "mode"),
        (ParameterPlace.QUERY, "other"),
        (ParameterPlace.HEADER, "Authorization"),
        "lines.0.amount",
    }
    assert set(troubles(calling, "things.get")) == {(ParameterPlace.PATH, "id")}
    assert set(troubles(calling, "things.get", path={"id": "1"}, headers={"X-Filter": "a\r\nX: b"})) == {
        (ParameterPlace.HEADER, "X-Filter")
    }


@pytest.mark.parametrize(
    "body",
    [[], "text", 5, {"a": "x" * 300_000}, {"a": 2**70}, {"a": "\ud800"}],
    ids=["list", "text", "number", "large", "huge", "surrogate"],
)
def test_a_body_that_cannot_be_sent_or_kept_is_refused(calling: Calling, body: Any) -> None:
    assert set(troubles(calling, "things.create", body)) == {""}


def test_a_body_is_taken_where_there_is_one_and_nowhere_else(calling: Calling) -> None:
    assert set(troubles(calling, "things.find", {"a": 1})) == {""}
    with pytest.raises(BadCall), acting_as("web"), tenant_scope(calling.connection.tenant_id):
        services.ask(connection=calling.connection, operation="things.create", arguments=Arguments(), actor=ALICE)


def test_what_is_not_declared_is_not_sent(calling: Calling) -> None:
    with pytest.raises(ActionRefused, match="no such operation"):
        calling.ask("things.burn")


@pytest.mark.parametrize(
    "change",
    [
        {"state": "setup"},
        {"state": "paused"},
        {"state": "disconnected"},
        {"state": "broken", "fault": "other-company"},
    ],
    ids=str,
)
def test_a_connection_that_does_not_stand_sends_nothing(calling: Calling, change: dict[str, str]) -> None:
    Connection.objects.update(**change)
    with pytest.raises(ActionRefused, match="does not stand"):
        calling.ask("things.find")


def test_writes_are_off_until_they_are_switched_on_which_is_written_down(calling: Calling) -> None:
    refused = "switched off for this connection.*switch them on under"
    with acting_as("web"), tenant_scope(calling.connection.tenant_id):
        assert services.switch_writes(connection=calling.connection, on=False, actor=ALICE)
        assert not services.switch_writes(connection=calling.connection, on=False, actor=ALICE)
    with pytest.raises(ActionRefused, match=refused):
        calling.ask()
    calling.ask("things.find")
    events = AuditEvent.objects.filter(action__startswith="connection.writes_").order_by("happened_at")
    assert [(event.action, event.actor_name) for event in events] == [
        ("connection.writes_allowed", ALICE.name),
        ("connection.writes_forbidden", ALICE.name),
    ]
    Connection.objects.update(state="disconnected")
    with pytest.raises(ActionRefused, match="disconnected"), tenant_scope(calling.connection.tenant_id):
        services.switch_writes(connection=calling.connection, on=True, actor=ALICE)


def test_a_suspended_customer_sends_nothing(calling: Calling) -> None:
    Tenant.objects.update(state="suspended")
    with pytest.raises(ActionRefused, match="does not stand"):
        calling.ask("things.find")


def test_asking_twice_with_one_id_is_asking_once(calling: Calling) -> None:
    chosen = uuid.uuid4()
    with acting_as("web"), tenant_scope(calling.connection.tenant_id):
        calls = [
            services.ask(
                connection=calling.connection,
                operation="things.create",
                arguments=Arguments(body={"reference": reference}),
                actor=ALICE,
                call_id=chosen,
            )
            for reference in ("R-1", "R-2")
        ]
    assert calls[0].id == calls[1].id == chosen
    assert Call.objects.get().body == '{"reference":"R-1"}'
    calling.work_off()
    assert calling.ledger.writes() == 1
    assert AuditEvent.objects.filter(action="call.asked").count() == 1


def test_an_id_that_another_tenant_uses_tells_nothing(calling: Calling, kaste: Any) -> None:
    call = calling.ask()
    with acting_as("web"), tenant_scope(kaste.id):
        other = Connection(
            tenant=kaste, provider="procountor", environment="sandbox", auth_method="m2m", state="connected"
        )
        other.save(force_insert=True)
        with pytest.raises(ActionRefused, match="cannot be sent"):
            services.ask(
                connection=other, operation="things.find", arguments=Arguments(), actor=ALICE, call_id=call.id
            )


# -- the fence ---------------------------------------------------------------------------------------------------------


def test_staff_see_that_a_call_was_made_and_nothing_of_what_it_held(calling: Calling) -> None:
    calling.ask()
    with acting_as("web"), staff_scope(), database.cursor() as cursor:
        cursor.execute(f"SELECT {METADATA} FROM calls_call")
        assert len(cursor.fetchall()) == 1
    for column in ("arguments", "body", "answer", "troubles", "follow_up"):
        with acting_as("web"), pytest.raises(ProgrammingError), staff_scope(), database.cursor() as cursor:
            cursor.execute(f"SELECT {column} FROM calls_call")


def test_the_web_cannot_invent_an_outcome(calling: Calling) -> None:
    call = calling.ask()
    for change in ({"answer": "x"}, {"status": 200}, {"entry_id": call.id}, {"body": ""}):
        with acting_as("web"), pytest.raises(ProgrammingError), tenant_scope(calling.connection.tenant_id):
            Call.objects.filter(id=call.id).update(**change)


def test_calls_go_with_their_connection(calling: Calling) -> None:
    call = calling.run()
    Call.objects.filter(id=call.id).update(state="settled-not-done")
    with acting_as("web"), tenant_scope(calling.connection.tenant_id):
        services.send_again(call=call, actor=ALICE)
    Connection.objects.get(id=calling.connection.id).delete()
    assert not Call.objects.exists()
    calling.work_off()
    assert calling.ledger.writes() == 1, "the second one was never sent"
