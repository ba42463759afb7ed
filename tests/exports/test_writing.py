"""Exports on their way: in parts, after crashes, cancelled, bounded; each tenant's own records and nobody else's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connections.exports import child, services, writing
from connections.exports.child import FileProcess, FileProcessFailed
from connections.exports.frames import Word
from connections.exports.models import Export, ExportChunk, ExportFile, ExportState
from connections.jobs.lease import LeaseLost
from connections.jobs.models import Job
from connections.jobs.services import claim, enqueue
from connections.tenancy.models import AuditEvent, TenantState
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.services import ActionRefused
from tests.exports.conftest import ALICE, ask, content, keep, numbered, opened
from tests.roles import acting_as

pytestmark = pytest.mark.process


def keys_of(data: bytes) -> list[str]:
    return [line.split(",")[0].strip("\"'") for line in data.decode("utf-8-sig").splitlines()[1:]]


def lease_of(export: Export) -> Any:
    with acting_as("worker"):
        lease = claim(Job.objects.get(kind=services.WRITE, subject=export.id, state="queued").id)
    assert lease is not None
    return lease


def test_everything_is_one_file_for_each_stream_of_each_connection(books, aamu, kaste, export_of, work_off):
    other = opened(aamu, "simutek", "production")
    foreign = opened(kaste)
    for connection, stream in (
        (books, "invoices"),
        (books, "partners"),
        (other, "gone-stream"),
        (foreign, "invoices"),
    ):
        keep(connection, stream, numbered(3))
    export = ask(aamu)
    work_off()
    files = ExportFile.objects.filter(export_id=export.id)
    assert {(file.connection_id, file.stream, file.records) for file in files} == {
        (books.id, "invoices", 3),
        (books.id, "partners", 3),
        (other.id, "gone-stream", 3),
    }
    export.refresh_from_db()
    assert (export.state, export.written, export.expected) == ("done", 9, 9)
    assert len(export_of(books, "", "csv")) == 2


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_long_stream_comes_in_parts_that_have_the_same_columns(books, export_of, monkeypatch, form):
    monkeypatch.setattr(writing, "RECORDS_OF_A_FILE", 100)
    rows = [*numbered(250)[:-1], ("0000249", '{"late": 1}')]
    keep(books, "invoices", rows)
    parts = export_of(books, "invoices", form)
    assert len(parts) == 3
    if form == "csv":
        assert [key for part in parts for key in keys_of(part)] == [key for key, _ in rows]
        assert len({part.splitlines()[0] for part in parts}) == 1
        assert b'"late"' in parts[0].splitlines()[0]


def test_a_worker_that_dies_in_the_middle_costs_its_file_and_doubles_nothing(books, monkeypatch, work_off):
    monkeypatch.setattr(writing, "RECORDS_OF_A_FILE", 400)
    keep(books, "invoices", numbered(1000))
    export = ask(books.tenant, books, "invoices", "csv")
    lease = lease_of(export)
    with acting_as("worker"):
        writing.write(lease)  # the first part
    said = []

    class Dying(writing._FileWriting):
        def _hear(self, word, payload):
            super()._hear(word, payload)
            said.append(word)
            if word == Word.CHUNK:
                raise KeyboardInterrupt  # stands for a SIGKILL: nothing of ours catches it

    with monkeypatch.context() as dying, acting_as("worker"):
        dying.setattr(writing, "_FileWriting", Dying)
        with pytest.raises(KeyboardInterrupt):
            writing.write(lease)
    assert said.count(Word.CHUNK) == 1
    assert ExportChunk.objects.filter(file__is_written=False).count() == 1
    Job.objects.filter(id=lease.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    work_off()
    files = list(ExportFile.objects.filter(export_id=export.id).order_by("part"))
    assert [file.records for file in files] == [400, 400, 200]
    assert [key for file in files for key in keys_of(content(file))] == [key for key, _ in numbered(1000)]


def test_a_worker_that_was_overtaken_adds_nothing(books, monkeypatch, work_off):
    keep(books, "invoices", numbered(1000))
    export = ask(books.tenant, books, "invoices", "csv")
    lease = lease_of(export)

    class Overtaken(writing._FileWriting):
        def _keep(self, payload):
            Job.objects.filter(id=lease.job_id).update(epoch=lease.epoch + 1)
            super()._keep(payload)

    with monkeypatch.context() as late, acting_as("worker"):
        late.setattr(writing, "_FileWriting", Overtaken)
        with pytest.raises(LeaseLost):
            writing.write(lease)
    assert not ExportChunk.objects.exists()


def test_one_that_is_cancelled_ends_and_leaves_nothing_to_read(books, monkeypatch, work_off):
    keep(books, "invoices", numbered(1000))
    export = ask(books.tenant, books, "invoices", "csv")
    lease = lease_of(export)
    processes = []

    class Cancelled(writing._FileWriting):
        def _keep(self, payload):
            super()._keep(payload)
            with acting_as("web"), tenant_scope(export.tenant_id):
                assert services.end(export=export, actor=ALICE) == ExportState.CANCELLED
            self._note_progress(1, 1)

    class Watched(FileProcess):
        def __enter__(self):
            processes.append(super().__enter__()._process)
            return self

    with monkeypatch.context() as watched, acting_as("worker"):
        watched.setattr(writing, "_FileWriting", Cancelled)
        watched.setattr(writing, "FileProcess", Watched)
        with pytest.raises(LeaseLost):
            writing.write(lease)
    assert [process.poll() is None for process in processes] == [False]
    work_off()
    export.refresh_from_db()
    assert (export.state, export.wrapped_keyset) == ("cancelled", "")
    assert not ExportChunk.objects.exists()
    with acting_as("web"), tenant_scope(export.tenant_id):
        assert services.end(export=export, actor=ALICE) is None
    assert [
        event.action for event in AuditEvent.objects.filter(action__startswith="export.").order_by("happened_at")
    ] == [
        "export.asked",
        "export.cancelled",
    ]


def test_the_process_ends_with_the_worker_that_started_it(books):
    """However that dies, and whatever the process does at that time: it waits for a database that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        writing_of = writing._FileWriting(
            None, Export(tenant=books.tenant, format="csv"), ExportFile(connection=books)
        )
        request = writing_of._request()
        database = {
            "host": "127.0.0.1",
            "port": silent.getsockname()[1],
            "dbname": "x",
            "user": "x",
            "connect_timeout": 60,
        }
        line = replace(request, database=database).line()
        script = (
            "import subprocess, sys, time\n"
            "process = subprocess.Popen([sys.executable, '-m', 'connections.exports.process'], stdin=subprocess.PIPE,"
            " stdout=subprocess.DEVNULL)\n"
            f"process.stdin.write({line!r}); process.stdin.flush()\n"
            "print(process.pid, flush=True); time.sleep(60)\n"
        )
        worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=child.ROOT)
        assert worker.stdout is not None
        process_id = int(worker.stdout.readline())
        silent.settimeout(60)
        with silent.accept()[0]:  # now it waits
            worker.kill()
            worker.wait()
            worker.stdout.close()
            for _ in range(600):
                if not _lives(process_id):
                    return
                time.sleep(0.05)
    pytest.fail("the process outlived its worker")


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_trouble_of_the_process_is_told_without_a_value_and_given_up_in_the_end(books, monkeypatch, caplog, work_off):
    keep(books, "invoices", [("1", '{"canary": "SECRET"}')])
    export = ask(books.tenant, books, "invoices", "csv")
    real = child.database_parameters
    monkeypatch.setattr(writing, "database_parameters", lambda: {**real(), "dbname": "no_such_database"})
    for _ in range(3):
        work_off()
        Job.objects.filter(kind=services.WRITE, state="queued").update(due_at=timezone.now())
    export.refresh_from_db()
    assert (export.state, export.reason) == ("failed", "broken")
    assert "OperationalError at" in caplog.text
    assert "no_such_database" not in caplog.text


