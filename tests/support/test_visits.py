"""A visit opens one tenant's records to one of our people, for an hour at most, only to read; outside it nothing is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.sync.models import Record
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import SYSTEM, staff_scope, tenant_scope
from connections.vault.models import Connection
from connections.vault.services import open_connection
from portal.members.models import Membership
from portal.support import visit_pages, visits
from portal.support.models import Visit
from tests.roles import acting_as
from tests.support.conftest import House

WHY = {"reason": "an invoice is missing", "ticket": "T-4711", "minutes": "30"}
CANARY = "canary-of-a-record-c01d"


@pytest.fixture
def record(house: House) -> Record:
    now = timezone.now()
    row = Record(
        tenant=house.tenant, connection=house.connection, stream="invoices", external_id="17", body={"note": CANARY},
        change_number=1, added_at=now, changed_at=now,
    )  # fmt: skip
    row.save(force_insert=True)
    return row


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def start(browser: Any, tenant: Any, **changed: str) -> Any:
    return browser.post(reverse("admin:start_visit", args=[tenant.id]), {**WHY, **changed})


def pages(house: House) -> list[str]:
    records = reverse("admin:visit_records", args=[house.connection.id, "invoices"])
    return [reverse("admin:visit"), records, f"{records}record/?id=17"]


def assert_missing(browser: Any, house: House) -> None:
    browser.get(reverse("admin:index"))  # what was to be said once has been said
    missing = browser.get(reverse("admin:fault", args=["nothing-of-the-kind"]))
    for page in pages(house):
        for answer in (browser.get(page), browser.head(page)):
            assert answer.status_code == 404, page
        assert len(browser.get(page).content) == len(missing.content), page


def test_in_a_visit_records_are_read_and_every_look_stands_in_the_tenants_trail(
    house: House, record: Record, support: Any, dana: Any
) -> None:
    assert_missing(support, house)
    assert start(support, house.tenant)["Location"] == reverse("admin:visit")
    texts = [support.get(page).content.decode() for page in pages(house)]
    assert CANARY in texts[-1]
    assert "End the visit" in support.get(reverse("admin:index")).content.decode(), "the banner stands on every page"
    looks = AuditEvent.objects.filter(action="staff.looked", tenant=house.tenant)
    assert [each.details["page"] for each in looks.order_by("happened_at")] == ["connections", "records", "record"]
    assert {each.actor_name for each in looks} == {dana.email}
    started = AuditEvent.objects.get(action="staff.visit_started")
    assert (started.details["reason"], started.details["ticket"]) == (WHY["reason"], WHY["ticket"])
    support.post(reverse("admin:end_visit"))
    assert_missing(support, house)
    assert AuditEvent.objects.filter(action="staff.visit_ended").count() == 1


def test_every_connection_of_a_large_tenant_is_reached(
    house: House, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit_pages, "SHOWN", 2)
    with tenant_scope(house.tenant.id):
        for _number in range(4):
            open_connection(tenant=house.tenant, provider="procountor", environment="test", actor=SYSTEM)
    start(support, house.tenant)
    address, reached = reverse("admin:visit"), set()
    while address:
        text = support.get(address).content.decode()
        reached |= set(re.findall(r"/admin/vault/connection/([0-9a-f-]{36})/change/", text))
        following = re.search(r'rel="next" href="([^"]+)"', text)
        address = reverse("admin:visit") + following[1] if following else ""
    assert reached == {str(key) for key in Connection.objects.filter(tenant=house.tenant).values_list("id", flat=True)}


def test_it_ends_after_its_time_whatever_the_browser_believes(house: House, record: Record, support: Any) -> None:
    start(support, house.tenant)
    assert support.get(pages(house)[1]).status_code == 200
    ago = timezone.now() - timedelta(hours=1)
    Visit.objects.update(started_at=ago, until_at=ago + timedelta(minutes=30))
    assert support.get(pages(house)[1]).status_code == 404
    assert support.get(reverse("admin:visit")).status_code == 404


def test_a_visit_to_another_tenant_opens_nothing_here(
    house: House, record: Record, kaste: Any, support: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    start(support, house.tenant)
    start(support, kaste)
    assert Visit.objects.filter(ended_at=None).count() == 1, "one tenant at a time"
    for page in pages(house)[1:]:
        assert support.get(page).status_code == 404
    assert support.get(reverse("admin:visit")).status_code == 200
    assert sign_in(ada).get(reverse("admin:visit")).status_code == 404, "a visit is one person's"


@pytest.mark.parametrize(
    "changed",
    [{"reason": " "}, {"ticket": ""}, {"minutes": "61"}, {"minutes": "0"}, {"minutes": "-5"}, {"minutes": "x"}],
)
def test_none_begins_without_a_reason_and_a_ticket_or_for_longer(
    house: House, support: Any, changed: dict[str, str]
) -> None:
    start(support, house.tenant, **changed)
    assert not Visit.objects.exists()


def test_nobody_begins_one_without_having_shown_lately_who_they_are(
    house: House, dana: Any, sign_in: Callable[..., Any]
) -> None:
    assert "reauthenticate" in start(sign_in(dana, lately=False), house.tenant)["Location"]
    assert not Visit.objects.exists()


def test_the_database_holds_the_hour_and_the_one_tenant(house: House, kaste: Any) -> None:
    now = timezone.now()
    values = {"user_id": 1, "visitor_name": "x", "reason": "x", "ticket": "x", "started_at": now}
    with pytest.raises(IntegrityError, match="support_visit_short"), transaction.atomic():
        Visit(tenant=kaste, until_at=now + timedelta(minutes=61), **values).save(force_insert=True)
    Visit(tenant=kaste, until_at=now + timedelta(minutes=60), **values).save(force_insert=True)
    with pytest.raises(IntegrityError, match="support_one_visit"), transaction.atomic():
        Visit(tenant=house.tenant, until_at=now + timedelta(minutes=5), **values).save(force_insert=True)


def test_a_visit_writes_nothing(house: House, record: Record, dana: Any) -> None:
    now = timezone.now()
    visit = Visit(tenant=house.tenant, user_id=dana.pk, started_at=now, until_at=now + timedelta(minutes=5))
    with acting_as("web"), staff_scope():
        with visits.inside(visit):
            assert Record.objects.count() == 1
            with pytest.raises(PermissionDenied), transaction.atomic():
                Membership.objects.update(role="owner")
        assert not Visit.objects.exists(), "and the staff's own scope goes on behind it"


def test_every_owner_is_mailed_and_sees_it_in_the_audit_page(
    house: House, support: Any, alice: Any, dana: Any, sign_in: Callable[..., Any], settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    start(support, house.tenant)
    with acting_as("worker"):
        work(str(Job.objects.get(kind=visits.MAIL_OWNERS).id))
    message = outbox.outbox[-1]
    assert message.recipients() == [alice.email]
    address = reverse("audit", args=[house.tenant.slug])
    assert all(each in message.body for each in (dana.email, WHY["reason"], WHY["ticket"], address))
    page = sign_in(alice).get(address).content.decode()
    assert all(each in page for each in ("our support began a visit", dana.email, WHY["reason"], WHY["ticket"]))
