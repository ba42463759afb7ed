"""Health is said within seconds, whoever does not answer; and whether work is done is said apart from whether pages are."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.checks import Error
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connections.jobs import heartbeats, vital_signs
from connections.jobs.heartbeats import HeartbeatKind, Pulse
from connections.jobs.models import DispatchSwitch, Heartbeat, Job, JobState
from connections.jobs.registry import QUEUES
from connections.jobs.tasks import sweep
from connections.tenancy.single_query import DatabaseSilent, query_within
from portal.operations import health, start
from tests.support.pages import Page

SECONDS = 5.0


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that is stopped: the system takes the connection, and nobody says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def frozen(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is such a server, for whoever connects from now on."""
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", str(silent))
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(vital_signs, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(heartbeats, "PATIENCE_SECONDS", 0.05)


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REPEATED_SECONDS", 0.0)
    monkeypatch.setattr(health, "readiness", health.Readiness())
    monkeypatch.setattr(health, "ready", health.Repeated(health._readiness))
    monkeypatch.setattr(health, "background", health.Repeated(health._background))


def ask(path: str) -> tuple[int, str]:
    answer = Client().get(path)
    return answer.status_code, answer.json()["status"]


# -- one statement within a time ---------------------------------------------------------------------------------------


def test_rows_come_as_text(django_db_setup: None) -> None:
    rows = query_within(SECONDS, "SELECT $1::int + 1, $2::text, NULL FROM generate_series(1, 2)", ["41", "ä"])
    assert rows == [("42", "ä", None)] * 2


def test_an_answer_larger_than_one_read_is_whole(django_db_setup: None) -> None:
    [[text]] = query_within(SECONDS, "SELECT repeat('x', 3000000)")
    assert text == "x" * 3_000_000


def test_what_the_database_refuses_is_said_in_its_first_line(django_db_setup: None) -> None:
    with pytest.raises(DatabaseSilent, match="does not exist") as refused:
        query_within(SECONDS, "SELECT 1 FROM nowhere")
    assert "\n" not in str(refused.value)


def test_who_never_answers_is_not_waited_for(django_db_setup: None, frozen: None) -> None:
    with pytest.raises(DatabaseSilent, match="no answer in time"):
        query_within(0.05, "SELECT 1")


def test_a_statement_that_lasts_is_not_waited_for(django_db_setup: None) -> None:
    with pytest.raises(DatabaseSilent):
        query_within(0.3, "SELECT pg_sleep(30)")


def test_of_several_servers_the_next_is_asked_in_time(
    django_db_setup: None, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
    monkeypatch.setitem(connection.settings_dict, "HOST", f"127.0.0.1,{host}")
    monkeypatch.setitem(connection.settings_dict, "PORT", f"{silent},{port}")
    assert query_within(1.0, "SELECT 1") == [("1",)]


def test_a_password_is_in_no_reason(django_db_setup: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "canary-of-a-password")
    with pytest.raises(DatabaseSilent) as refused:
        query_within(SECONDS, "SELECT 1")
    assert "canary" not in str(refused.value)


# -- live, ready, background -------------------------------------------------------------------------------------------


def test_a_frozen_database_leaves_the_process_alive_and_not_ready(django_db_setup: None, frozen: None) -> None:
    assert ask(health.LIVE) == (200, "ok")
    assert ask(health.READY) == (503, "no database")
    assert ask(health.BACKGROUND) == (503, "no database")


def test_checks_that_do_not_end_are_not_waited_for(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    free, begun = threading.Event(), threading.Semaphore(0)

    def stuck() -> list[Any]:
        begun.release()
        free.wait(30)
        return [Error("Row security is gone.", id="portal.E003")]

    monkeypatch.setattr(start, "findings_on_database", stuck)
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    assert ask(health.READY) == (200, "ok"), "the checks of the start still count"
    assert begun.acquire(timeout=30)
    assert ask(health.READY) == (200, "ok")
    assert not begun.acquire(blocking=False), "one at a time"
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.0)
    ask(health.READY)
    assert begun.acquire(timeout=30), "the one before waits for a server that is gone"
    free.set()
    monkeypatch.setattr(health, "CHECK_SECONDS", 30.0)
    assert ask(health.READY) == (503, "not fit")


def test_what_a_start_would_refuse_is_not_fit(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 30.0)
    monkeypatch.setattr(start, "findings_on_database", lambda: [Error("Row security is gone.", id="portal.E003")])
    assert ask(health.READY) == (503, "not fit")


def alive(*queues: str) -> None:
    heartbeats.note(HeartbeatKind.WORKER, "w@host", ",".join(queues))
    heartbeats.note(HeartbeatKind.SWEEP, heartbeats.SWEEP)
    heartbeats.note(HeartbeatKind.BEAT, "beat@host")


def test_background_work_is_said_apart(committed_db: None) -> None:
    assert ask(health.BACKGROUND) == (503, "no worker")
    alive(*QUEUES)
    assert ask(health.BACKGROUND) == (200, "ok")
    Heartbeat.objects.filter(kind=HeartbeatKind.SWEEP).update(at=timezone.now() - timedelta(hours=1))
    assert ask(health.BACKGROUND) == (503, "no sweep")
    alive(*QUEUES[1:])
    assert ask(health.BACKGROUND) == (503, "no worker")
    alive(*QUEUES)
    Job.objects.create(
        kind="a", subject=uuid.uuid4(), queue="sync", lane=2, due_at=timezone.now() - timedelta(minutes=9)
    )
    assert ask(health.BACKGROUND) == (503, "late jobs")
    DispatchSwitch.objects.all().delete()
    try:
        assert ask(health.BACKGROUND) == (503, "held")
    finally:
        DispatchSwitch.objects.create()


# -- heartbeats --------------------------------------------------------------------------------------------------------


def test_a_process_writes_its_own_row_and_not_too_often(committed_db: None) -> None:
    pulse = Pulse(HeartbeatKind.WORKER, "sync@host", "sync")
    pulse.write()
    pulse.write()
    row = Heartbeat.objects.get()
    assert (row.name, row.kind, row.queues, row.count) == ("sync@host", "worker", "sync", 1)
    pulse._due_at = 0.0
    pulse.write()
    assert Heartbeat.objects.get().count == 2


def test_a_heartbeat_that_cannot_be_written_stops_nobody(
    django_db_setup: None, frozen: None, caplog: pytest.LogCaptureFixture
) -> None:
    Pulse(HeartbeatKind.BEAT, "beat@host").write()
    assert "heartbeat of beat@host not written: no answer in time" in caplog.text


def test_a_sweep_and_a_maintenance_leave_a_note(committed_db: None) -> None:
    sweep()
    call_command("maintenance", stdout=StringIO())
    assert dict(Heartbeat.objects.values_list("name", "count")) == {"sweep": 1, "maintenance": 1}


# -- one command and one page ------------------------------------------------------------------------------------------


def said(**options: Any) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("health", stdout=out, **options)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def test_the_command_says_who_is_silent_and_what_to_do(committed_db: None) -> None:
    text, code = said()
    assert code == 1
    assert "WRONG beat: no sign of life" in text
    assert "WRONG queue mail: no worker serves it" in text
    alive(*QUEUES)
    Job.objects.create(kind="a", subject=uuid.uuid4(), queue="sync", state=JobState.PARKED, ended_at=timezone.now())
    text, code = said()
    assert "ok    queue mail: served by w@host" in text
    assert "parked jobs: 1 gave up" in text
    assert code == 0, text


def test_the_command_asks_web_processes_that_are_named(django_db_setup: None, frozen: None, silent: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        text, code = said(web=[f"127.0.0.1:{closed.getsockname()[1]}"])
    assert "WRONG web at 127.0.0.1:" in text
    assert "WRONG database: no answer in time" in text
    assert code == 1
    with pytest.raises(CommandError, match="--web"):
        said(web=["nonsense"])


def test_staff_see_the_same_on_a_page(committed_db: None, dana: Any, sign_in: Callable[..., Any]) -> None:
    alive(*QUEUES[1:])
    page = Page(sign_in(dana).get(reverse("admin:health")).content)
    assert page.heading == "Whether everything works"
    assert any(row.startswith("queue interactive does not work no worker serves it") for row in page.rows), page.rows
    assert any(row.startswith("queue sync works served by w@host") for row in page.rows), page.rows
