"""The staff's first page: what is wrong now, what recovered within a day, and nothing that is open left out for its age."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.transport.models import Breaker
from portal.incidents.models import Incident, Outage
from portal.notices.models import OutgoingMail
from tests.support.conftest import House, log_entry
from tests.support.pages import Page


@pytest.fixture
def home(sign_in: Callable[..., Any], dana: Any) -> Callable[[], Page]:
    browser = sign_in(dana)

    def look() -> Page:
        answer = browser.get(reverse("admin:index"))
        assert answer.status_code == 200
        return Page(answer.content)

    return look


def open_incident(house: House, **values: Any) -> Incident:
    incident = Incident(
        **{
            "tenant": house.tenant, "connection": house.connection, "cause": "api-key-refused", "responsible": "customer",
            "opened_at": timezone.now() - timedelta(days=300), "last_seen_at": timezone.now(), "opened_by": "run", **values,
        }
    )  # fmt: skip
    incident.save(force_insert=True)
    return incident


def test_when_nothing_is_wrong_it_says_so(house: House, home: Callable[[], Page]) -> None:
    Job.objects.all().delete()
    assert "Nothing is wrong now" in home().text


def test_an_open_incident_stands_there_whatever_its_age_with_whom_it_hits(
    house: House, home: Callable[[], Page]
) -> None:
    open_incident(house)
    page = home()
    [row] = [row for row in page.rows if "the customer" in row]
    assert "the key is wrong or revoked" in row
    assert row.endswith("1 1"), "one connection of one customer"
    assert reverse("admin:fault", args=["api-key-refused"]) in page.addresses
    assert "Nothing is wrong now" not in page.text


def test_what_is_over_is_seen_for_a_day(house: House, home: Callable[[], Page]) -> None:
    Job.objects.all().delete()
    incident = open_incident(house, closed_at=timezone.now() - timedelta(hours=1), closed_by="run")
    page = home()
    assert "Over for less than 1 day" in page.text
    assert "Nothing is wrong now" in page.text
    Incident.objects.filter(pk=incident.pk).update(closed_at=timezone.now() - timedelta(hours=25))
    assert "Over for less than 1 day" not in home().text


def test_an_outage_names_the_customers_it_hits_and_the_next_try(house: House, home: Callable[[], Page]) -> None:
    place = {"provider": "procountor", "environment": "sandbox"}
    Outage.objects.create(**place, opened_at=timezone.now() - timedelta(hours=2))
    next_at = timezone.now() + timedelta(seconds=30)
    Breaker.objects.create(
        key="server",
        began_at=timezone.now(),
        opened_at=timezone.now(),
        next_at=next_at,
        by=house.connection.pk,
        is_shared=True,
    )
    rows = home().rows
    [outage] = [row for row in rows if "lasts" in row]
    assert " 1 " in outage
    [breaker] = [row for row in rows if "the whole server" in row]
    assert "Procountor, sandbox" in breaker
    assert breaker.split()[-1] == outage.split()[-1], "the time of the next try"


def test_a_breaker_of_one_connection_says_whose_it_is_and_heals(house: House, home: Callable[[], Page]) -> None:
    Breaker.objects.create(
        key="own",
        of_connection=True,
        began_at=timezone.now(),
        opened_at=timezone.now(),
        healed_at=timezone.now(),
        by=house.connection.pk,
    )
    Breaker.objects.create(
        key="gone", began_at=timezone.now(), opened_at=timezone.now(), next_at=timezone.now(), by=uuid.uuid4()
    )
    text = home().text
    assert "Aamu Oy Aamun Kirjat Oy" in text
    assert "A server that nobody uses any more" in text


def test_parked_jobs_stand_by_kind_and_reason(house: House, home: Callable[[], Page]) -> None:
    Job(tenant=house.tenant, kind="sync.run", subject=uuid.uuid4(), queue="sync", state=JobState.PARKED,
        reason="failed 8 times", ended_at=timezone.now()).save(force_insert=True)  # fmt: skip
    page = home()
    [row] = [row for row in page.rows if "failed 8 times" in row]
    assert "failed 8 times 2 1" in row
    assert f"{reverse('admin:jobs_job_changelist')}?state=parked&q=sync.run" in page.addresses


def test_a_queue_that_nobody_works_at_and_a_worker_that_fell_silent_are_said(
    house: House, home: Callable[[], Page]
) -> None:
    late = {"tenant": house.tenant, "subject": uuid.uuid4(), "due_at": timezone.now() - timedelta(minutes=5)}
    Job(kind="a", queue="mail", lane=2, **late).save(force_insert=True)
    Job(kind="b", queue="sync", **{**late, "due_at": timezone.now()}).save(force_insert=True)
    Job(
        kind="c", queue="sync", **late, state=JobState.RUNNING, lease_until=timezone.now() - timedelta(minutes=4)
    ).save(force_insert=True)
    text = home().text
    assert "In the queue mail something is due and nobody does it" in text
    assert "In the queue sync" not in text
    assert "A worker that holds a job has not said that it lives" in text


def test_a_failed_mail_says_for_whom_and_why_and_no_whole_address(house: House, home: Callable[[], Page]) -> None:
    EmailMessage(subject="s", body="b", to=["Osku <osku@aamu.example>"]).send()
    newest = OutgoingMail.objects.latest("created_at")
    OutgoingMail.objects.filter(pk=newest.pk).update(state="refused", trouble="SMTPRecipientsRefused 550", tries=1)
    page = home()
    [row] = [row for row in page.rows if "SMTPRecipientsRefused 550" in row]
    assert "o…@aamu.example" in row
    assert "osku@" not in page.text


@pytest.mark.parametrize("code", ["api-key-refused", "list-short", "call-too-late", "no-answer"])
def test_every_fault_has_a_page(house: House, sign_in: Callable[..., Any], dana: Any, code: str) -> None:
    log_entry(house.tenant, house.connection, fault=code, outcome="refused", at=timezone.now() - timedelta(hours=3))
    log_entry(house.tenant, house.connection, fault=code, outcome="refused", at=timezone.now() - timedelta(days=3))
    open_incident(house, cause=code, opened_at=timezone.now() - timedelta(days=2))
    browser = sign_in(dana)
    text = Page(browser.get(reverse("admin:fault", args=[code])).content).text
    for words in ("What it means", "Who acts", "What to say to the customer", "within 7 days", "of one tenant"):
        assert words in text
    of_the_house = code == "api-key-refused"
    assert f"{2 + of_the_house} within 7 days" in text
    assert f"{1 + of_the_house} within 1 day" in text


def test_the_list_of_faults_leads_to_each(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    browser = sign_in(dana)
    page = Page(browser.get(reverse("admin:faults")).content)
    addresses = {
        each for each in page.addresses if each.startswith(reverse("admin:faults")) and each != reverse("admin:faults")
    }
    assert len(addresses) > 30
    assert {browser.get(address).status_code for address in sorted(addresses)[:5]} == {200}
