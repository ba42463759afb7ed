"""Departures and hand-offs on the staff's pages: who, which connection, how far it got."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.tenancy.scope import tenant_scope
from connections.transport.models import Departure
from portal.onboarding.models import Handoff, Mark
from tests.pages.crowd import left_connection
from tests.support.conftest import House

GIVEN = {"given_by": "alice@aamu.example", "email": "isto@office.example", "key": "k" * 16, "digest": "d" * 64}


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def test_departures_are_listed_with_who_and_state(house: House, support: Any) -> None:
    with tenant_scope(house.tenant.id):
        departure = Departure.objects.get(connection_id=left_connection(house.tenant))
    address = reverse("admin:transport_departure_changelist")
    row = reverse("admin:transport_departure_change", args=[departure.id])
    for query in ("", "?proof=waits", f"?q={departure.connection_id}", f"?q={departure.id}", "?q=aamu"):
        page = support.get(address + query).content.decode()
        assert row in page, query
        assert "waits for its removal at the provider" in page
        assert departure.asked_by in page
    for query in ("?proof=proved", f"?q={house.connection.id}"):
        assert row not in support.get(address + query).content.decode(), query
    assert "it still opens your books" in support.get(row).content.decode()
    Departure.objects.update(proof="proved", destroyed_at=timezone.now())
    assert "proved to be dead" in support.get(address + "?proof=proved").content.decode()
    assert row not in support.get(address + "?proof=waits").content.decode()


def test_the_home_leads_to_both_lists(support: Any) -> None:
    page = support.get(reverse("admin:index")).content.decode()
    for name in ("transport_departure", "onboarding_handoff"):
        assert reverse(f"admin:{name}_changelist") in page, name


@pytest.mark.parametrize(
    ("state", "values", "words"),
    [
        ("open", {}, "sent, not opened yet"),
        ("open", {"opened_at": timezone.now()}, "opened, not done yet"),
        ("done", {"done_at": timezone.now()}, "done"),
        ("ended", {"ended_at": timezone.now(), "end_reason": "tries"}, "too many tries"),
        ("over", {"expires_at": timezone.now()}, "not done in time"),
    ],
)
def test_hand_offs_are_listed_with_who_and_state(
    house: House, support: Any, state: str, values: dict[str, Any], words: str
) -> None:
    with tenant_scope(house.tenant.id):
        mark = Mark.objects.filter(onboarding__connection=house.connection)[0]
        until = {"expires_at": timezone.now() + timedelta(days=7)}
        handoff = Handoff(tenant=house.tenant, mark=mark, **{**GIVEN, **until, **values})
        handoff.save(force_insert=True)
    address = reverse("admin:onboarding_handoff_changelist")
    row = reverse("admin:onboarding_handoff_change", args=[handoff.id])
    for query in ("", f"?state={state}", f"?q={house.connection.id}", f"?q={handoff.id}"):
        page = support.get(address + query).content.decode()
        assert row in page, query
        for word in (words, mark.checkpoint, handoff.given_by, handoff.email):
            assert word in page, (query, word)
    other = "done" if state != "done" else "open"
    assert row not in support.get(f"{address}?state={other}").content.decode()
    page = support.get(row).content.decode()
    assert words in page
    assert handoff.digest not in page
