"""Where customers are stuck: each connection in set-up is counted at one checkpoint, and stands in the list behind the number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.spec.checklist import MarkState
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Mark, Onboarding
from portal.onboarding.services import begin
from portal.support import funnel
from tests.pages.statements import statements
from tests.support.conftest import House
from tests.support.pages import Page


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def set_up(house: House, alice: Any, passed: int = 0, failing: int | None = None, days: int = 0) -> Onboarding:
    """A connection of which the first checkpoints have passed, so many days ago."""
    walk = begin(tenant=house.tenant, provider="procountor", environment="sandbox", actor=alice.actor)
    slugs = [each.slug for each in provider_of(walk.connection).checkpoints(walk.connection.auth_method)]
    at = timezone.now() - timedelta(days=days)
    Mark.objects.filter(onboarding=walk).update(since=at - timedelta(days=1))
    Mark.objects.filter(onboarding=walk, checkpoint__in=slugs[:passed]).update(
        state=MarkState.ATTESTED.value, since=at
    )
    if failing is not None:
        Mark.objects.filter(onboarding=walk, checkpoint=slugs[failing]).update(state=MarkState.FAILING.value, since=at)
    return walk


def test_each_is_counted_where_it_stands_with_the_time_it_has_stood_there(house: House, alice: Any) -> None:
    for days in (1, 2, 3):
        set_up(house, alice, passed=2, days=days)
    set_up(house, alice, passed=4, failing=1, days=5)
    (way,) = funnel.funnels()
    assert [step.connections for step in way.steps][:5] == [0, 1, 3, 0, 0]
    assert way.connections == 4
    third = way.steps[2]
    assert third.half_since is not None
    assert third.tenth_since is not None
    now = timezone.now()
    assert round((now - third.half_since) / timedelta(days=1)) == 2
    assert round((now - third.tenth_since) / timedelta(days=1)) == 3
    assert third.tenants == 1


def test_the_list_behind_a_number_has_as_many_and_leads_to_the_customer(
    house: House, alice: Any, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(funnel, "SHOWN", 2)
    walks = [set_up(house, alice, days=days) for days in range(5)]
    page = Page(support.get(reverse("admin:funnels")).content)
    address, seen = page.links["5"], []
    while address:
        listed = Page(support.get(address).content)
        seen += [each for each in listed.addresses if each.endswith("#act")]
        following = listed.links.get("Later ones", "")
        address = address.partition("?")[0] + following if following else ""
    expected = [
        reverse("admin:vault_connection_change", args=[walk.connection_id]) + "#act" for walk in reversed(walks)
    ]
    assert seen == expected, "who has waited longest first, each once"


def test_it_asks_as_much_for_many_as_for_one(house: House, alice: Any, support: Any) -> None:
    counts = []
    for _ in range(2):
        set_up(house, alice)
        counts.append(statements(support, reverse("admin:funnels")).count)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("place", [("nobody", "m2m", "x"), ("procountor", "nothing", "x"), ("procountor", "m2m", "x")])
def test_a_place_that_is_none_is_missing(house: House, support: Any, place: tuple[str, str, str]) -> None:
    assert support.get(reverse("admin:stuck", args=place)).status_code == 404
