"""An activation form that is pressed twice, or an address that is opened again, makes one request and leads to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connections as databases
from django.test import Client as DjangoClient

from connections.tenancy.models import AuditEvent
from connections.transport.models import ActivationRequest
from tests.onboarding.test_activation import ARRIVED, REQUEST_ID, Chooser
from tests.roles import acting_as
from tests.signing import House

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def chooser(signing: House, alice: Any, sign_in: Any, work_off: Callable[..., int]) -> Chooser:
    EmailAddress.objects.create(user=alice, email="kaisa@aamu.example", verified=True)
    return Chooser(sign_in(alice), work_off)


def test_a_form_that_is_pressed_twice_takes_up_one_request(chooser: Chooser, kaste: Any, alice: Any) -> None:
    chooser.take()
    first = chooser.place
    chooser.take()
    assert chooser.place == first
    chooser.work_off()
    chooser.decide(company="101")
    chooser.work_off()
    chooser.take()  # long after, it leads to what became of it
    assert chooser.place == first
    assert ActivationRequest.objects.count() == 1
    assert AuditEvent.objects.filter(action="activation.asked").count() == 1
    chooser.take(request_id="another-request")
    assert chooser.place != first


def test_a_request_that_came_to_nothing_may_be_taken_up_again(chooser: Chooser) -> None:
    chooser.take()
    for state in ("failed", "expired"):
        ActivationRequest.objects.update(state=state)
        before = chooser.place
        chooser.take()
        assert chooser.place != before
        chooser.take()
    assert ActivationRequest.objects.count() == 3


def test_of_many_presses_at_once_one_takes_it_up(chooser: Chooser) -> None:
    cookie, barrier, places = chooser.client.cookies["session"].value, threading.Barrier(8), []

    def press() -> None:
        mine = DjangoClient()
        mine.cookies["session"] = cookie
        barrier.wait()
        try:
            places.append(mine.post(ARRIVED, {"requestId": REQUEST_ID, "tenant": "aamu"}).headers["Location"])
        finally:
            databases.close_all()

    with acting_as("web"):
        threads = [threading.Thread(target=press) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(places) == 8
    assert len(set(places)) == ActivationRequest.objects.count() == 1
