"""Audit trails say when and who in the database's own words, and nobody changes or deletes a line of them."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models import F

from connections.tenancy import audit
from connections.tenancy.models import AuditEvent, AuditTally, SystemAuditEvent
from connections.tenancy.scope import SYSTEM, Actor, person_scope, staff_scope, tenant_scope
from tests.roles import acting_as

pytestmark = pytest.mark.django_db

ALICE = Actor(7, "alice@aamu.example")
BOB = Actor(8, "bob@aamu.example")
TRAILS = [AuditEvent, SystemAuditEvent]


def append(model, aamu, actor, action="tried"):
    if model is AuditEvent:
        audit.record(tenant_id=aamu.id, actor=actor, action=action)
    else:
        audit.record_system(actor=actor, action=action)


def latest(model):
    return model.objects.filter(action="tried").latest("happened_at")


@pytest.mark.parametrize("model", TRAILS)
@pytest.mark.parametrize("role", ["web", "worker"])
def test_who_acts_is_the_person_of_the_session(model, role, aamu):
    with acting_as(role), tenant_scope(aamu.id), person_scope(ALICE.id, ALICE.name):
        append(model, aamu, ALICE)
    event = latest(model)
    assert (event.actor_id, event.actor_name) == (7, "alice@aamu.example")


@pytest.mark.parametrize("model", TRAILS)
@pytest.mark.parametrize("other", [BOB, SYSTEM])
def test_code_that_names_somebody_else_is_refused(model, other, aamu):
    with acting_as("web"), tenant_scope(aamu.id), person_scope(ALICE.id, ALICE.name):
        with pytest.raises(audit.NotTheActor):
            append(model, aamu, other)
    assert not model.objects.filter(action="tried").exists()


@pytest.mark.parametrize("model", TRAILS)
@pytest.mark.parametrize("actor", [ALICE, SYSTEM])
def test_a_worker_acts_for_the_person_who_asked_or_as_the_portal(model, actor, aamu):
    with acting_as("worker"), tenant_scope(aamu.id):
        append(model, aamu, actor)
    event = latest(model)
    assert (event.actor_id, event.actor_name) == (actor.id, actor.name)


@pytest.mark.parametrize("model", TRAILS)
@pytest.mark.parametrize("role", ["web", "worker", "staff"])
@pytest.mark.parametrize("column", ["happened_at", "actor_id", "actor_name"])
def test_no_role_writes_who_or_when(model, role, column, aamu):
    values = {"happened_at": datetime(2020, 1, 1, tzinfo=timezone.utc), "actor_id": 8, "actor_name": BOB.name}
    columns = ["id", "action", "subject", "details", column]
    parameters = ["b7d4b4a4-6a0f-4b3c-9b7e-0d5a5b2e3f10", "tried", "", "{}", values[column]]
    if model is AuditEvent:
        columns.append("tenant_id")
        parameters.append(aamu.id)
    statement = (
        f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
    )
    with tenant_scope(aamu.id), acting_as(role), pytest.raises(ProgrammingError, match="permission denied"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)


@pytest.mark.parametrize("model", TRAILS)
def test_the_moment_is_the_databases(model, aamu):
    def clock():
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            return cursor.fetchone()[0]

    before = clock()
    with acting_as("web"), tenant_scope(aamu.id):
        append(model, aamu, ALICE)
    assert before <= latest(model).happened_at <= clock()


@pytest.mark.parametrize("model", TRAILS)
@pytest.mark.parametrize("role", ["web", "worker", "staff"])
@pytest.mark.parametrize("what", ["update", "delete"])
def test_nobody_changes_or_deletes_a_line(model, role, what, aamu):
    with tenant_scope(aamu.id):
        append(model, aamu, SYSTEM)
        with acting_as(role), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            rows = model.objects.filter(action="tried")
            rows.update(action=F("action")) if what == "update" else rows._raw_delete(rows.db)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_the_systems_trail_is_read_by_staff_only(role, aamu):
    audit.record_system(actor=SYSTEM, action="tried")
    with acting_as(role), tenant_scope(aamu.id), pytest.raises(ProgrammingError), transaction.atomic():
        SystemAuditEvent.objects.count()
    with acting_as("web"), staff_scope():
        assert SystemAuditEvent.objects.filter(action="tried").count() == 1


def test_a_flood_is_counted_and_does_not_fill_the_trail():
    with acting_as("web"):
        counts = [audit.record_repeated(actor=SYSTEM, action="tried", group="7", subject="x") for _ in range(100)]
        audit.record_repeated(actor=SYSTEM, action="tried", group="8", subject="y")
    assert counts == list(range(1, 101))
    events = SystemAuditEvent.objects.filter(action="tried", subject="x").order_by("happened_at")
    assert [event.details["count"] for event in events] == [1, 2, 4, 8, 16, 32, 64]
    assert SystemAuditEvent.objects.get(subject="y").details["count"] == 1
    assert set(AuditTally.objects.values_list("count", flat=True)) == {100, 1}


def test_what_no_column_takes_is_mended_or_cut():
    audit.record_system(actor=SYSTEM, action="a" * 300, subject="\0\ud800" + "s" * 300, typed={"q": "\0" + "d" * 900})
    event = SystemAuditEvent.objects.latest("happened_at")
    assert (len(event.action), len(event.subject), len(event.details["typed"]["q"])) == (80, 120, 500)
    assert event.subject.startswith("\N{REPLACEMENT CHARACTER}?")
