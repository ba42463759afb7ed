"""Runs against the simulated provider: what is kept is what it serves, and unchanged records are left alone."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.jobs.registry import RETRY_WAITS_SECONDS
from connections.providers import registry
from connections.spec.streams import Step
from connections.sync import cursors, services, upsert
from connections.sync.models import (
    ProgressState,
    Record,
    RunLogLine,
    RunState,
    StreamCursor,
    StreamProgress,
    SyncRun,
    Trigger,
)
from connections.tenancy.scope import tenant_scope
from connections.transport.models import RequestLogEntry
from connections.vault.services import open_connection
from tests.roles import acting_as
from tests.sync.conftest import ALICE, STREAMS, versions
from tests.sync.logs import lines


def test_a_first_run_keeps_what_the_provider_serves(syncing):
    run = syncing.run(Trigger.FIRST)
    assert run.state == RunState.SUCCEEDED
    assert (run.asked_by, run.fault, run.entry_id) == ("Alice Aalto", "", None)
    assert run.queued_at < run.started_at < run.ended_at
    for stream in STREAMS:
        assert syncing.kept(stream) == syncing.served(stream)
        progress = syncing.progress(run, stream)
        assert progress.state == ProgressState.DONE
        assert progress.seen == progress.added == progress.expected == len(syncing.served(stream))
        assert progress.changed == 0
        assert StreamCursor.objects.get(stream=stream).records == progress.added
    assert syncing.codes(run) == [
        "queued", "started", "stream-full", "stream-done", "stream-full", "stream-done", "succeeded",
    ]  # fmt: skip


def test_every_request_the_provider_saw_is_in_the_log(syncing):
    run = syncing.run()
    entries = RequestLogEntry.objects.filter(run_id=run.id)
    assert entries.count() == syncing.asked()
    assert entries.filter(operation="invoices.list").count() == syncing.progress(run, "invoices").pages


def test_a_second_run_asks_for_changes_only_and_leaves_the_rest_alone(syncing):
    first = syncing.run()
    before = versions()
    ids = sorted(syncing.served("invoices"))[3:8]
    syncing.sandbox.touch("invoices", ids)
    second = syncing.run()
    progress = syncing.progress(second, "invoices")
    assert progress.since
    assert (progress.added, progress.changed) == (0, 5)
    assert progress.seen < syncing.progress(first, "invoices").seen
    assert syncing.kept("invoices") == syncing.served("invoices")
    after = versions()
    assert {key for key in before if before[key] != after[key]} == {
        f"{first.tenant_id}invoices{number}" for number in ids
    }
    moved = Record.objects.filter(changed_at__gt=second.started_at)
    assert sorted(int(record.external_id) for record in moved) == ids
    assert not Record.objects.filter(added_at__gt=second.started_at).exists()
    assert StreamCursor.objects.get(stream="invoices").records == len(syncing.served("invoices"))


def test_a_full_pass_over_unchanged_records_touches_no_row(syncing):
    syncing.run()
    before = versions()
    StreamCursor.objects.update(newest="")
    run = syncing.run()
    assert syncing.progress(run, "invoices").since == ""
    assert syncing.progress(run, "invoices").seen == len(syncing.served("invoices"))
    assert (syncing.progress(run, "invoices").added, syncing.progress(run, "invoices").changed) == (0, 0)
    assert versions() == before


def test_slices_change_nothing_but_the_pauses(syncing, page_by_page):
    run = syncing.run()
    assert run.state == RunState.SUCCEEDED
    assert syncing.is_complete()
    pages = sum(syncing.progress(run, stream).pages for stream in STREAMS)
    assert pages == syncing.asked("GET /invoices") + syncing.asked("GET /businesspartners")
    assert Job.objects.get(kind=services.RUN).epoch >= pages
    assert "taken-over" not in syncing.codes(run)


def test_what_fails_in_the_middle_goes_on_from_the_last_page_kept(syncing, monkeypatch, let_time_pass):
    write, calls = upsert.write, []

    def failing(**page):
        calls.append(page["stream"])
        if len(calls) == 4:
            raise ZeroDivisionError
        return write(**page)

    monkeypatch.setattr(upsert, "write", failing)
    run = syncing.run()
    assert run.state == RunState.RUNNING
    assert syncing.progress(run, "invoices").pages == 1
    job = Job.objects.get(kind=services.RUN)
    assert (job.state, job.failures, job.reason) == (JobState.QUEUED, 1, "ZeroDivisionError")
    let_time_pass()
    syncing.work_off()
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert syncing.is_complete()
    # The page that was lost, and the one that was fetched ahead meanwhile.
    assert syncing.asked("GET /invoices") == syncing.progress(run, "invoices").pages + 2
    # Those requests are in the log all the same.
    assert RequestLogEntry.objects.filter(run_id=run.id).count() == syncing.asked()


def test_what_fails_again_and_again_ends_in_words(syncing, monkeypatch, let_time_pass):
    write = upsert.write

    def failing(**page):
        if page["stream"] == "invoices":
            raise ZeroDivisionError
        return write(**page)

    monkeypatch.setattr(upsert, "write", failing)
    run = syncing.run()
    for _ in RETRY_WAITS_SECONDS:
        let_time_pass()
        syncing.work_off()
    run.refresh_from_db()
    assert (run.state, run.fault) == (RunState.FAILED, "sync-gave-up")
    assert run.ended_at
    assert Job.objects.get(kind=services.RUN).state == JobState.PARKED
    assert Job.objects.filter(kind=services.RUN_ENDED, subject=run.id).exists()
    with tenant_scope(run.tenant_id):
        assert "Our own side failed" in lines(run)[-1].sentence
    assert syncing.kept("partners") == syncing.served("partners")
    assert StreamCursor.objects.get(stream="partners").records == len(syncing.served("partners"))
    # The way is free for the next one.
    monkeypatch.setattr(upsert, "write", write)
    assert syncing.run().state == RunState.SUCCEEDED


def test_a_change_behind_the_readers_back_is_seen_by_the_next_run(syncing, page_by_page, monkeypatch):
    """However long the pass took: the cursor does not move past the pass's beginning."""
    run = syncing.start()
    ids = sorted(syncing.served("invoices"))
    write, moment = upsert.write, {}

    def late(**page):
        written = write(**page)
        rows = StreamProgress.objects.filter(run=run, stream="invoices")
        if page["stream"] == "invoices" and not moment:
            # The first page is kept. One of its records changes; five hours later one of the last page does.
            moment["missed"] = syncing.sandbox.touch("invoices", [ids[0]])
            rows.update(started_at=timezone.now() - timedelta(hours=5))
            syncing.sandbox.clock(5 * 3600)
            syncing.sandbox.touch("invoices", [ids[-1]])
        return written

    monkeypatch.setattr(upsert, "write", late)
    syncing.work_off()
    assert syncing.kept("invoices")[ids[0]] != syncing.served("invoices")[ids[0]]
    assert syncing.kept("invoices")[ids[-1]] == syncing.served("invoices")[ids[-1]]
    second = syncing.run()
    assert second.state == RunState.SUCCEEDED
    assert syncing.progress(second, "invoices").since <= moment["missed"]
    assert syncing.is_complete()


