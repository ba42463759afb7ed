"""Starting, cancelling, scheduling: who may, what two at once get, and what a run's log says."""

from __future__ import annotations

import string
import threading
from datetime import datetime, timedelta, timezone

import pytest
from django.db import connections
from django.utils import timezone as clock

from connections.jobs import services as jobs
from connections.jobs.lease import LeaseLost
from connections.jobs.models import Job, JobState
from connections.jobs.tasks import work
from connections.sync import faults, schedule, sentences, services
from connections.sync.models import Level, RunLogLine, RunState, StreamProgress, SyncRun, Trigger
from connections.tenancy.models import AuditEvent, TenantState
from connections.tenancy.scope import SYSTEM, Actor, tenant_scope
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused, open_connection
from tests.roles import acting_as
from tests.sync.logs import lines

ALICE = Actor(7, "Alice Aalto")


@pytest.fixture
def place(committed_db, aamu, settings):
    """A connection that stands, at a provider that is not there."""
    from portal.env import SandboxHosts

    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)
        Connection.objects.filter(id=opened.id).update(state=ConnectionState.CONNECTED)
    return opened


def start(place, trigger=Trigger.HAND):
    with acting_as("web"), tenant_scope(place.tenant_id):
        return services.start_run(connection=place, trigger=trigger, actor=ALICE)


def the_slot(place):
    return Job.objects.get(kind=services.SCHEDULED, subject=place.id, state=JobState.QUEUED)


# -- starting ----------------------------------------------------------------------------------------------------------


def test_the_web_starts_a_run_with_its_streams_its_job_its_line_and_its_audit(place):
    run = start(place)
    assert (run.state, run.trigger, run.asked_by) == (RunState.QUEUED, Trigger.HAND, "Alice Aalto")
    progress = list(StreamProgress.objects.filter(run=run).values_list("stream", "state"))
    assert progress == [("partners", "pending"), ("invoices", "pending")]
    job = Job.objects.get(kind=services.RUN)
    assert (job.subject, job.tenant_id, job.queue) == (run.id, place.tenant_id, "sync")
    event = AuditEvent.objects.get(action="sync.started")
    assert (event.actor_id, event.details["run"]) == (7, str(run.id))
    assert lines(run)[0].sentence == "Queued (by hand), asked for by Alice Aalto."


def test_a_second_start_gets_the_active_run(place):
    run = start(place)
    for state in (RunState.QUEUED, RunState.RUNNING, RunState.WAITING):
        SyncRun.objects.update(state=state)
        assert start(place).id == run.id
    assert (SyncRun.objects.count(), Job.objects.filter(kind=services.RUN).count()) == (1, 1)
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    assert start(place).id != run.id