def test_a_process_that_says_nothing_is_ended(books, monkeypatch):
    request = writing._FileWriting(
        None, Export(tenant=books.tenant, format="csv"), ExportFile(connection=books)
    )._request()
    with FileProcess(request) as process, pytest.raises(FileProcessFailed, match="too long"):
        list(process.frames(seconds=0))


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_what_is_too_much_or_too_often_is_refused_in_words(books, monkeypatch):
    keep(books, "invoices", numbered(3))
    monkeypatch.setattr(services, "MOST_RECORDS", 2)
    with pytest.raises(ActionRefused, match="more than 2 records"):
        ask(books.tenant, books, "invoices")
    monkeypatch.undo()
    first = ask(books.tenant, books, "invoices")
    assert ask(books.tenant, books, "invoices") == first  # pressed twice
    ask(books.tenant, books, "partners")
    with pytest.raises(ActionRefused, match="2 exports are being written"):
        ask(books.tenant)
    Export.objects.update(state=ExportState.DONE)
    monkeypatch.setattr(services, "MOST_A_DAY", 2)
    with pytest.raises(ActionRefused, match="asked for 2 exports within"):
        ask(books.tenant)


def forged(tenant: Any, **values: Any) -> Export:
    """What somebody writes with the web's login, past the form, and a job for it."""
    fields = {"format": "csv", "asked_by": "?", "public_keyset": "{}", "wrapped_keyset": "", **values}
    with acting_as("web"), tenant_scope(tenant.id):
        export = Export(tenant=tenant, **fields)
        export.save(force_insert=True)
        enqueue(kind=services.WRITE, subject=export.id, tenant_id=tenant.id)
    return export


