"""Support answers the questions of a day from the first page, in four presses at most, over a house with something in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.tenancy import audit
from connections.transport.models import Breaker
from connections.vault.models import Pin
from portal.incidents.models import Incident, Outage
from tests.support.conftest import House, log_entry
from tests.support.pages import Page

MOST_PRESSES = 4
REQUEST_ID = "req-of-the-mail-91f0"


@dataclass
class Desk:
    """Somebody of support at the first page. A search with Enter, and a link, are one press each."""

    browser: Any
    address: str = field(default_factory=lambda: reverse("admin:index"))
    presses: int = 0

    def __post_init__(self) -> None:
        self.page = self._open(self.address)

    def find(self, text: str) -> Desk:
        return self._press(reverse("admin:search"), {"q": text})

    def follow(self, text: str) -> Desk:
        """The first link that begins with these words, in whatever row."""
        links = [address for words, address in self.page.links.items() if words.startswith(text)]
        assert links, f"no link {text!r} at {self.address}: {sorted(self.page.links)}"
        return self._press(urljoin(self.address, links[0]))

    def _press(self, address: str, query: dict[str, str] | None = None) -> Desk:
        self.presses += 1
        self.page = self._open(address, query)
        return self

    def _open(self, address: str, query: dict[str, str] | None = None) -> Page:
        answer = self.browser.get(address, query, follow=True)
        assert answer.status_code == 200, address
        self.address = answer.redirect_chain[-1][0] if answer.redirect_chain else address
        return Page(answer.content)

    def shows(self, *words: str) -> None:
        for each in words:
            assert each in self.page.text, f"{each!r} is not at {self.address}"
        assert self.presses <= MOST_PRESSES


@pytest.fixture
def desk(house: House, alice: Any, dana: Any, sign_in: Callable[..., Any]) -> Desk:
    now = timezone.now()
    log_entry(
        house.tenant, house.connection, run_id=house.run.id, status=503, outcome="troubled", fault="provider-trouble",
        provider_request_id=REQUEST_ID, at=now - timedelta(minutes=2), api_version="2026-1",
    )  # fmt: skip
    place = {"provider": house.connection.provider, "environment": house.connection.environment}
    Outage(**place, opened_at=now - timedelta(hours=1)).save(force_insert=True)
    Breaker(
        key=f"{place['provider']}:{place['environment']}:x", began_at=now, opened_at=now, by=house.connection.id
    ).save(force_insert=True)
    Incident(
        tenant=house.tenant, connection=house.connection, cause="provider-trouble", responsible="provider", opened_at=now,
        opened_by="run", last_seen_at=now,
    ).save(force_insert=True)  # fmt: skip
    Pin(
        tenant=house.tenant, connection=house.connection, host="books.aamu.example", sha256="0" * 64, seen_at=now,
        ends_at=now + timedelta(days=9), confirmed_at=now, confirmed_by=alice.email,
    ).save(force_insert=True)  # fmt: skip
    audit.record(
        tenant_id=house.tenant.id, actor=alice.actor, action="sync.scheduled", subject=str(house.connection.id)
    )
    type(house.run).objects.filter(id=house.run.id).update(
        time_shares={"limiter": 6000, "provider": 3000, "queue": 1000}
    )
    return Desk(sign_in(dana))


def test_whose_is_this_id_and_what_happened(desk: Desk) -> None:
    desk.find(f"Dear support, your request {REQUEST_ID} failed").shows("Aamu Oy", "503", "Attempts at this call")


def test_who_is_affected_by_this_outage_now(desk: Desk) -> None:
    desk.shows("Outages", "lasts")
    desk.follow("1").shows("Aamu Oy")


def test_what_was_sent_and_answered(desk: Desk) -> None:
    desk.find(REQUEST_ID).shows("GET", "/invoices", "503", "12 ms")


def test_what_the_providers_desk_asks_for(desk: Desk) -> None:
    desk.find(REQUEST_ID).shows(REQUEST_ID, "2026-1", "invoices.list", "Procountor")


def test_who_changed_this_connection_and_when(desk: Desk, house: House, alice: Any) -> None:
    desk.find(str(house.connection.id)).follow("Its timeline").shows("sync.scheduled", alice.email)


def test_where_customers_are_stuck(desk: Desk) -> None:
    desk.follow("Where customers are stuck")
    desk.shows("Where customers are stuck")


def test_what_breaks_in_thirty_days(desk: Desk) -> None:
    desk.follow("What breaks next").shows("Aamu Oy")


def test_why_this_run_was_slow(desk: Desk, house: House) -> None:
    desk.find(str(house.run.id)).shows("Why was this run slow", "keeping to the provider's limit 60 %")


def test_whether_a_limit_is_near(desk: Desk) -> None:
    desk.follow("What breaks next").shows("What breaks next")
