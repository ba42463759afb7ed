"""The staff pages in Chromium: accessible, no wider than the screen, and not one violation of the content policy."""

# ruff: noqa: F811  (pytest's fixtures are arguments with the names of what is imported)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from connections.tenancy.models import Tenant
from portal.certification.chain import link_new_rows
from tests.pages.test_in_a_browser import (  # noqa: F401  (fixtures: one way to open a browser)
    SCREENS,
    browser,
    enter,
    site,
)
from tests.support.conftest import House, log_entry
from tests.support.test_who_may import ADDED_BY_ADMINS, LISTS, of

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("committed_db")]


LONG = {
    "provider_request_id": "0HN80F3-a-long-request-id-of-a-provider-00000001",
    "path_template": "/invoices/{id}/attachments/{attachment}/versions/{version}",
    "fault": "api-key-refused",
    "status": 503,
    "outcome": "troubled",
}


def assert_fits_and_is_accessible(page: Page) -> None:
    excess = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert excess <= 0, f"{page.url} is {excess} px too wide"
    # Without preloading: for a stylesheet that imports another, axe itself would write inline styles, which are blocked.
    violations = Axe().run(page, options={"preload": False}).response["violations"]
    assert [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in violations] == [], page.url


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_staff_page_fits_and_is_accessible(
    house: House, ada: Any, enter: Callable[..., Page], width: int, scheme: str
) -> None:
    for _ in range(5):
        log_entry(house.tenant, house.connection, status=503, outcome="troubled", provider_request_id="asked-often")
    page = enter(ada, width, scheme)
    addresses = [reverse("admin:index"), reverse("admin:search") + "?q=asked-often"]
    link_new_rows()
    addresses += [
        reverse("admin:chain"),
        reverse("admin:certification"),
        reverse("admin:certification_report", args=[house.report.pk]),
    ]
    addresses.append(reverse("admin:dossier", args=[house.entry.pk]))
    addresses += [reverse("admin:connection_timeline", args=[house.connection.id])]
    addresses += [reverse(f"admin:{name}") for name in ("funnels", "visits", "what_breaks_next")]
    for name, what in LISTS.items():
        addresses.append(reverse(f"admin:{name}_changelist"))
        if what:
            addresses.append(reverse(f"admin:{name}_change", args=[of(house, what)]))
        if name in ADDED_BY_ADMINS:
            addresses.append(reverse(f"admin:{name}_add"))
    for address in addresses:
        page.goto(address)
        assert_fits_and_is_accessible(page)


def test_djangos_own_scripts_work_under_our_policy(house: House, ada: Any, enter: Callable[..., Page]) -> None:
    page = enter(ada)
    page.goto(reverse("admin:tenancy_tenant_add"))
    page.get_by_label("Name").press_sequentially("Routa Öljy Oy")
    expect(page.get_by_label("Address", exact=False).first).to_have_value("routa-oljy-oy")
    page.goto(reverse("admin:tenancy_tenant_changelist"))
    page.locator("#action-toggle").check()
    expect(page.locator(".action-counter").first).to_contain_text("1 of 1 selected")


def test_an_admin_suspends_a_tenant_with_the_mouse(house: House, ada: Any, enter: Callable[..., Page]) -> None:
    page = enter(ada)
    page.goto(reverse("admin:tenancy_tenant_change", args=[house.tenant.id]))
    page.get_by_role("button", name="Suspend …").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Suspend?")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("Aamu Oy is suspended.")).to_be_visible()
    assert Tenant.objects.get().state == "suspended"


def test_support_finds_a_request_by_pasting_its_id(house: House, dana: Any, enter: Callable[..., Page]) -> None:
    page = enter(dana, javascript=False)
    page.goto(reverse("admin:index"))
    page.locator("#find").fill(f" {house.entry.provider_request_id}\n")
    page.locator("#find").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("GET /invoices")
    page.get_by_role("link", name=str(house.run.id)).click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    page.get_by_role("link", name="The request", exact=True).click()
    expect(page.get_by_text(house.entry.provider_request_id)).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_every_list_is_read_without_moving_it_sideways(
    house: House, ada: Any, enter: Callable[..., Page], width: int, scheme: str
) -> None:
    """With the long values that there are in practice: whole ids, deep paths, long names."""
    Tenant.objects.update(name="Pohjois-Savon Kirjanpitopalvelut ja Tilintarkastus Oy")
    for _ in range(3):
        log_entry(house.tenant, house.connection, **LONG)
    page = enter(ada, width, scheme)
    for name in LISTS:
        page.goto(reverse(f"admin:{name}_changelist"))
        sideways = page.evaluate(
            """[...document.querySelectorAll(".results, #result_list td, #result_list th")]
            .map(each => each.scrollWidth - each.clientWidth).reduce((a, b) => Math.max(a, b), 0)"""
        )
        assert sideways <= 1, f"{name}: {sideways} px do not fit"
        narrow = page.evaluate(
            """[...document.querySelectorAll("#result_list tbody td:not(.action-checkbox)")]
            .map(each => each.clientWidth).reduce((a, b) => Math.min(a, b), 999)"""
        )
        assert narrow >= 50, f"{name}: a column of {narrow} px"


def test_a_pasted_mail_leads_to_the_requests_row_without_javascript(
    house: House, dana: Any, enter: Callable[..., Page]
) -> None:
    """Presses: find, the row. Nothing but the mail is typed."""
    mail = f"Hello, it stopped: request {house.entry.provider_request_id}, run {house.run.id}, 29 Nov 2026, 20:56."
    page = enter(dana, javascript=False)
    page.goto(reverse("admin:index"))
    page.locator("#find").fill(mail)
    page.locator("#find").press("Enter")  # 1
    expect(page.get_by_text("2 things go by this.")).to_be_visible()
    page.get_by_role("link", name="GET /invoices").click()  # 2
    expect(page.get_by_text(house.entry.provider_request_id)).to_be_visible()


def test_several_lines_pasted_into_the_box_stay_apart(house: House, dana: Any, enter: Callable[..., Page]) -> None:
    """A box of one line: the browser makes blanks of line breaks."""
    page = enter(dana)
    page.goto(reverse("admin:index"))
    page.evaluate(
        """text => {
            const box = document.createElement("textarea");
            document.body.append(box);
            box.value = text;
            box.select();
            document.execCommand("copy");
            box.remove();
        }""",
        f"{house.run.id}\n{house.call.id}",
    )
    page.locator("#find").focus()
    page.keyboard.press("Control+V")
    page.locator("#find").press("Enter")
    expect(page.get_by_text("2 things go by this.")).to_be_visible()
