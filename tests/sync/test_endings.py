"""How a run ends, waits or is fenced off: refusals are told apart, and nothing that was refused is green."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections.jobs import services as jobs
from connections.jobs.lease import Lease, LeaseLost
from connections.jobs.models import Job, JobState
from connections.sync import engine, services, upsert
from connections.sync.models import ProgressState, Record, RunState, StreamCursor, StreamProgress
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.models import RequestLogEntry
from tests.roles import acting_as
from tests.sync.conftest import ALICE, STREAMS
from tests.sync.logs import lines

INVOICES = "/invoices"


def test_a_refused_stream_is_never_green(syncing):
    syncing.sandbox.change_user(
        syncing.connection.api_user, rights={"sales.customerRegister": "NO_ACCESS"}, preset="nothing"
    )
    syncing.sandbox.change_user(
        syncing.connection.api_user,
        preset="nothing",
        rights={"sales.salesInvoiceSearch": "VIEWING_RIGHTS", "purchases.purchaseInvoiceSearch": "VIEWING_RIGHTS"},
    )
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "right-missing")
    refused = syncing.progress(run, "partners")
    assert (refused.state, refused.fault, refused.seen) == (ProgressState.REFUSED, "right-missing", 0)
    assert RequestLogEntry.objects.get(id=refused.entry_id).operation == "rights"
    assert run.entry_id == refused.entry_id
    assert syncing.progress(run, "invoices").state == ProgressState.DONE
    assert syncing.kept("invoices") == syncing.served("invoices")
    assert syncing.codes(run)[-1] == "incomplete"
    assert not StreamCursor.objects.filter(stream="partners").exists()


def test_empty_because_forbidden_is_told_apart_from_empty(syncing):
    syncing.sandbox.switches(missing_right="empty")
    syncing.sandbox.change_user(syncing.connection.api_user, preset="nothing")
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "right-missing")
    assert {syncing.progress(run, stream).state for stream in STREAMS} == {ProgressState.REFUSED}


@pytest.mark.parametrize(
    "rights", [{"purchases.purchaseInvoiceSearch": "NO_ACCESS"}, {"sales.personalSalesInvoicesOnly": True}]
)
def test_a_list_that_is_cut_without_a_word_is_told_apart_from_a_whole_one(syncing, rights):
    syncing.sandbox.change_user(syncing.connection.api_user, rights=rights)
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "right-missing")
    assert syncing.progress(run, "invoices").state == ProgressState.REFUSED


def test_a_right_that_is_lost_while_reading_stops_the_stream(syncing):
    syncing.sandbox.faults([{"path": INVOICES, "status": 403, "times": 1, "skip": 1}])
    run = syncing.run()
    refused = syncing.progress(run, "invoices")
    assert (refused.state, refused.fault, refused.seen) == (ProgressState.REFUSED, "right-missing", 200)
    assert RequestLogEntry.objects.get(id=refused.entry_id).status == 403


def test_empty_with_the_right_is_green(syncing):
    syncing.run()
    syncing.sandbox.clock(30 * 24 * 3600)
    syncing.sandbox.touch("invoices", [min(syncing.served("invoices"))])
    syncing.run()
    StreamCursor.objects.update(newest=(timezone.now() + timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%S"))
    run = syncing.run()
    assert [syncing.progress(run, stream).seen for stream in STREAMS] == [0, 0]
    assert run.state == RunState.SUCCEEDED


def test_a_revoked_key_ends_the_run_at_once(syncing):
    syncing.run()
    syncing.sandbox.revoke(syncing.connection.api_key)
    asked = syncing.asked("GET /invoices")
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.FAILED, "api-key-refused")
    assert RequestLogEntry.objects.get(id=run.entry_id).run_id == run.id
    assert syncing.asked("GET /invoices") == asked
    assert syncing.progress(run, "partners").state == ProgressState.FAILED
    assert syncing.progress(run, "invoices").state == ProgressState.PENDING
    assert syncing.is_complete()  # nothing that was kept is lost


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 400}, "bad-request"),
        ({"status": 200, "body": "<html>busy</html>", "content_type": "text/html"}, "unreadable"),
        ({"status": 200, "body": '{"rows": []}'}, "page-unreadable"),
        ({"status": 200, "body": '{"results": [{"name": "no id"}, {"name": "none"}]}'}, "page-unreadable"),
    ],
)
def test_what_one_stream_meets_does_not_stop_the_other(syncing, fault, code):
    syncing.sandbox.faults([{"path": INVOICES, "times": None, **fault}])
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, code)
    failed = syncing.progress(run, "invoices")
    assert (failed.state, failed.fault, failed.pages) == (ProgressState.FAILED, code, 0)
    assert run.entry_id == failed.entry_id
    assert RequestLogEntry.objects.filter(id=failed.entry_id, operation="invoices.list").exists()
    assert syncing.kept("invoices") == {}
    assert syncing.kept("partners") == syncing.served("partners")
    assert RequestLogEntry.objects.filter(run_id=run.id).count() == syncing.asked()


def test_when_nothing_came_the_run_failed(syncing):
    syncing.sandbox.faults([{"path": "*", "method": "GET", "status": 400, "times": None}])
    assert syncing.run().state == RunState.FAILED


@pytest.mark.parametrize(
    "said",
    [
        lambda at: "600",
        lambda at: "10 min",
        lambda at: str(int(at.timestamp())),
        lambda at: str(int(at.timestamp() * 1000)),
        lambda at: at.isoformat(),
    ],
    ids=["seconds", "minutes", "moment", "milliseconds", "date"],
)
def test_a_provider_that_asks_to_wait_is_left_alone_until_then(syncing, let_time_pass, said):
    asked = {"Retry-After": said(timezone.now() + timedelta(seconds=600))}
    syncing.sandbox.faults([{"path": INVOICES, "status": 429, "headers": asked, "skip": 1}])
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.WAITING, "too-many-requests")
    assert timedelta(seconds=590) < run.waiting_until - timezone.now() < timedelta(seconds=800)
    job = Job.objects.get(kind=services.RUN)
    assert (job.state, job.due_at) == (JobState.QUEUED, run.waiting_until)
    asked = syncing.asked()
    with tenant_scope(run.tenant_id):
        assert "slow down" in lines(run)[-1].sentence
    # A doorbell that rings too early, as after a worker's death, changes nothing.
    let_time_pass()
    assert syncing.work_off() == 1
    assert syncing.asked() == asked
    type(run).objects.update(waiting_until=timezone.now())
    let_time_pass()
    syncing.work_off()
    run.refresh_from_db()
    assert (run.state, run.fault, run.waiting_until) == (RunState.SUCCEEDED, "", None)
    assert syncing.is_complete()
    assert syncing.codes(run)[-4:] == ["waiting", "went-on", "stream-done", "succeeded"]


def test_a_provider_that_does_not_answer_makes_the_run_wait(syncing, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    syncing.sandbox.faults([{"path": INVOICES, "cut": "before", "times": None}])
    run = syncing.run()
    assert (run.state, run.fault) == (RunState.WAITING, "no-answer")
    assert run.waiting_until > timezone.now()
    assert syncing.kept("partners") == syncing.served("partners")


def test_cancelling_in_the_middle_of_a_page_writes_nothing_more(syncing, monkeypatch):
    """Cancelled between the provider's answer and the page's transaction."""
    run = syncing.start()
    send, pages = engine.Client.send, []

    def answered(self, *args, **kwargs):
        reply = send(self, *args, **kwargs)
        if args == ("rights",):
            return reply
        pages.append(reply)
        if len(pages) == 2:
            with acting_as("web"), tenant_scope(run.tenant_id):
                assert services.cancel_run(run=run, actor=Actor(2, "Bob Borg"))
        return reply

    monkeypatch.setattr(engine.Client, "send", answered)
    syncing.work_off()
    run.refresh_from_db()
    assert (run.state, run.cancelled_by) == (RunState.CANCELLED, "Bob Borg")
    assert run.ended_at
    assert len(pages) == 2
    assert Record.objects.count() == 200
    assert StreamProgress.objects.get(run=run, stream="partners").seen == 200
    assert StreamCursor.objects.get(stream="partners").records == 200
    assert syncing.codes(run)[-1] == "cancelled"
    assert Job.objects.filter(kind=services.RUN_ENDED, subject=run.id).exists()
    assert RequestLogEntry.objects.filter(run_id=run.id).count() == syncing.asked()
    with tenant_scope(run.tenant_id):
        assert not services.cancel_run(run=run, actor=ALICE)
    assert syncing.run().state == RunState.SUCCEEDED


def test_a_run_that_waits_can_be_cancelled(syncing, let_time_pass):
    syncing.sandbox.faults([{"path": INVOICES, "status": 429, "headers": {"Retry-After": "600"}}])
    run = syncing.run()
    with acting_as("web"), tenant_scope(run.tenant_id):
        assert services.cancel_run(run=run, actor=ALICE)
    let_time_pass()
    asked = syncing.asked()
    syncing.work_off()
    assert syncing.asked() == asked
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_a_worker_that_was_replaced_writes_no_row(syncing, monkeypatch):
    """It sleeps between the answer and the page's transaction; meanwhile somebody else takes the job."""
    run = syncing.start()
    job = Job.objects.get(kind=services.RUN)
    send, taken = engine.Client.send, []

    def answered(self, *args, **kwargs):
        reply = send(self, *args, **kwargs)
        if not taken:
            Job.objects.filter(id=job.id).update(lease_until=timezone.now() - timedelta(seconds=1))
            taken.append(jobs.claim(job.id))
        return reply

    monkeypatch.setattr(engine.Client, "send", answered)
    with acting_as("worker"):
        stale = jobs.claim(job.id)
        assert isinstance(stale, Lease)
        with pytest.raises(LeaseLost):
            engine.continue_run(stale)
        assert Record.objects.count() == 0
        with tenant_scope(run.tenant_id):
            assert Record.objects.count() == 0
            assert StreamProgress.objects.get(run=run, stream="partners").pages == 0
        engine.continue_run(taken[0])
    assert syncing.is_complete()
    assert "taken-over" in syncing.codes(run)


