"""Errors are mailed to admins by kind: the first at once, the rest as a count, a client's faults not at all."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core import exceptions, mail

from connections.jobs.models import Job
from portal.notices import error_groups
from portal.notices.error_groups import FIRST_WAIT_SECONDS
from portal.notices.models import ErrorGroup
from tests.roles import acting_as

PASSWORD = "typed-by-a-person-51"


def raising(error: BaseException) -> None:
    raise error


@pytest.fixture
def admins(committed_db: None, system_key: None, settings: Any) -> Any:
    """`admins()`: subject and body of what was mailed to them since it was last asked."""
    settings.ADMINS = [("", "admin@pilotage.example")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    def mails_so_far() -> list[tuple[str, str]]:
        mails = [(each.subject, each.body) for each in mail.outbox]
        mail.outbox.clear()
        return mails

    return mails_so_far


def break_at(where: str) -> None:
    """One error of ours, logged as Django logs it."""
    try:
        raising({"value": ValueError, "key": KeyError}[where](PASSWORD))
    except (ValueError, KeyError):
        logging.getLogger("django.request").exception("Internal Server Error: /invitations/%s/", PASSWORD)


def pass_time(seconds: int) -> None:
    for group in ErrorGroup.objects.all():
        for name in ("mailed_at", "last_at", "next_at"):
            setattr(group, name, getattr(group, name) - timedelta(seconds=seconds))
        group.save()
    for job in Job.objects.filter(state="queued"):
        Job.objects.filter(id=job.id).update(due_at=job.due_at - timedelta(seconds=seconds))


def test_many_errors_of_a_kind_are_two_mails(admins: Any, work_off: Any) -> None:
    for _ in range(60):
        break_at("value")
    break_at("key")  # another kind is not hidden behind it
    [(first, body), (other, _)] = admins()
    assert "ValueError" in first
    assert "test_error_groups.py" in first
    assert "KeyError" in other
    for text in (first, body, other):
        assert PASSWORD not in text
    work_off()
    assert admins() == []
    pass_time(FIRST_WAIT_SECONDS)
    work_off()
    [(subject, body)] = admins()
    assert subject.endswith(first.removeprefix("[Django] Error: "))
    assert "59 more times" in body
    assert "in 20 minutes" in body
    assert ErrorGroup.objects.count() == 2


def test_what_goes_on_is_mailed_more_and_more_seldom_and_after_quiet_at_once(admins: Any, work_off: Any) -> None:
    waits = []
    break_at("value")
    for _ in range(10):
        break_at("value")
        group = ErrorGroup.objects.get()
        waits.append(group.wait_seconds)
        pass_time(group.wait_seconds)
        work_off()
    assert len(admins()) == 11
    assert waits == [600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 86400, 86400]
    pass_time(3 * 86400)
    break_at("value")
    assert len(admins()) == 1
    assert ErrorGroup.objects.get().wait_seconds == FIRST_WAIT_SECONDS
    assert not Job.objects.filter(state="queued").exists()


def test_there_are_no_more_rows_than_may_be(admins: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.notices.error_groups.MOST_GROUPS", 3)
    calls: list[int] = []
    for number in range(9):
        error_groups.count(f"Error{number}", lambda: calls.append(1))
    assert ErrorGroup.objects.count() == 4
    assert len(calls) == 4


def test_processes_share_what_was_mailed(admins: Any) -> None:
    for role in ("web", "worker", "staff", "web"):
        with acting_as(role):
            break_at("value")
    assert len(admins()) == 1
    assert ErrorGroup.objects.get().more == 3


@pytest.mark.parametrize(
    "name", ["DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "SuspiciousFileOperation"]
)
def test_a_clients_fault_is_no_error_of_ours(name: str, admins: Any) -> None:
    kind = getattr(exceptions, name)
    try:
        raising(kind(PASSWORD))
    except kind:
        logging.getLogger(f"django.security.{name}").exception("%s", PASSWORD, extra={"status_code": 400})
        logging.getLogger("django.request").exception("Bad request")
    assert admins() == []
    assert not ErrorGroup.objects.exists()


def test_bad_hosts_are_no_mail(admins: Any, client: Any) -> None:
    for number in range(30):
        assert client.get("/", headers={"host": f"evil-{number}.example"}).status_code == 400
    assert admins() == []
    assert not ErrorGroup.objects.exists()


def test_without_admins_nothing_is_counted(admins: Any, settings: Any) -> None:
    settings.ADMINS = []
    break_at("value")
    assert not ErrorGroup.objects.exists()
