"""One line for each answer with nothing in it that lets somebody in, and one id from the page to the job and its calls."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.signals import setup_logging
from django.urls import reverse
from django.utils import timezone

from connections.jobs import registry, services
from connections.jobs.lease import Lease
from connections.jobs.models import Job
from connections.tenancy.trace import job_id, trace_id, tracing
from connections.transport import attempt
from portal.operations.access import TRACE_HEADER
from portal.operations.reports import JSONLineFormatter
from tests.support import conftest as staff_pages

house = staff_pages.house  # a fixture of theirs

TOKEN = "canary-of-a-token-in-an-address-0123456789"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The access log as it is written."""
    records = [record for record in caplog.records if record.name == "portal.access"]
    return [json.loads(JSONLineFormatter().format(record)) for record in records]


def test_an_answer_is_one_line_that_names_the_page_and_no_address(
    db: None, alice: Any, sign_in: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    browser = sign_in(alice)
    caplog.set_level(logging.INFO)
    browser.get(reverse("enrolment", args=[TOKEN]), {"code": TOKEN}, headers={"X-Request-ID": TOKEN})
    browser.get(f"/{TOKEN}/")
    browser.generic(TOKEN, "/account/login/")
    first, missing, strange = lines(caplog)
    assert (first["page"], first["method"], first["person"]) == ("enrolment", "GET", alice.pk)
    assert (missing["page"], missing["status"]) == ("", 404)
    assert strange["method"] == "other"
    for line in (first, missing, strange):
        assert TOKEN not in json.dumps(line)
        assert line["at"].endswith("+00:00"), "the time is in UTC, and says so"
        assert set(line) == {
            *(
                "at",
                "level",
                "logger",
                "process",
                "of",
                "message",
                "page",
                "method",
                "status",
                "milliseconds",
                "person",
            ),
        }


def test_health_is_asked_too_often_for_a_line(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert TRACE_HEADER not in client.get("/health/live")
    assert lines(caplog) == []


def test_every_answer_says_its_id_and_nobody_else_chooses_it(db: None, client: Any) -> None:
    ids = {client.get("/account/login/", headers={"X-Request-ID": "a" * 32})[TRACE_HEADER] for _ in range(2)}
    assert len(ids) == 2
    assert all(int(each, 16) and len(each) == 32 and each != "a" * 32 for each in ids)
    assert trace_id() == ""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Trace and job as a handler of jobs sees them."""
    seen: list[tuple[str, str]] = []

    def handler(lease: Lease) -> None:
        seen.append((trace_id(), job_id()))

    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    registry.register("test.traced", queue="interactive", handler=handler, tenant_required=False)
    return seen


def enqueue(**more: Any) -> Job:
    job = services.enqueue(kind="test.traced", subject=uuid.uuid4(), tenant_id=None, **more)
    return Job.objects.get(id=job)


def test_a_job_goes_on_under_the_id_of_the_page(db: None, seen: list[Any], work_off: Callable[..., int]) -> None:
    with tracing() as trace:
        job = enqueue()
    assert job.trace_id == trace
    work_off()
    assert seen == [(trace, str(job.id))]
    assert (trace_id(), job_id()) == ("", "")


def test_what_time_asks_for_has_an_id_of_its_own(db: None, seen: list[Any], work_off: Callable[..., int]) -> None:
    with tracing() as trace:
        later = enqueue(due_at=timezone.now() + timedelta(days=1))
    assert later.trace_id == ""
    Job.objects.filter(id=later.id).update(due_at=timezone.now())
    work_off()
    [(own, job)] = seen
    assert len(own) == 32
    assert own != trace
    assert job == str(later.id)


def test_a_call_is_written_down_under_the_same_id(db: None, house: Any) -> None:
    from types import SimpleNamespace

    context: Any = SimpleNamespace(connection=house.connection, run_id=None, checkpoint="", api_version="")
    with tracing() as trace:
        entry = attempt.begin(context, operation="invoices.list", method="GET", path_template="/invoices")
    assert entry.trace_id == trace


def test_a_line_of_a_job_says_whose_it_is() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "done", None, None)
    with tracing(job="a-job") as trace:
        line = json.loads(JSONLineFormatter().format(record))
    assert (line["trace_id"], line["job_id"]) == (trace, "a-job")


def test_celery_adds_no_handlers_of_its_own() -> None:
    import portal.celery  # noqa: F401

    assert setup_logging.receivers
