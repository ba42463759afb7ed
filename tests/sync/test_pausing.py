"""Pausing a connection: nothing is read, a run goes on where it was, and what is found out meanwhile is not forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import ProgrammingError
from django.utils import timezone as clock

from connections.jobs import services as jobs
from connections.jobs.lease import LeaseLost
from connections.jobs.models import Job, JobState
from connections.jobs.tasks import work
from connections.sync import engine, faults, pausing, services
from connections.sync.models import Record, RunState, ScheduleSlot, SyncRun, Trigger
from connections.sync.schedule import SCHEDULED
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import Actor, staff_scope, tenant_scope
from connections.vault import services as vault
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused
from tests.roles import acting_as
from tests.sync.logs import lines

ALICE, ADA = Actor(7, "Alice Aalto"), Actor(8, "Ada of our staff")
REASON = "The year is being closed."


def pause(place, reason=REASON):
    with acting_as("web"), tenant_scope(place.tenant_id):
        pausing.pause(connection=place, reason=reason, actor=ALICE)


def resume(place):
    with acting_as("web"), tenant_scope(place.tenant_id):
        pausing.resume(connection=place, actor=ALICE)


def start(place, trigger=Trigger.HAND):
    with acting_as("web"), tenant_scope(place.tenant_id):
        return services.start_run(connection=place, trigger=trigger, actor=ALICE)


def state(place):
    return Connection.objects.values_list("state", flat=True).get(id=place.id)


def waiting(kind):
    return Job.objects.filter(kind=kind, state__in=(JobState.QUEUED, JobState.RUNNING))


def test_it_says_who_when_and_why_and_is_audited(place):
    pause(place, f"  {REASON}  ")
    place.refresh_from_db()
    assert (place.state, place.paused_by, place.pause_reason) == ("paused", "Alice Aalto", REASON)
    assert place.paused_at is not None
    resume(place)
    place.refresh_from_db()
    assert (place.state, place.paused_by, place.pause_reason, place.paused_at) == ("connected", "", "", None)
    events = AuditEvent.objects.filter(action__startswith="connection.").exclude(action="connection.opened")
    assert list(events.order_by("happened_at").values_list("action", "actor_name", "details")) == [
        ("connection.paused", "Alice Aalto", {"reason": REASON}),
        ("connection.resumed", "Alice Aalto", {}),
    ]


def test_nothing_starts_while_it_is_paused(place, work_off):
    start(place)
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    pause(place)
    assert not waiting(SCHEDULED).exists()
    for trigger in Trigger:
        with pytest.raises(ActionRefused, match="resume it first" if trigger is not Trigger.FIRST else "paused"):
            start(place, trigger)
    assert not SyncRun.objects.active().exists()


@pytest.mark.parametrize("reason", ["", "   "])
def test_it_needs_a_reason(place, reason):
    with pytest.raises(ActionRefused):
        pause(place, reason)
    assert state(place) == "connected"


@pytest.mark.parametrize("before", [ConnectionState.SETUP, ConnectionState.PAUSED, ConnectionState.DISCONNECTED])
def test_only_what_stands_is_paused_and_nothing_is_half_done(place, before):
    start(place)
    Connection.objects.update(state=before)
    with pytest.raises(ActionRefused):
        pause(place)
    assert state(place) == before
    assert SyncRun.objects.get().state == RunState.QUEUED
    assert waiting(services.RUN).exists()
    assert waiting(SCHEDULED).exists()


def test_only_what_is_paused_is_resumed(place):
    with pytest.raises(ActionRefused):
        resume(place)
    assert not AuditEvent.objects.filter(action="connection.resumed").exists()


def test_the_slots_of_the_pause_go_by_and_the_next_one_comes(place):
    start(place)
    pause(place)
    resume(place)
    assert waiting(SCHEDULED).get().due_at > clock.now()
    assert not ScheduleSlot.objects.exists()


def test_a_run_that_waits_for_the_provider_waits_on(place):
    run = start(place)
    until = clock.now() + timedelta(hours=1)
    SyncRun.objects.update(state=RunState.WAITING, waiting_until=until)
    pause(place)
    run.refresh_from_db()
    assert (run.state, run.is_active, run.has_ended) == (RunState.PAUSED, False, False)
    resume(place)
    run.refresh_from_db()
    assert (run.state, run.waiting_until) == (RunState.WAITING, until)
    assert waiting(services.RUN).get().due_at == until


def test_a_paused_run_can_be_cancelled_and_another_started_after(place):
    run = start(place)
    pause(place)
    with acting_as("web"), tenant_scope(place.tenant_id):
        assert services.cancel_run(run=run, actor=ALICE)
    resume(place)
    assert not waiting(services.RUN).exists()
    assert start(place).id != run.id


def test_a_run_that_slipped_in_is_put_off_by_the_worker(place):
    """Somebody started it in the moment of the pause, before it was written."""
    run = start(place)
    job = waiting(services.RUN).get()
    Connection.objects.update(state=ConnectionState.PAUSED)
    with acting_as("worker"):
        again = engine.continue_run(jobs.claim(job.id))
    assert again.due_at > clock.now()
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    jobs_of_it = Job.objects.filter(id=job.id)
    jobs_of_it.update(state="queued", due_at=again.due_at, lease_until=None)
    resume(place)
    assert jobs_of_it.get().due_at <= clock.now()


# -- with a provider ---------------------------------------------------------------------------------------------------


def test_a_worker_in_the_middle_of_a_page_writes_nothing_more(syncing, monkeypatch):
    run = syncing.start()
    store, pages = engine.pages.store, []

    def pause_at_the_second(*page):
        pages.append(page)
        if len(pages) == 2:
            pause(syncing.connection)
        return store(*page)

    monkeypatch.setattr(engine.pages, "store", pause_at_the_second)
    with acting_as("worker"):
        work(str(waiting(services.RUN).get().id))
    run.refresh_from_db()
    assert run.state == RunState.PAUSED
    kept = Record.objects.count()
    assert kept > 0
    syncing.work_off()
    assert (len(pages), Record.objects.count()) == (2, kept)
    assert lines(run)[-1].sentence == f"Paused by Alice Aalto. The reason: “{REASON}”."

    began = SyncRun.objects.get(id=run.id).started_at
    resume(syncing.connection)
    syncing.work_off()
    run.refresh_from_db()
    assert (run.state, run.started_at) == (RunState.SUCCEEDED, began)
    assert syncing.is_complete()
    said = [line.sentence for line in lines(run)]
    assert said[said.index("Resumed by Alice Aalto.") + 1] == "Going on."


# -- what is found out meanwhile ---------------------------------------------------------------------------------------


def test_a_fault_that_is_found_meanwhile_shows_when_it_is_resumed(place):
    pause(place)
    with acting_as("worker"), tenant_scope(place.tenant_id):
        vault.mark_broken(connection=place, fault="api-key-refused")
    assert state(place) == "paused"
    resume(place)
    place.refresh_from_db()
    assert (place.state, place.fault) == ("broken", "api-key-refused")


def test_one_that_was_broken_and_mended_meanwhile_stands(place):
    with acting_as("worker"), tenant_scope(place.tenant_id):
        vault.mark_broken(connection=place, fault="api-key-refused")
    pause(place)
    with acting_as("worker"), tenant_scope(place.tenant_id):
        vault.mark_healthy(connection=place)
    assert state(place) == "paused"
    resume(place)
    assert state(place) == "connected"


def test_an_access_that_is_changed_meanwhile_is_not_read_with(place):
    """Else a pause would be a way around the proof that the company is still the same."""
    start(place)
    pause(place)
    with acting_as("web"), tenant_scope(place.tenant_id):
        vault.doubt_company(connection=place, fault=faults.COMPANY_UNPROVEN.code)
    resume(place)
    assert state(place) == "broken"
    with pytest.raises(ActionRefused):
        start_anew(place)


def start_anew(place):
    SyncRun.objects.update(state=RunState.CANCELLED)
    return start(place)


# -- by whom -----------------------------------------------------------------------------------------------------------


def test_what_our_staff_press_a_worker_follows(place, work_off):
    run = start(place)
    with acting_as("web"), staff_scope():
        pausing.ask_pause(connection=place, reason=REASON, actor=ADA)
    follow(place)
    run.refresh_from_db()
    place.refresh_from_db()
    assert (place.state, place.paused_by, place.pause_reason) == ("paused", ADA.name, REASON)
    assert run.state == RunState.PAUSED
    with acting_as("web"), staff_scope():
        pausing.ask_resume(connection=place, actor=ADA)
    follow(place)
    run.refresh_from_db()
    assert (state(place), run.state) == ("connected", RunState.QUEUED)
    assert waiting(SCHEDULED).exists()
    events = AuditEvent.objects.filter(action__in=["connection.paused", "connection.resumed"])
    assert list(events.values_list("actor_name", flat=True)) == [ADA.name] * 2
    with acting_as("web"), pytest.raises(ActionRefused), staff_scope():
        pausing.ask_resume(connection=place, actor=ADA)
    Connection.objects.update(state=ConnectionState.SETUP)
    with acting_as("web"), pytest.raises(ActionRefused), staff_scope():
        pausing.ask_pause(connection=place, reason=REASON, actor=ADA)


def follow(place):
    with acting_as("worker"):
        work(str(waiting(pausing.FOLLOW).get().id))


def test_what_is_taken_back_before_the_worker_comes_changes_nothing(place):
    with acting_as("web"), staff_scope():
        pausing.ask_pause(connection=place, reason=REASON, actor=ADA)
        pausing.ask_resume(connection=place, actor=ADA)
    follow(place)
    assert state(place) == "connected"


@pytest.mark.parametrize("values", [{"state": "paused"}, {"state": "disconnected"}, {"fault": ""}])
def test_our_staff_cannot_write_a_state(place, values):
    with acting_as("staff"), pytest.raises(ProgrammingError), tenant_scope(place.tenant_id):
        Connection.objects.update(**values)


def test_nobody_pauses_another_tenants(place, kaste):
    with acting_as("web"), pytest.raises(ActionRefused), tenant_scope(kaste.id):
        pausing.pause(connection=place, reason=REASON, actor=ALICE)
    assert state(place) == "connected"


def test_a_worker_that_holds_the_slot_loses_it(place):
    start(place)
    Job.objects.filter(kind=SCHEDULED).update(due_at=clock.now())
    with acting_as("worker"):
        lease = jobs.claim(waiting(SCHEDULED).get().id)
        pause(place)
        with acting_as("worker"), pytest.raises(LeaseLost), lease.scope():
            pass