def test_a_heart_that_was_refused_starts_nothing_new(syncing, monkeypatch):
    run = syncing.start()
    job = Job.objects.get(kind=services.RUN)
    with acting_as("worker"):
        lease = jobs.claim(job.id)
        lease._lost.set()
        with pytest.raises(LeaseLost):
            engine.continue_run(lease)
    assert syncing.asked() == 0
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_crashes_are_forgotten_when_work_gets_further(syncing, monkeypatch):
    """Three crashes at different places are bad luck; at one place they are poison."""
    syncing.start()
    job = Job.objects.get(kind=services.RUN)
    write, calls = upsert.write, []

    class Killed(BaseException):
        pass

    def dying(**page):
        calls.append(page)
        if len(calls) % 2 == 0:
            raise Killed
        return write(**page)

    monkeypatch.setattr(upsert, "write", dying)
    for _ in range(4):
        Job.objects.filter(id=job.id, state=JobState.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))
        with acting_as("worker"):
            lease = jobs.claim(job.id)
            assert lease.starts <= 2
            with pytest.raises(Killed):
                engine.continue_run(lease)
    monkeypatch.setattr(upsert, "write", write)
    Job.objects.filter(id=job.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    syncing.work_off()
    assert syncing.is_complete()


def test_http_never_happens_inside_a_transaction(syncing, monkeypatch):
    send, seen = engine.Client.send, []

    def watched(self, *args, **kwargs):
        seen.append(database.in_atomic_block)
        return send(self, *args, **kwargs)

    monkeypatch.setattr(engine.Client, "send", watched)
    syncing.run()
    assert seen
    assert not any(seen)
