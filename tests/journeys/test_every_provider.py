"""Each provider by each of its ways, in a real browser: from nothing to the first sync, and back to disconnected."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import COST, Live, open_mail, sign_in
from tests.journeys.counting import Cost, Counting
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
ACTIVATION = "Procountor activation"
# What each way costs a person in our pages at most: no more than on 29 November 2026, and one for each confirmation that came
# since. It may become less; for more there must be a reason. A way chosen by its mark counts as a field.
MOST = {
    "SmartBusiness own-client": Cost(presses=7, fields=3, pages=7),
    "SmartBusiness consent": Cost(presses=7, fields=0, pages=7),
    "Pentamic client-credentials": Cost(presses=10, fields=6, pages=10),
    "Simutek client-credentials": Cost(presses=8, fields=4, pages=8),
    "Hesabit consent": Cost(presses=8, fields=1, pages=8),
    "Procountor m2m": Cost(presses=10, fields=1, pages=10),  # one is the word that the user is a technical one
    "ProcountorKeyLogin m2m": Cost(presses=11, fields=0, pages=11),
    "Procountor sign-in": Cost(presses=8, fields=1, pages=8),
    f"{ACTIVATION} together": Cost(presses=5, fields=3, pages=5),
    # Open it (from the second on by way of the connections), M2M only, the user, its rights, the company.
    f"{ACTIVATION} each": Cost(presses=6, fields=0, pages=6),
}

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
    ("office", "auth_method", "left"),
    JOURNEYS,
    ids=[f"{office.__name__}-{auth_method}" for office, auth_method, _left in JOURNEYS],
)
def test_from_nothing_to_disconnected(
    live: Live, new_page: Any, office: type[Office], auth_method: str, left: str, record_property: Any
) -> None:
    page, other = new_page(), new_page()
    sign_in(page, live, OWNER)
    customer = Customer(page, live.portal)
    provider = office(other, live.sandbox)
    provider.prepare()
    page.goto(f"{live.portal}/t/aamu/")
    counting = Counting(live.portal).on(page).on(other)
    customer.begin(provider.slug, auth_method)
    assert set(customer.states_shown().values()) == {"open"}

    handed = customer.walk(provider)
    counting.stop()
    record_property(COST, f"{office.__name__} {auth_method}: {counting}")
    assert counting.portal.within(MOST[f"{office.__name__} {auth_method}"]), counting
    assert customer.out_of_sight == [], "needs scrolling"
    expect(page.locator("main")).to_contain_text("You are live")
    page.goto(customer.connection)
    expect(page.locator("#live-status")).to_contain_text(re.compile("Up to date"))
    for name, value in handed.items():
        if "secret" in name:
            assert value not in page.content()
            assert value not in live.logs()

    assert customer.disconnect(live.sign_ins[OWNER]) == left
    page.goto(customer.connection)
    if left == NOT_OFFERED:
        # What nobody has removed there yet opens the books as before, and is said to. Here nobody waits for the proof.
        expect(page.locator("#not-dead")).to_contain_text("still opens your books", timeout=40_000)
        page.click("#to-end")
        page.click("#end")
    proof = "not-proved" if left == NOT_OFFERED else "proved"
    expect(page.locator(f"#proof [data-status={proof}]")).to_be_visible(timeout=40_000)
    expect(page.locator("main")).to_contain_text("destroyed")
    page.click("#to-departure")
    expect(page.get_by_role("heading", level=1)).to_contain_text("has left")
    certificate = page.locator("dl.facts").first
    for words in (OWNER, "Aamu Oy", "Destroyed here", "Number of this certificate"):
        expect(certificate).to_contain_text(words)
    expect(page.locator("#records-left")).to_contain_text("kept, as the owner chose")
    page.goto(customer.connection)
    expect(page.locator("#after-leaving")).to_be_visible()
    assert page.locator("#sync-now").count() == 0


COMPANIES = {"10451": "Aamu Oy", "10452": "Iltarusko Oy", "10453": "Lumikide Oy"}


def test_the_portals_own_activation_link_leads_three_companies_to_live(
    live: Live, new_page: Any, record_property: Any
) -> None:
    """As the provider sends it: nobody registered an address of its own for the way back."""
    page, initiator = new_page(), new_page()
    sign_in(page, live, OWNER)
    vendor = Procountor(new_page(), live.sandbox)
    vendor.prepare()
    page.goto(f"{live.portal}/t/aamu/")
    together = Counting(live.portal).on(page)
    page.locator("a[href*='/connect/procountor/']").first.click()
    page.click("#activation-sandbox")
    page.select_option("#activation-user", "3001")
    for company in COMPANIES:
        page.check(f"#activate-{company}")
    page.click("#approve")
    # A signed-in person says whose they are. Who chose them is somebody else, and must say by mail that Aamu is meant;
    # then the person here sees who asks for what, and decides. Nothing has happened until then.
    page.check("input[name=tenant][value=aamu]")
    page.click("#show-proposal")
    page.click("#ask-consent", timeout=30_000)
    answer_by_mail(initiator, live)
    expect(page.locator("#connect-companies")).to_be_visible(timeout=30_000)
    for box in page.locator("input[name=company]").all():
        box.check()
    page.click("#connect-companies")
    expect(page.locator("main")).to_contain_text("have a key now", timeout=30_000)
    expect(page.get_by_role("link", name="Go on with the checklist")).to_have_count(len(COMPANIES), timeout=30_000)
    together.stop()
    record_property(COST, f"{ACTIVATION}, all companies together: {together}")
    assert together.portal.within(MOST[f"{ACTIVATION} together"]), together

    for number, (company, name) in enumerate(COMPANIES.items()):
        counting = Counting(live.portal).on(page)
        if number:
            page.get_by_role("link", name="Connections").first.click()
            card = page.locator("li.connection-card", has_text=name)
            card.get_by_role("link", name="Continue").click()
        else:
            row = page.locator("li.company-row", has_text=company)
            row.get_by_role("link", name="Go on with the checklist").click()
        customer = Customer(page, live.portal)
        customer.walk(vendor)
        assert customer.out_of_sight == [], "needs scrolling"
        expect(page.locator("aside")).not_to_contain_text("not known yet")
        counting.stop()
        record_property(COST, f"{ACTIVATION}, company {company}: {counting}")
        assert counting.portal.within(MOST[f"{ACTIVATION} each"]), counting


def answer_by_mail(initiator: Any, live: Live) -> None:
    """Whoever chose the companies opens the mail, and its link."""
    open_mail(initiator, live, "Are your companies meant to be connected")
    initiator.click(".letter a[href*='/activations/consent/']")
    initiator.click("#confirm-consent")
