"""One customer connects Procountor: sign-in to first sync, a revoked key, a new one; in a real browser, with real workers."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Live, open_mail, sign_in
from tests.journeys.walking import ADMIN, OTHER_COMPANY, OWNER, Customer, Vendor

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

CONNECTED = {
    "usage-settings": "inferred",
    "technical-user": "verified",
    "rights": "verified",
    "m2m-only": "attested",
    "api-key": "verified",
    "company": "verified",
    "first-sync": "verified",
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What one part of the journey leaves for the next."""
    return {}


def test_from_sign_in_to_the_first_sync(live: Live, new_page: Any, told: dict[str, Any]) -> None:
    page, office = new_page(), new_page()
    sign_in(page, live, OWNER)
    customer, vendor = Customer(page, live.portal), Vendor(office, live.simulator)
    page.goto(f"{live.portal}/t/aamu/")
    customer.begin()
    assert set(customer.states().values()) == {"open"}

    vendor.allow_usage()
    customer.attest("usage-settings")
    vendor.create_technical_user("Aamu Oy Pilotage API")
    customer.attest("technical-user")
    customer.attest("rights")
    customer.attest("m2m-only")

    customer.open("api-key")
    key = vendor.create_key("Aamu Oy Pilotage API", customer.client_id())
    customer.paste_key(key)
    customer.expect_state("api-key", "verified")
    assert key not in page.content()
    customer.open("technical-user")
    customer.expect_state("technical-user", "unconfirmed")
    expect(page.locator("#step-technical-user")).to_contain_text("Aamu Oy Pilotage API")
    customer.confirm("technical-user")
    customer.open("company")
    customer.expect_state("company", "unconfirmed")
    expect(page.locator("#step-company")).to_contain_text("Aamu Oy")
    customer.confirm("company")

    customer.open("first-sync")
    customer.expect_state("first-sync", "verified", seconds=90)
    assert customer.states() == CONNECTED
    expect(page.locator("main")).to_contain_text("You are live")

    page.goto(customer.checklist.replace("checklist/", ""))
    expect(page.locator("#live-status")).to_contain_text("1,290")
    page.locator("a[href*='/runs/']").first.click()
    expect(page.locator("main")).to_contain_text(re.compile("succeeded", re.IGNORECASE))
    told |= {"customer": customer.checklist, "run": page.url, "key": key, "shown": page.inner_text("main")}
    assert key not in live.logs()


def test_staff_find_the_run_and_a_request(live: Live, new_page: Any, told: dict[str, Any]) -> None:
    entry = page_entry(told)
    page = new_page()
    sign_in(page, live, ADMIN)
    run_id = told["run"].rstrip("/").rsplit("/", 1)[-1]
    page.goto(f"{live.portal}/admin/")
    for wanted in (run_id, entry):
        page.goto(f"{live.portal}/admin/")
        page.fill("input[name=q]", wanted)
        page.keyboard.press("Enter")
        page.wait_for_load_state()
        expect(page.locator("body")).to_contain_text(wanted)
        assert told["key"] not in page.content()


def page_entry(told: dict[str, Any]) -> str:
    """An entry id as the customer's run page shows it."""
    found = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", told["shown"])
    assert found, told["shown"]
    return found[0]


def test_a_revoked_key_fails_one_checkpoint_and_a_new_one_mends_it(
    live: Live, new_page: Any, told: dict[str, Any]
) -> None:
    page, office = new_page(), new_page()
    sign_in(page, live, OWNER)
    customer, vendor = Customer(page, live.portal), Vendor(office, live.simulator)
    customer.checklist = told["customer"]
    connection = customer.checklist.replace("checklist/", "")

    vendor.revoke_newest_key()
    page.goto(connection)
    page.click("#sync-now")
    deadline = time.monotonic() + 60
    while customer.states()["api-key"] != "failing":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert customer.states() == CONNECTED | {"api-key": "failing"}
    expect(page.locator("#step-api-key")).to_contain_text("no longer accepts the API key")
    page.goto(f"{live.portal}/t/aamu/")
    expect(page.locator("main")).to_contain_text("API key")

    # Whoever connected it is told by mail, and its link leads to the very checkpoint.
    open_mail(page, live, "Procountor of Aamu Oy needs you")
    page.click(f".letter a[href$='{urlsplit(customer.checklist).path}api-key/']")
    expect(page.locator("li.step-open")).to_have_attribute("id", "step-api-key")
    expect(page.locator("li.step-open")).to_contain_text("Failing since")

    # The key of another company is refused, and both are named.
    other = Vendor(office, live.simulator, OTHER_COMPANY)
    other.allow_usage()
    other.create_technical_user("Iltarusko Oy Pilotage API")
    customer.paste_key(other.create_key("Iltarusko Oy Pilotage API", customer.client_id()))
    wrong = page.locator("#step-api-key .finding-failing", has_text="Iltarusko Oy")
    expect(wrong).to_contain_text("Aamu Oy", timeout=30_000)
    page.goto(connection)
    assert page.locator("#sync-now").count() == 0, "nothing is read of another company"

    customer.open("api-key")
    key = vendor.create_key("Aamu Oy Pilotage API", customer.client_id())
    customer.paste_key(key)
    customer.expect_state("api-key", "verified")
    deadline = time.monotonic() + 60
    while "4,860" not in _text(page, connection) or "Up to date" not in page.inner_text("main"):
        assert time.monotonic() < deadline, page.inner_text("main")
        time.sleep(0.5)
    assert customer.states() == CONNECTED
    page.goto(connection)
    assert page.locator("a[href*='/runs/']").count() >= 3  # the first run, the refused one, the mended one
    page.goto(told["run"])
    expect(page.locator("main")).to_contain_text(re.compile("succeeded", re.IGNORECASE))


def _text(page: Any, url: str) -> str:
    page.goto(url)
    text: str = page.inner_text("main")
    return text
