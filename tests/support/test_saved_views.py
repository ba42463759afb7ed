"""Views of the request log that staff keep: filters under a name, each person's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from portal.support.models import SavedView
from tests.support.conftest import House
from tests.support.pages import Page

LIST = "admin:transport_requestlogentry_changelist"


@pytest.fixture
def support(sign_in: Callable[..., Any], dana: Any) -> Any:
    return sign_in(dana)


def keep(browser: Any, name: str = "Refusals", query: str = "outcome=refused", span: str = "") -> Any:
    return browser.post(reverse("admin:save_view"), {"name": name, "query": query, "span": span})


def test_a_kept_view_stands_above_the_list_and_opens_it_narrowed(house: House, support: Any) -> None:
    page = Page(support.get(keep(support)["Location"]).content)
    assert page.links["Refusals"] == "?outcome=refused"
    assert "The view “Refusals” is kept." in page.text


def test_it_keeps_filters_and_no_place_and_nothing_else(house: House, support: Any) -> None:
    query = (
        "outcome=refused&before=x~y&follow=1&password__regex=a&since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z"
    )
    keep(support, query=query)
    assert SavedView.objects.get().query == "outcome=refused"
    keep(support, query=query, span="7d")
    assert SavedView.objects.get().query == "outcome=refused&since=7d", "under the same name it is replaced"
    keep(support, query=query, span="fixed")
    assert "since=2026-01-01T00%3A00%3A00Z" in SavedView.objects.get().query


def test_it_is_the_persons_own(house: House, support: Any, sign_in: Callable[..., Any], ada: Any) -> None:
    keep(support)
    view = SavedView.objects.get()
    other = sign_in(ada)
    assert "Refusals" not in Page(other.get(reverse(LIST)).content).links
    assert other.post(reverse("admin:forget_view", args=[view.pk])).status_code == 404
    assert support.post(reverse("admin:forget_view", args=[view.pk])).status_code == 302
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "n" * 61])
def test_a_view_without_a_name_is_not_kept(house: House, support: Any, name: str) -> None:
    page = Page(support.get(keep(support, name=name)["Location"]).content)
    assert "Give the view a name" in page.text
    assert not SavedView.objects.exists()
