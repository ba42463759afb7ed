"""Signing in at a provider, choosing companies and disconnecting, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from connections.transport.models import AuthorizationAttempt
from connections.vault.models import Exemption
from tests.exemptions import allow
from tests.onboarding.conftest import Signer, bound, signer, signing  # noqa: F401  (fixtures)
from tests.pages.test_in_a_browser import (  # noqa: F401  (fixtures)
    SCREENS,
    assert_fits_and_is_accessible,
    browser,
    enter,
    site,
)
from tests.signing import House, parameters
from tests.transport.conftest import hostile, hostile_process  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("committed_db")]


@pytest.fixture
def alices(enter: Callable[..., Page], alice: Any, signing: House) -> Callable[..., Page]:  # noqa: F811
    """Her pages; whatever is asked of the provider by her browser is answered with an empty page."""

    def open_page(width: int = 1280, scheme: str = "light", javascript: bool = True) -> Page:
        page = enter(alice, width, scheme, javascript)
        page.route(f"{signing.server.address}/**", lambda route: route.fulfill(body="<title>There</title>"))
        return page

    return open_page


def stations(page: Page, signer: Signer, signing: House) -> Iterator[str]:  # noqa: F811
    """Every page of the way, one after the other, in every state that has a look of its own."""
    here = f"/t/aamu/c/{signer.connection.id}/"
    page.goto("/t/aamu/connect/procountor/")
    yield "before"
    page.goto(f"{signer.checklist}login/")
    yield "connect"
    page.locator("#connect-code").click()
    yield "departure"
    state = parameters(page.locator("#go-to-provider").get_attribute("href") or "")["state"]
    page.goto("/callback/procountor/?code=c")
    yield "no-state"
    page.goto(f"/callback/procountor/?state={'x' * 43}&code=c")
    yield "void"
    page.goto(f"/callback/procountor/?state={state}&code=c")
    yield "exchanging"
    signer.work_off()
    page.goto(f"{signer.checklist}login/")
    yield "verified"
    page.goto("/callback/procountor/activation/sandbox/?requestId=4711")
    yield "activation-arrived"
    page.locator("#show-proposal").click()
    yield "activation-asked"
    signer.work_off()
    expect(page.locator("#ask-consent")).to_be_visible(timeout=20_000)
    yield "consent-needed"
    page.locator("#ask-consent").click()
    yield "consent-asked"
    asked, link = page.url, re.findall(r"https?://[^/]+(/activations/consent/\S+)", str(mail.outbox[-1].body))[0]
    page.goto(link)
    yield "consent"
    page.locator("#confirm-consent").click()
    yield "consent-given"
    page.goto(link)
    yield "consent-void"
    page.goto(asked)
    expect(page.locator("#connect-companies")).to_be_visible(timeout=20_000)
    yield "activation-shown"
    page.get_by_label("Books 102").check()
    page.locator("#connect-companies").click()
    signer.work_off()
    expect(page.get_by_text("Declined")).to_be_visible(timeout=20_000)
    yield "activation-decided"
    signing.integration_status = 410
    page.goto("/callback/procountor/activation/sandbox/?requestId=4712")
    page.locator("#show-proposal").click()
    signer.work_off()
    expect(page.get_by_text("no longer valid")).to_be_visible(timeout=20_000)
    yield "activation-expired"
    allow(signer.connection, Exemption.PLAIN_HTTP)
    page.goto(here)
    yield "connection"
    page.locator("#to-disconnect").click()
    yield "disconnect"
    page.locator("#disconnect").click()
    yield "leaving"
    signer.work_off()
    expect(page.locator("#leaving")).to_contain_text("Revoked", timeout=20_000)
    yield "left"
    page.goto(signer.checklist)
    yield "left-checklist"


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_station_fits_and_is_accessible(
    width: int,
    scheme: str,
    alices: Callable[..., Page],
    bound: Signer,  # noqa: F811
    signing: House,  # noqa: F811
) -> None:
    page = alices(width, scheme)
    for _station in stations(page, bound, signing):
        page.wait_for_load_state()
        assert_fits_and_is_accessible(page)


def test_one_who_is_not_signed_in_can_read_it_too(enter: Callable[..., Page], signing: House) -> None:  # noqa: F811
    page = enter(None, 390)
    page.goto("/callback/procountor/?state=s&code=c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in first")
    assert_fits_and_is_accessible(page)


def test_the_way_there_and_back_goes_by_itself(
    alices: Callable[..., Page],
    signer: Signer,  # noqa: F811
    signing: House,  # noqa: F811
) -> None:
    page = alices()
    page.goto(signer.checklist)
    page.get_by_role("button", name="Connect at Procountor").click()
    link = page.locator("#go-to-provider")
    expect(page.get_by_text(f"127.0.0.1:{signing.server.port}").first).to_be_visible(timeout=20_000)
    state = parameters(link.get_attribute("href") or "")["state"]
    link.click()
    expect(page).to_have_title("There")
    page.goto(f"/callback/procountor/?state={state}&code=code-canary")
    assert "state=" not in page.url
    assert "code-canary" not in page.url
    expect(page.locator("#exchanging")).to_be_visible(timeout=20_000)
    signer.work_off()
    expect(page.locator("#step-login .mark")).to_have_text("Verified", timeout=20_000)
    expect(page.locator("#exchanging")).to_be_hidden()
    page.go_back()
    assert AuthorizationAttempt.objects.filter(state="exchanged").count() == 1


def test_without_javascript_it_goes_the_same_way(
    alices: Callable[..., Page],
    signer: Signer,  # noqa: F811
    signing: House,  # noqa: F811
) -> None:
    page = alices(javascript=False)
    page.goto(f"{signer.checklist}login/")
    page.locator("#connect-code").click()
    state = parameters(page.locator("#go-to-provider").get_attribute("href") or "")["state"]
    page.goto(f"/callback/procountor/?state={state}&error=access_denied")
    signer.work_off()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("declined at the provider")).to_be_visible(timeout=20_000)
    expect(page.locator("#connect-code")).to_have_text("Connect at Procountor again")
