"""`manage.py doctor` says what is wrong and what to do, and `createsuperuser` what to use instead."""

from __future__ import annotations

import socket
import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, ManagementUtility, call_command
from django.db import connection
from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.transport.http.errors import AddressNotAllowed, NameNotFound
from connections.transport.log import partitions
from portal.notices.models import MailState, OutgoingMail
from portal.operations import database_checks, doctor, provider_reach
from tests.operations.test_maintenance import partition_names


def wrong() -> dict[str, doctor.DoctorAnswer]:
    """The questions about things that are not as they must be; a test's own role is none of ours."""
    return {each.question: each for each in doctor.answers() if each.is_right is False and each.question != "role"}


def said() -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("doctor", stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def test_each_question_is_answered_in_a_line(db: None) -> None:
    text, _ = said()
    for question in ("versions", "secret key", "clock", "migrations", "partitions", "late jobs", "failed mails"):
        assert f" {question}: " in text
    assert wrong() == {}


def test_what_is_wrong_is_said_with_what_to_do(db: None) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    Job.objects.create(kind="a", subject=uuid.uuid4(), queue="sync", due_at=yesterday)
    Job.objects.create(kind="b", subject=uuid.uuid4(), queue="sync", state=JobState.PARKED, ended_at=yesterday)
    Job.objects.create(
        kind="c", subject=uuid.uuid4(), queue="sync", state=JobState.SUCCEEDED, ended_at=yesterday - timedelta(days=20)
    )
    OutgoingMail.objects.create(state=MailState.FAILED, key_version=1, ciphertext=b"")
    with connection.cursor() as cursor:
        for name in partition_names()[1:]:
            cursor.execute(f"DROP TABLE {name}")
    assert set(wrong()) == {"late jobs", "parked jobs", "failed mails", "maintenance", "partitions"}
    assert all(each.hint for each in wrong().values())
    text, code = said()
    assert code == 1
    assert "WRONG late jobs: the oldest, of the queue sync, is due since" in text
    assert "See whether the beat and the worker for sync run." in text


def test_servers_that_do_not_answer_are_named(db: None, settings: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings.CELERY_BROKER_URL = f"redis://:a-password@127.0.0.1:{port}/0"
    settings.SMTP = {
        "host": "127.0.0.1",
        "port": port,
        "username": "somebody",
        "password": "another-one",
        "timeout": 2,
    }
    assert {"broker", "mail server"} <= set(wrong())
    text, code = said()
    assert code == 1
    assert "a-password" not in text
    assert "another-one" not in text


def test_without_a_database_nothing_more_is_asked(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.checks import Error

    gone = [Error("The database does not let this process in: no.", hint="Look at DATABASE_URL.", id="portal.E012")]
    monkeypatch.setattr(database_checks, "reachable", lambda: gone)
    assert [each.question for each in doctor.answers()][-1] == "database"


def test_each_provider_is_asked_by_a_worker_of_a_production_alone(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([NameNotFound(), AddressNotAllowed()])
    addresses = []

    def send(*, method: str, url: str, **_how: Any) -> None:
        addresses.append((method, url))
        if (error := next(errors, None)) is not None:
            raise error

    monkeypatch.setattr("connections.transport.http.session.send", send)
    for process, is_demo in (("worker", True), ("web", False), ("owner", False)):
        settings.PROCESS, settings.DEMO = process, is_demo
        assert [each.is_right for each in provider_reach.answers()] == [None]
    assert addresses == []
    settings.PROCESS, settings.DEMO = "worker", False
    first, second, *others = provider_reach.answers()
    assert (first.is_right, second.is_right) == (False, False)
    assert first.hint != second.hint
    assert others
    assert all(each.is_right for each in others)
    assert len(addresses) == len(others) + 2
    assert {method for method, _url in addresses} == {"HEAD"}, "nothing is changed, and nothing secret is sent"


def test_the_last_partition_is_known(db: None) -> None:
    last = partitions.last_month()
    assert last is not None
    assert partition_names()[-1] == f"{partitions.TABLE}_{last:%Y_%m}"


@pytest.mark.parametrize("options", [[], ["--noinput"], ["--email", "a@b.example"]])
def test_createsuperuser_says_what_to_use(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ManagementUtility(["manage.py", "createsuperuser", *options]).execute()
    assert "manage.py bootstrap" in capsys.readouterr().err
    with pytest.raises(CommandError):
        call_command("createsuperuser")
