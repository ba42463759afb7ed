"""The box by keyboard, and a list that is followed, in Chromium."""

# ruff: noqa: F811  (pytest's fixtures are arguments with the names of what is imported)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.pages.test_in_a_browser import browser, enter, site  # noqa: F401  (fixtures: one way to open a browser)
from tests.support.conftest import House, log_entry
from tests.support.test_in_a_browser import assert_fits_and_is_accessible

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("committed_db")]


def test_the_box_is_reached_and_walked_by_the_keyboard(house: House, dana: Any, enter: Callable[..., Page]) -> None:
    page = enter(dana)
    page.goto(reverse("admin:faults"))
    page.keyboard.press("/")
    expect(page.locator("#find-anything")).to_be_focused()
    page.keyboard.type("amun kirj")
    answer = page.get_by_role("link", name="Aamun Kirjat Oy")
    expect(answer).to_be_visible()
    assert_fits_and_is_accessible(page)
    page.keyboard.press("ArrowDown")
    expect(answer).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#find-anything")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Aamun Kirjat Oy")


def test_a_followed_list_shows_what_is_new_and_bars_narrow_it(
    house: House, dana: Any, enter: Callable[..., Page]
) -> None:
    page = enter(dana)
    page.goto(reverse("admin:transport_requestlogentry_changelist"))
    page.get_by_role("link", name="Follow live").click()
    log_entry(house.tenant, house.connection, path_template="/brand-new")
    expect(page.get_by_text("GET /brand-new")).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="Pause").click()
    page.get_by_text("The bars as a table").click()
    assert_fits_and_is_accessible(page)
    page.locator("#bars table a").first.click()
    expect(page.get_by_text("GET /brand-new")).to_be_visible()
