"""A job that was given up is queued again by an admin, once, and on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.urls import reverse

from connections.jobs.models import Job, JobState
from connections.tenancy.models import AuditEvent
from tests.support.conftest import House
from tests.support.pages import Page


def test_a_parked_job_is_queued_again_once(house: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    browser = sign_in(ada)
    address = reverse("admin:jobs_job_again", args=[house.job.id])
    assert "Queue again" in browser.get(reverse("admin:jobs_job_change", args=[house.job.id])).content.decode()
    answer = browser.post(address)
    again = Job.objects.get(kind="sync.run", subject=house.run.id, state=JobState.QUEUED)
    assert answer["Location"] == reverse("admin:jobs_job_change", args=[again.id])
    house.job.refresh_from_db()
    assert (house.job.state, house.job.reason) == ("cancelled", f"queued again by {ada.email}")
    assert AuditEvent.objects.get(action="job.queued_again").subject == str(again.id)
    assert LogEntry.objects.get().object_id == str(house.job.id)
    second = browser.post(address, follow=True)
    assert "not parked any more" in second.content.decode()
    assert Job.objects.filter(kind="sync.run", subject=house.run.id).count() == 2


def test_support_sees_the_job_and_no_button(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    page = sign_in(dana).get(reverse("admin:jobs_job_change", args=[house.job.id])).content.decode()
    assert "failed 8 times" in page
    assert "Queue again" not in page


def test_a_job_is_found_by_its_id_its_subject_or_its_kind(
    house: House, dana: Any, sign_in: Callable[..., Any]
) -> None:
    browser = sign_in(dana)
    for typed in (str(house.job.id), str(house.run.id), "sync.run"):
        page = Page(browser.get(reverse("admin:jobs_job_changelist"), {"q": typed}).content)
        assert [row for row in page.rows if "failed 8 times" in row], typed


def test_jobs_are_narrowed_by_state(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    browser = sign_in(dana)
    parked = Page(browser.get(reverse("admin:jobs_job_changelist"), {"state": "parked"}).content)
    assert len([row for row in parked.rows if "sync.run" in row]) == 1
    running = Page(browser.get(reverse("admin:jobs_job_changelist"), {"state": "running"}).content)
    assert not [row for row in running.rows if "sync.run" in row]
