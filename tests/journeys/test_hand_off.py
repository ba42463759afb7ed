"""A step is given to somebody without an account: by a mailed link, in a second browser, without a session."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Live, open_mail, sign_in
from tests.journeys.walking import OWNER, Customer

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

KAISA = "kaisa@office.example"


def test_a_step_is_done_by_somebody_without_an_account(live: Live, new_page: Any) -> None:
    page, other = new_page(), new_page()
    sign_in(page, live, OWNER)
    customer = Customer(page, live.portal)
    page.goto(f"{live.portal}/t/aamu/")
    customer.begin()
    customer.open("usage-settings")
    page.click("#handoff summary")
    page.fill("#handoff-email", KAISA)
    page.click("#give-handoff")
    expect(page.locator("#handoff-state")).to_contain_text("Not opened yet")

    open_mail(other, live, "asks you for one step in Procountor")
    other.click(".letter a[href*='/hand-off/open/']")
    expect(other.locator("main")).to_contain_text(OWNER)
    page.reload()
    expect(page.locator("#handoff-state")).to_contain_text("Not opened yet")  # looking uses nothing up
    other.click("#begin")
    page.reload()
    expect(page.locator("#handoff-state")).to_contain_text("Opened")
    assert page.request.get(other.url).status == 404, "it belongs to the browser in which it was begun"
    other.click("#attest")
    expect(other.get_by_role("heading", level=1)).to_have_text("Thank you, that is all")

    customer.open("usage-settings")
    customer.expect_state("usage-settings", "attested")
    expect(page.locator("#handoff")).to_contain_text(f"Given to {KAISA}; done")
    # The set-up goes, so that no other journey meets it.
    page.click("#to-remove")
    page.click("#disconnect")
    page.wait_for_url(f"{live.portal}/t/aamu/**")
