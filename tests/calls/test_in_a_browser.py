"""Trying a request in a real browser: accessible at both widths and schemes, answered by itself, decided with a press."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.calls.conftest import Calling, cut_before
from tests.pages.test_in_a_browser import (  # noqa: F401  (fixtures)
    SCREENS,
    assert_fits_and_is_accessible,
    browser,
    enter,
    site,
)

pytestmark = pytest.mark.journey


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_page_fits_and_is_accessible(
    width: int,
    scheme: str,
    enter: Callable[..., Page],  # noqa: F811
    alice: Any,
    calling: Calling,
) -> None:
    calling.ledger.things = [{"reference": "R-9", "lines": [{"text": "x" * 300}] * 3}]
    read = calling.run("things.find")
    calling.ledger.fates = [cut_before]
    lost = calling.look_to_the_end(calling.run())
    refused = calling.ask()
    type(refused).objects.filter(id=refused.id).update(state="refused", troubles=[["amount", "too large"]])
    place = f"/t/aamu/c/{calling.connection.id}/"
    page = enter(alice, width, scheme)

    def look(name: str) -> None:
        assert_fits_and_is_accessible(page)
        for direction in ("rtl", "ltr"):
            page.evaluate(f"document.documentElement.dir = '{direction}'")
            wide = (
                "Math.max(...[...document.querySelectorAll('main *')].map(each => each.getBoundingClientRect().right))"
            )
            assert page.evaluate(wide) <= width, "nothing sticks out"
            if folder := os.environ.get("CALLS_PICTURES"):
                page.screenshot(path=Path(folder) / f"{name}-{width}-{direction}.png", full_page=True)

    for name, address in {
        "connection": place,
        "try": f"{place}try/",
        "fill": f"{place}try/things.create/fill/",
        "read": f"{place}try/calls/{read.id}/",
        "lost": f"{place}try/calls/{lost.id}/",
        "refused": f"{place}try/calls/{refused.id}/",
    }.items():
        page.goto(address)
        look(name)
    page.goto(f"{place}try/things.create/fill/")
    page.get_by_role("button", name="Show what will be sent").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send this?")
    look("confirm")


def test_a_write_is_watched_until_it_is_carried_out(
    enter: Callable[..., Page],  # noqa: F811
    alice: Any,
    calling: Calling,
) -> None:
    page = enter(alice)
    page.goto(f"/t/aamu/c/{calling.connection.id}/")
    page.get_by_role("link", name="Try a request").click()
    page.get_by_role("link", name="Create a thing").click()
    page.get_by_label("mode").select_option("final")
    page.get_by_role("button", name="Show what will be sent").click()
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("queued")
    calling.work_off()
    expect(page.get_by_role("heading", level=1)).to_contain_text("answered")
    expect(page.locator("#said")).to_contain_text("Carried out.")
    assert len(calling.ledger.things) == 1


def test_everything_works_without_scripts(
    enter: Callable[..., Page],  # noqa: F811
    alice: Any,
    calling: Calling,
) -> None:
    calling.ledger.fates = [cut_before]
    page = enter(alice, javascript=False)
    page.goto(f"/t/aamu/c/{calling.connection.id}/try/things.create/fill/")
    page.get_by_role("button", name="Show what will be sent").click()
    page.get_by_role("button", name="Change it").click()
    page.get_by_role("button", name="Show what will be sent").click()
    page.get_by_role("button", name="Send it").click()
    calling.work_off()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("We look whether it was carried out")).to_be_visible()
    call = type(calling.ask("things.find")).objects.get(is_write=True)
    calling.look_to_the_end(call)
    page.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name="It was not carried out").click()
    page.get_by_role("button", name="Send it again").click()
    calling.work_off()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("Carried out.")).to_be_visible()
    assert calling.ledger.writes() == 2
