"""A provider's trouble is one outage, told to staff at once and to customers after a day, and no incident of anybody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from connections.jobs.services import enqueue
from connections.sync.models import SyncRun
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.models import Breaker
from portal.incidents.models import Notice, Outage, StaffSubscription
from portal.incidents.outages import WATCH_PROVIDER, place_id
from portal.members.models import User
from tests.incidents.conftest import let_pass, mailed
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db", "no_checks")
URL = "https://api-test.procountor.example/api/session"
TIMES = (
    (Breaker, ("opened_at", "next_at", "began_at")),
    (Outage, ("opened_at",)),
    (SyncRun, ("started_at", "queued_at")),
)


def fail(*connections: Any) -> None:
    """As many failures of each as open the server's breaker."""
    with acting_as("worker"):
        for connection in connections * 3:
            CircuitBreaker(connection).note(URL, is_good=False)


def heal() -> None:
    Breaker.objects.update(healed_at=timezone.now() - timedelta(minutes=6))


@pytest.fixture
def subscribed(dana: Any) -> Any:
    with acting_as("web"):
        StaffSubscription.objects.create(user=dana)
    return dana


def test_staff_at_once_and_customers_after_a_day(office: Any, alice: Any, bob: Any, subscribed: Any) -> None:
    connections = [office.connect(alice, 1), office.connect(bob, 2), office.connect(bob, 3)]
    fail(*connections)
    office.work_off()
    assert Outage.objects.get().closed_at is None
    assert mailed() == {subscribed.email: 1}
    for connection in connections:
        office.run(connection, "no-answer")
    for _hour in range(25):
        let_pass(timedelta(hours=1), *TIMES)
        Breaker.objects.update(next_at=timezone.now())
        office.work_off()
    assert mailed() == {}, "customers are told with their next morning's mail"
    Notice.objects.update(due_at=timezone.now())
    let_pass(timedelta(days=1))
    office.work_off()
    assert mailed() == {alice.email: 1, bob.email: 1}
    heal()
    let_pass(timedelta(minutes=5))
    office.work_off()
    assert Outage.objects.get().closed_at is not None
    assert mailed() == {subscribed.email: 1, alice.email: 1, bob.email: 1}
    assert office.incidents() == []


def test_a_short_one_is_the_staffs_alone(office: Any, alice: Any, subscribed: Any) -> None:
    fail(office.connect(alice, 1), office.connect(alice, 2))
    office.work_off()
    heal()
    let_pass(timedelta(minutes=5))
    office.work_off()
    assert mailed() == {subscribed.email: 2}
    assert Outage.objects.get().closed_at is not None


def test_one_connection_alone_is_no_outage(office: Any, alice: Any, subscribed: Any) -> None:
    fail(office.connect(alice))
    office.work_off()
    assert (Outage.objects.count(), mailed()) == (0, {})


def test_who_is_no_staff_any_more_is_not_mailed(office: Any, alice: Any, subscribed: Any) -> None:
    User.objects.filter(id=subscribed.id).update(staff_role="")
    fail(office.connect(alice, 1), office.connect(alice, 2))
    office.work_off()
    assert (Outage.objects.count(), mailed()) == (1, {})


def test_a_stolen_web_login_opens_none(office: Any, alice: Any, subscribed: Any) -> None:
    office.connect(alice)
    with acting_as("web"):
        enqueue(kind=WATCH_PROVIDER, subject=place_id("procountor", "test"), tenant_id=None)
        enqueue(kind=WATCH_PROVIDER, subject=uuid4(), tenant_id=None)
    office.work_off()
    assert (Outage.objects.count(), mailed()) == (0, {})
