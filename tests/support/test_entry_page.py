"""The page of one entry: its retries on one line, the breakers that were open, what was left of the quota."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.transport.models import Breaker
from portal.support.request_log import tries_of
from tests.support.conftest import House, log_entry
from tests.support.pages import Page


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def test_the_attempts_at_one_call_stand_together_whichever_is_looked_at(house: House) -> None:
    start = timezone.now() - timedelta(minutes=1)
    first_call = [
        log_entry(house.tenant, house.connection, at=start + timedelta(seconds=2**n), attempt=n + 1, status=503)
        for n in range(3)
    ]
    later = [
        log_entry(house.tenant, house.connection, at=start + timedelta(seconds=20 + n), attempt=n + 1)
        for n in range(2)
    ]
    other = log_entry(
        house.tenant, house.connection, at=start + timedelta(seconds=3), attempt=2, operation="partners.list"
    )
    for entry in first_call:
        assert [each.id for each in tries_of(entry)] == [each.id for each in first_call]
    for entry in later:
        assert [each.id for each in tries_of(entry)] == [each.id for each in later]
    assert [each.id for each in tries_of(other)] == [other.id]


def test_it_says_which_breaker_was_open_and_what_was_left(house: House, support: Any) -> None:
    entry = log_entry(house.tenant, house.connection, status=503, outcome="troubled", token_age_s=321, quota_left=17)
    address = reverse("admin:transport_requestlogentry_change", args=[entry.id])
    assert "No breaker was open." in Page(support.get(address).content).text
    place = f"{entry.provider}:{entry.environment}"
    at = entry.at - timedelta(minutes=1)
    for key, healed_at in ((f"{place}:one", None), (f"{place}:two", at), ("hesabit:test:three", None)):
        Breaker(key=key, began_at=at, opened_at=at, healed_at=healed_at).save(force_insert=True)
    page = Page(support.get(address).content)
    assert page.text.count("The breaker of the whole server was open since") == 1
    assert "321" in page.text
    assert "17" in page.text