def test_the_cursor_stays_where_it_is_when_a_stream_was_not_read_to_its_end(syncing, monkeypatch):
    syncing.run()
    before = dict(StreamCursor.objects.values_list("stream", "newest"))
    syncing.sandbox.clock(7200)
    syncing.sandbox.touch("invoices", sorted(syncing.served("invoices")))
    syncing.sandbox.faults([{"path": "/invoices", "status": 400, "skip": 1}])
    run = syncing.run()
    assert run.state == RunState.INCOMPLETE
    assert syncing.progress(run, "invoices").changed == 200
    assert StreamCursor.objects.get(stream="invoices").newest == before["invoices"]
    syncing.sandbox.faults([])
    assert syncing.run().state == RunState.SUCCEEDED
    assert syncing.is_complete()
    assert StreamCursor.objects.get(stream="invoices").newest > before["invoices"]


def test_equal_times_on_a_page_border_lose_nothing(syncing):
    syncing.run()
    ids = sorted(syncing.served("invoices"))[:401]
    syncing.sandbox.touch("invoices", ids)
    run = syncing.run()
    assert syncing.progress(run, "invoices").changed == 401
    syncing.sandbox.touch("invoices", ids[:1])
    syncing.run()
    assert syncing.is_complete()


def test_a_run_of_another_tenant_is_not_found(syncing, kaste):
    """A job row that names a tenant and a run that do not belong together, as only a forger would write it."""
    run = syncing.start()
    forged = Job.objects.get(kind=services.RUN)
    Job.objects.filter(id=forged.id).update(tenant=kaste)
    asked = syncing.asked()
    syncing.work_off()
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert Record.objects.count() == 0
    assert syncing.asked() == asked
    assert not SyncRun.objects.filter(tenant=kaste).exists()


def test_two_tenants_with_the_same_ids_do_not_meet(syncing, kaste):
    """The same page for two connections: each has its own rows."""
    syncing.run()
    before = versions()
    with tenant_scope(kaste.id):
        other = open_connection(tenant=kaste, provider="procountor", environment="sandbox", actor=ALICE)
    number = min(syncing.served("partners"))
    with acting_as("worker"), tenant_scope(kaste.id):
        written = upsert.write(
            connection=other, stream="partners", key="id", document=f'[{{"id": {number}, "name": "Other"}}]'.encode()
        )
        assert (written.added, written.changed) == (1, 0)
        assert Record.objects.count() == 1
    assert syncing.kept("partners") == syncing.served("partners")
    assert {key: row for key, row in versions().items() if key in before} == before


@pytest.mark.parametrize("per_page", [1, 200])
def test_a_page_costs_the_same_number_of_statements_whatever_it_holds(syncing, per_page, monkeypatch):
    stream = registry.all_providers()["procountor"].stream("invoices")
    syncing.run()
    run = SyncRun.objects.get()
    progress = syncing.progress(run, "invoices")
    records = [{"id": 10**8 + n, "version": "2026-01-01T00:00:00"} for n in range(per_page)]
    page = stream.paging.read({"results": records}, "id")
    step = Step({"after": str(records[-1]["id"])}, per_page)
    with acting_as("worker"), CaptureQueriesContext(database) as seen, tenant_scope(run.tenant_id):
        written = upsert.write(
            connection=syncing.connection, stream="invoices", key="id", document=json.dumps(records).encode()
        )
        cursors.move(
            connection=syncing.connection,
            stream=stream,
            progress=progress,
            page=page,
            step=step,
            written=written,
            skipped=0,
            following=step.following,
        )
    assert written.added == per_page
    statements = [query["sql"] for query in seen if "set_config" not in query["sql"]]
    assert len([sql for sql in statements if "sync_" in sql]) == 2


def test_lines_are_kept_when_the_page_after_them_is_not(syncing, monkeypatch):
    def never(**page):
        raise ZeroDivisionError

    monkeypatch.setattr(upsert, "write", never)
    run = syncing.run()
    assert syncing.codes(run) == ["queued", "started", "stream-full"]
    assert RunLogLine.objects.filter(run=run, tenant_id=run.tenant_id).count() == 3
