"""Starting and cancelling: who may, what two at once get, and what a run's log says."""

from __future__ import annotations

import string
import threading

import pytest
from django.db import connections

from connections.jobs.models import Job, JobState
from connections.sync import faults, sentences, services
from connections.sync.models import Level, RunLogLine, RunState, StreamProgress, SyncRun, Trigger
from connections.tenancy.models import AuditEvent, TenantState
from connections.tenancy.scope import Actor, tenant_scope
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused
from tests.roles import acting_as
from tests.sync.logs import lines

ALICE = Actor(7, "Alice Aalto")


def start(place, trigger=Trigger.HAND):
    with acting_as("web"), tenant_scope(place.tenant_id):
        return services.start_run(connection=place, trigger=trigger, actor=ALICE)


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
    "why": "the year is being closed",
    "trigger": "hand",
    "fault": "api-key-refused",
    "told": 250,
    "of": "bank_accounts",
    "part": "612",
    "place": 7,
    "page": 3,
    "reason": "no-id",
    "count": 80,
    "standing": 90,
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
        found = faults.resolve_fault(provider="procountor", code=code)
        assert found is not None
        assert str(found.customer_message)
    assert faults.resolve_fault(provider="procountor", code="nonsense") is None
    assert faults.resolve_fault(provider="nobody", code="sync-gave-up") is faults.GAVE_UP


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