def test_many_at_once_get_one_run(place):
    gate, found, wrong = threading.Barrier(8), [], []

    def press():
        try:
            gate.wait(10)
            with tenant_scope(place.tenant_id):
                found.append(services.start_run(connection=place, trigger=Trigger.HAND, actor=ALICE).id)
        except Exception as error:
            wrong.append(error)
        finally:
            connections.close_all()

    with acting_as("web"):
        threads = [threading.Thread(target=press) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert wrong == []
    assert (len(found), len(set(found))) == (8, 1)
    assert SyncRun.objects.count() == Job.objects.filter(kind=services.RUN).count() == 1
    assert StreamProgress.objects.count() == 2


@pytest.mark.parametrize(
    ("state", "trigger", "may"),
    [
        (ConnectionState.CONNECTED, Trigger.HAND, True),
        (ConnectionState.BROKEN, Trigger.HAND, True),
        (ConnectionState.BROKEN, Trigger.MENDED, True),
        (ConnectionState.SETUP, Trigger.FIRST, True),
        (ConnectionState.SETUP, Trigger.HAND, False),
        (ConnectionState.PAUSED, Trigger.HAND, False),
        (ConnectionState.PAUSED, Trigger.FIRST, False),
        (ConnectionState.DISCONNECTED, Trigger.SCHEDULE, False),
    ],
)
def test_only_a_connection_that_stands_is_synced(place, state, trigger, may):
    Connection.objects.update(state=state)
    if may:
        assert start(place, trigger).trigger == trigger
    else:
        with pytest.raises(ActionRefused):
            start(place, trigger)
        assert not SyncRun.objects.exists()
        assert not Job.objects.filter(kind=services.RUN).exists()


def test_a_suspended_tenant_is_not_synced(place):
    type(place.tenant).objects.update(state=TenantState.SUSPENDED)
    place.tenant.refresh_from_db()
    with pytest.raises(ActionRefused):
        start(place)


def test_a_connection_of_another_tenant_cannot_be_started(place, kaste):
    with acting_as("web"), pytest.raises(Connection.DoesNotExist), tenant_scope(kaste.id):
        services.start_run(connection=place, trigger=Trigger.HAND, actor=ALICE)
    assert not SyncRun.objects.exists()


# -- cancelling --------------------------------------------------------------------------------------------------------


def test_cancelling_a_queued_run_takes_its_job_along(place, work_off):
    run = start(place)
    with acting_as("web"), tenant_scope(place.tenant_id):
        assert services.cancel_run(run=run, actor=ALICE) is True
        assert services.cancel_run(run=run, actor=ALICE) is False
    assert run.state == RunState.CANCELLED
    assert Job.objects.get(kind=services.RUN).state == JobState.CANCELLED
    assert AuditEvent.objects.filter(action="sync.cancelled").count() == 1
    assert lines(run)[-1].sentence == "Cancelled by Alice Aalto."
    assert start(place).id != run.id


# -- the schedule ------------------------------------------------------------------------------------------------------


def test_the_first_start_makes_the_slot(place):
    start(place)
    expected = clock.now() + timedelta(hours=6)
    assert abs(the_slot(place).due_at - expected) < timedelta(seconds=30)
    with tenant_scope(place.tenant_id):
        assert services.next_slot(place) == the_slot(place).due_at
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    start(place)
    assert Job.objects.filter(kind=services.SCHEDULED).count() == 1


def test_changing_the_hours_moves_the_slot_and_zero_takes_it_away(place):
    start(place)
    for hours in (2, 48):
        with acting_as("web"), tenant_scope(place.tenant_id):
            services.set_schedule(connection=place, every_hours=hours, actor=ALICE)
        assert abs(the_slot(place).due_at - clock.now() - timedelta(hours=hours)) < timedelta(seconds=30)
    with acting_as("web"), tenant_scope(place.tenant_id):
        services.set_schedule(connection=place, every_hours=0, actor=ALICE)
        assert services.next_slot(place) is None
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    start(place)
    assert not Job.objects.filter(kind=services.SCHEDULED, state=JobState.QUEUED).exists()
    for hours in (-1, 169):
        with pytest.raises(ActionRefused), tenant_scope(place.tenant_id):
            services.set_schedule(connection=place, every_hours=hours, actor=ALICE)


def due_now(place, ago):
    """The slot came, so long ago, and the run before it has ended."""
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    Job.objects.filter(kind=services.RUN).delete()
    Job.objects.filter(kind=services.SCHEDULED, subject=place.id).update(due_at=clock.now() - ago)
    return the_slot(place)


def scheduled_runs():
    return SyncRun.objects.filter(trigger=Trigger.SCHEDULE).count()


def test_a_slot_starts_one_run_and_makes_the_next(place):
    start(place)
    slot = due_now(place, timedelta(minutes=1))
    with acting_as("worker"):
        work(str(slot.id))
        work(str(slot.id))  # a doubled doorbell
    assert scheduled_runs() == 1
    assert SyncRun.objects.get(trigger=Trigger.SCHEDULE).asked_by == SYSTEM.name
    following = the_slot(place)
    assert (following.id, following.due_at) == (slot.id, slot.due_at + timedelta(hours=6))


def test_slots_missed_while_nobody_worked_make_one_run(place):
    start(place)
    slot = due_now(place, timedelta(days=3, hours=1))
    with acting_as("worker"):
        work(str(slot.id))
    assert scheduled_runs() == 1
    following = the_slot(place).due_at
    assert clock.now() < following < clock.now() + timedelta(hours=6)
    assert (following - slot.due_at) % timedelta(hours=6) == timedelta(0)


def test_a_death_right_after_the_slot_starts_no_second_run(place):
    """The run and the next slot are one commit: whoever takes the job over finds the slot gone by."""
    start(place)
    slot = due_now(place, timedelta(minutes=1))
    with acting_as("worker"):
        lease = jobs.claim(slot.id)
        schedule.start_due(lease)  # and here the worker dies
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    Job.objects.filter(id=slot.id, state=JobState.RUNNING).update(lease_until=clock.now() - timedelta(seconds=1))
    with acting_as("worker"):
        work(str(slot.id))
    assert scheduled_runs() == 1


def test_a_stale_holder_of_the_slot_starts_nothing(place):
    start(place)
    slot = due_now(place, timedelta(minutes=1))
    with acting_as("worker"):
        stale = jobs.claim(slot.id)
        Job.objects.filter(id=slot.id).update(lease_until=clock.now() - timedelta(seconds=1))
        assert jobs.claim(slot.id) is not None
        with pytest.raises(LeaseLost):
            schedule.start_due(stale)
    assert scheduled_runs() == 0


def test_while_a_run_is_active_the_slot_starts_no_other(place):
    run = start(place)
    slot = the_slot(place)
    Job.objects.filter(id=slot.id).update(due_at=clock.now())
    with acting_as("worker"):
        work(str(slot.id))
    assert SyncRun.objects.get().id == run.id
    assert the_slot(place).due_at > clock.now()


@pytest.mark.parametrize("state", [ConnectionState.PAUSED, ConnectionState.DISCONNECTED])
def test_what_does_not_stand_has_no_slots(place, state):
    start(place)
    slot = due_now(place, timedelta(minutes=1))
    Connection.objects.update(state=state)
    with acting_as("worker"):
        work(str(slot.id))
    assert scheduled_runs() == 0
    assert Job.objects.get(id=slot.id).state == JobState.SUCCEEDED


def test_a_suspended_tenants_slots_go_by(place):
    start(place)
    slot = due_now(place, timedelta(minutes=1))
    type(place.tenant).objects.update(state=TenantState.SUSPENDED)
    with acting_as("worker"):
        work(str(slot.id))
    assert scheduled_runs() == 0
    assert the_slot(place).due_at > clock.now()


@pytest.mark.parametrize(
    ("now", "expected"),
    [("12:00", "18:00"), ("12:01", "18:00"), ("17:59", "18:00"), ("18:00", "00:00"), ("11:59", "18:00")],
)
def test_the_following_slot_lies_ahead_and_in_step(now, expected):
    day = datetime(2026, 11, 21, tzinfo=timezone.utc)
    at = day + timedelta(hours=int(now[:2]), minutes=int(now[3:]))
    found = schedule.following(day + timedelta(hours=12), timedelta(hours=6), at)
    assert f"{found:%H:%M}" == expected


# -- the log -----------------------------------------------------------------------------------------------------------

VALUES = {
    "stream": "invoices",
    "seen": 12345,
    "added": 5,
    "changed": 1,
    "pages": 62,
    "since": "2026-11-20T10:00:00",
    "until": "2026-11-21T10:00:00+00:00",
    "who": "Alice Aalto",
    "trigger": "hand",
    "fault": "api-key-refused",
    "told": 250,
    "of": "bank_accounts",
    "part": "612",
    "place": 7,
    "page": 3,
    "reason": "no-id",
    "count": 80,
    "size": 100,
}


@pytest.mark.parametrize("code", sorted(sentences.SENTENCES))
def test_every_code_is_a_sentence(code):
    said = sentences.say(code, VALUES, "procountor")
    assert said[0].isupper()
    assert said.endswith(".")
    assert "%" not in said
    wanted = [name for _, name, _, _ in string.Formatter().parse(str(sentences.SENTENCES[code]))]
    assert wanted == [None]  # %-placeholders only


def test_values_are_shown_in_words():
    assert sentences.say(sentences.STREAM_DONE, VALUES, "procountor") == (
        "Invoices: finished. Read: 12,345; new: 5; changed: 1; pages: 62."
    )
    assert "no longer accepts the API key" in sentences.say(sentences.FAILED, VALUES, "procountor")
    assert "21 Nov 2026, " in sentences.say(sentences.WAITING, VALUES, "procountor")
    assert sentences.say("from-a-later-version", VALUES, "procountor") == "from-a-later-version"
    assert sentences.say(sentences.STREAM_FULL, {"stream": "gone"}, "procountor") == "gone: reading everything."


def test_every_fault_a_run_can_end_with_has_words():
    for code in (
        "sync-gave-up",
        "page-unreadable",
        "list-cut",
        "list-short",
        "list-moves",
        "list-endless",
        "parts-missed",
        "parts-unreadable",
        "records-skipped",
        "no-answer",
        "right-missing",
        "pin-broken",
        "no-grant",
    ):
        found = faults.find(provider="procountor", code=code)
        assert found is not None
        assert str(found.customer)
    assert faults.find(provider="procountor", code="nonsense") is None
    assert faults.find(provider="nobody", code="sync-gave-up") is faults.GAVE_UP


def test_lines_come_in_order_and_point_to_their_request(place):
    run = start(place)
    with acting_as("worker"), tenant_scope(run.tenant_id):
        for number in range(5):
            services.note(run=run, code=sentences.PROGRESS, stream="invoices", seen=number)
        services.note(
            run=run, code=sentences.STREAM_REFUSED, level=Level.ERROR, stream="invoices", fault="right-missing",
            entry=str(run.id),
        )  # fmt: skip
        found = lines(run)
    assert [line.sentence for line in found[1:6]] == [f"Invoices: {number} read so far." for number in range(5)]
    assert (found[-1].level, found[-1].fault, found[-1].entry_id) == (Level.ERROR, "right-missing", run.id)
    assert RunLogLine.objects.filter(run=run).count() == 7
