"""Each provider by each of its ways, in a real browser: from nothing to the first sync, and back to disconnected."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import COST, Live, sign_in
from tests.journeys.counting import Counting
from tests.journeys.offices import (
    Hesabit,
    Office,
    Pentamic,
    Procountor,
    ProcountorKeyLogin,
    Simutek,
    SmartBusiness,
)
from tests.journeys.walking import OWNER, Customer

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

NOTHING, NOT_OFFERED, REVOKED = (
    "There was nothing to revoke",
    "The provider offers no way to revoke it",
    "Revoked at the provider",
)
# What becomes of our access when a connection is left: Procountor alone has a way to end a session.
JOURNEYS: list[tuple[type[Office], str, str]] = [
    (SmartBusiness, "own-client", NOT_OFFERED),
    (SmartBusiness, "consent", NOT_OFFERED),
    (Pentamic, "client-credentials", NOT_OFFERED),
    (Simutek, "client-credentials", NOT_OFFERED),
    (Hesabit, "consent", NOT_OFFERED),
    (Procountor, "m2m", NOT_OFFERED),
    (ProcountorKeyLogin, "m2m", NOT_OFFERED),
    (Procountor, "sign-in", REVOKED),
]


@pytest.mark.parametrize(
    ("office", "way", "left"), JOURNEYS, ids=[f"{office.__name__}-{way}" for office, way, _left in JOURNEYS]
)
def test_from_nothing_to_disconnected(
    live: Live, new_page: Any, office: type[Office], way: str, left: str, record_property: Any
) -> None:
    page, other = new_page(), new_page()
    sign_in(page, live, OWNER)
    customer = Customer(page, live.portal)
    provider = office(other, live.sandbox)
    provider.prepare()
    page.goto(f"{live.portal}/t/aamu/")
    counting = Counting(live.portal).on(page).on(other)
    customer.begin(provider.slug, way)
    assert set(customer.states_shown().values()) == {"open"}

    handed = customer.walk(provider)
    counting.stop()
    record_property(COST, f"{office.__name__} {way}: {counting}")
    expect(page.locator("main")).to_contain_text("You are live")
    page.goto(customer.connection)
    expect(page.locator("#moving")).to_contain_text(re.compile("Up to date"))
    for name, value in handed.items():
        if "secret" in name:
            assert value not in page.content()
            assert value not in live.logs()

    assert customer.disconnect(live.sign_ins[OWNER]) == left
    page.goto(customer.connection)
    expect(page.locator("main")).to_contain_text("destroyed")
    expect(page.locator("#after-leaving")).to_be_visible()
    assert page.locator("#sync-now").count() == 0


def test_an_activation_link_connects_several_companies_at_once(live: Live, new_page: Any) -> None:
    page, other = new_page(), new_page()
    sign_in(page, live, OWNER)
    vendor = Procountor(other, live.sandbox)
    for company in ("10451", "10452"):
        other.goto(f"{vendor.home}/companies/{company}/usage-settings")
        other.check("#usage-allowed")
        other.click("#save-usage-settings")
    vendor.go("/specification")
    other.fill("#specification-callback", f"{live.portal}/callback/procountor/activation/sandbox/")
    other.click("#save-specification")
    link = other.locator("#activation-link").input_value()

    page.goto(urljoin(vendor.home, link))
    page.select_option("#activation-user", "3001")
    for company in ("10451", "10452"):
        page.check(f"#activate-{company}")
    page.click("#approve")
    # A signed-in person says whose they are. Who chose them is somebody else, and must say by mail that Aamu is meant;
    # then the person here sees who asks for what, and decides. Nothing has happened until then.
    page.check("input[name=tenant][value=aamu]")
    page.click("#show-proposal")
    page.click("#ask-consent", timeout=30_000)
    here, initiator = page.url, new_page()
    mailed = initiator.get_by_role("link", name="Are your companies meant to be connected").first
    for _ in range(60):
        initiator.goto(f"{live.portal}/demo/mail/")
        if mailed.is_visible():
            break
        initiator.wait_for_timeout(500)
    mailed.click()
    initiator.click(".letter a[href*='/activations/consent/']")
    initiator.click("#confirm-consent")
    page.goto(here)
    expect(page.locator("#connect-companies")).to_be_visible(timeout=30_000)
    expect(page.locator("main")).to_contain_text("10452")
    for box in page.locator("input[name=company]").all():
        box.check()
    page.click("#connect-companies")
    expect(page.locator("main")).to_contain_text("have a key now", timeout=30_000)
    for link in page.locator("main a[href*='/checklist/']").all()[:2]:
        href = str(link.get_attribute("href"))
        another = new_page()
        sign_in(another, live, OWNER)
        customer = Customer(another, live.portal)
        customer.checklist = urljoin(live.portal, href).split("#")[0]
        customer.open("api-key")
        customer.expect_state("api-key", "verified", seconds=40)
        customer.open("company")
        customer.expect_state("company", "verified", seconds=40)