def test_rows_that_somebody_wrote_past_the_form_make_a_worker_do_little(books, aamu, monkeypatch, work_off):
    keep(books, "invoices", numbered(5))
    monkeypatch.setattr(writing, "MOST_A_DAY", 2)
    odd = forged(aamu, format="exe")
    future = forged(aamu, asked_at=timezone.now() + timedelta(days=900))
    work_off()
    odd.refresh_from_db()
    assert (odd.state, odd.reason) == ("failed", "not-allowed")
    assert not Export.objects.filter(id=future.id).exists()  # else it would stay for 900 days
    assert not ExportFile.objects.exists()
    ask(aamu, books, "invoices")
    work_off()
    ask(aamu, books, "partners")
    work_off()
    pair = Export.objects.filter(stream="invoices").get().public_keyset
    with acting_as("web"), tenant_scope(aamu.id):  # emptied and forgotten again and again: the day's count stays
        for export in Export.objects.without_keys():
            services.end(export=export, actor=SYSTEM)
            enqueue(kind=services.FORGET, subject=export.id, tenant_id=aamu.id)
    work_off()
    assert not ExportChunk.objects.exists()
    more = forged(aamu, public_keyset=pair)
    work_off()
    more.refresh_from_db()
    assert (more.state, more.reason) == ("failed", "too-often")


@pytest.mark.parametrize(
    ("constant", "most", "reason"),
    [("MOST_STORED_BYTES", 100, "no-room"), ("MOST_RECORDS", 3, "too-large"), ("MOST_FILES", 1, "too-many-files")],
)
def test_a_worker_stops_at_every_bound(books, monkeypatch, work_off, constant, most, reason):
    keep(books, "invoices", numbered(5))
    keep(books, "partners", numbered(5))
    export = ask(books.tenant, books)
    monkeypatch.setattr(writing, constant, most)
    work_off()
    export.refresh_from_db()
    assert (export.state, export.reason) == ("failed", reason)
    assert not ExportChunk.objects.exists()


def test_a_suspended_tenants_records_stay_where_they_are(books, aamu, work_off):
    keep(books, "invoices", numbered(5))
    export = ask(aamu, books, "invoices")
    type(aamu).objects.filter(id=aamu.id).update(state=TenantState.SUSPENDED)
    work_off()
    export.refresh_from_db()
    assert (export.state, export.reason) == ("failed", "not-allowed")


def test_a_connection_of_another_tenant_cannot_be_named(books, kaste, work_off):
    foreign = opened(kaste)
    keep(foreign, "invoices", numbered(5))
    with pytest.raises(Exception, match="exports_export_connection_tenant"):
        forged(books.tenant, connection=foreign, stream="invoices")


# -- gone --------------------------------------------------------------------------------------------------------------


def test_an_export_is_gone_after_a_day(books, export_of, work_off):
    keep(books, "invoices", numbered(5))
    export_of(books, "invoices")
    job = Job.objects.get(kind=services.FORGET)
    assert timedelta(hours=23) < job.due_at - timezone.now() <= timedelta(hours=24)
    day = timedelta(days=1)
    Export.objects.update(asked_at=timezone.now() - day)
    ExportFile.objects.update(begun_at=timezone.now() - day)
    Job.objects.filter(id=job.id).update(due_at=timezone.now())
    work_off()
    assert [model.objects.count() for model in (Export, ExportFile, ExportChunk)] == [0, 0, 0]


def test_maintenance_deletes_what_no_worker_did(books, export_of):
    keep(books, "invoices", numbered(5))
    export_of(books, "invoices")
    assert writing.delete_old() == 0
    Export.objects.update(asked_at=timezone.now() - timedelta(days=2))
    assert writing.delete_old() == 1
    assert [model.objects.count() for model in (Export, ExportFile, ExportChunk)] == [0, 0, 0]


def test_a_connection_that_is_deleted_takes_its_exports_along(books, export_of):
    keep(books, "invoices", numbered(5))
    export_of(books, "invoices")
    books.delete()
    assert [model.objects.count() for model in (Export, ExportFile, ExportChunk)] == [0, 0, 0]
