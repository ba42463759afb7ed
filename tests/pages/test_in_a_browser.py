"""The pages in a real browser: accessible, nothing wider than the screen, no violation of the policy, answers by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection as database
from django.db import connections as databases
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from connections.providers import registry
from connections.vault.models import Connection
from tests.browser import NoBrowser, launch_options
from tests.onboarding.test_checklist_pages import BY_HAND, Visitor
from tests.roles import ROLES

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("committed_db")]

SCREENS = [(1280, "light"), (390, "dark")]  # each width and each scheme once


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test asserts what it wants to know."""


def as_web(application: Callable[..., Any]) -> Callable[..., Any]:
    """Every thread that answers a request is the web role, whatever the test does meanwhile."""

    def answer(environ: Any, start_response: Any) -> Any:
        with database.cursor() as cursor:
            cursor.execute(f"SET ROLE {ROLES['web']}")
        try:
            return application(environ, start_response)
        finally:
            databases.close_all()

    return answer


@pytest.fixture(scope="module", autouse=True)
def browser() -> Iterator[Browser]:
    """A Chromium. Playwright's loop runs in this thread, which Django would mistake for asynchronous code."""
    try:
        options = launch_options()
    except NoBrowser as missing:
        pytest.fail(str(missing))
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(**options)
        yield chromium
        chromium.close()


@pytest.fixture
def site(committed_db: None) -> Iterator[str]:
    """The portal on a port of its own."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(StaticFilesHandler(as_web(get_wsgi_application())))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def enter(browser: Browser, site: str, sign_in: Callable[..., Any]) -> Iterator[Callable[..., Page]]:
    """`enter(alice, width, scheme)` gives a page with her session that fails the test on anything it complains about."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(user: Any = None, width: int = 1280, scheme: Any = "light", javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=javascript,
        )
        contexts.append(context)
        if user is not None:
            cookie = sign_in(user).cookies["session"].value
            context.add_cookies([{"name": "session", "value": cookie, "url": site}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [said for said in complaints if "status of 40" not in said] == []


def assert_fits_and_is_accessible(page: Page) -> None:
    excess = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert excess <= 0, f"{page.url} is {excess} px too wide"
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in found] == [], page.url


@pytest.fixture
def everywhere(
    sign_in: Callable[..., Any], alice: Any, sandbox: Any, work_off: Callable[..., int]
) -> dict[str, Visitor]:
    """Three connections: one just begun, one live, one with a revoked key."""
    fresh, live, broken = (Visitor(sign_in(alice), work_off) for _ in range(3))
    for visitor in (live, broken):
        made = sandbox.setup_company()
        for checkpoint in BY_HAND:
            visitor.press(checkpoint, "attest")
        visitor.press("api-key", "fields", api_key=made["api_key"])
        work_off()
        visitor.press("company", "confirm")
        work_off()
    sandbox.revoke(made["api_key"])
    broken.press("api-key", "check")
    work_off()
    return {"fresh": fresh, "live": live, "broken": broken}


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_page_fits_and_is_accessible(
    width: int, scheme: str, enter: Callable[..., Page], alice: Any, everywhere: dict[str, Visitor]
) -> None:
    live = everywhere["live"].connection
    run = Connection.objects.get(id=live.strip("/").split("/")[-1]).runs.get()
    outside = enter(None, width, scheme)
    for address in ("/account/login/", "/account/password/reset/", "/demo/mail/", "/invitations/nothing/"):
        outside.goto(address)
        assert_fits_and_is_accessible(outside)
    page = enter(alice, width, scheme)
    for address in (
        "/t/aamu/",
        "/t/aamu/connect/procountor/",
        everywhere["fresh"].checklist,
        f"{everywhere['fresh'].checklist}api-key/",
        everywhere["live"].checklist,
        f"{everywhere['live'].checklist}rights/",
        f"{everywhere['live'].checklist}m2m-only/",
        everywhere["broken"].checklist,
        live,
        everywhere["broken"].connection,
        f"{live}runs/{run.id}/",
        f"{live}schedule/",
        f"{live}pause/",
        "/t/aamu/settings/",
        "/t/aamu/team/",
        "/companies/",
        "/you/",
        "/account/password/change/",
        "/account/2fa/",
        "/account/email/",
        "/account/sessions/",
        "/account/logout/",
        "/account/reauthenticate/",
        "/no/such/page/",
    ):
        page.goto(address)
        assert_fits_and_is_accessible(page)


def test_a_check_is_answered_on_the_page_by_itself(
    enter: Callable[..., Page], alice: Any, sandbox: Any, sign_in: Callable[..., Any], work_off: Callable[..., int]
) -> None:
    visitor = Visitor(sign_in(alice), work_off)
    made = sandbox.setup_company()
    page = enter(alice)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "checklist-poll" in request.url else None)
    page.goto(f"{visitor.checklist}api-key/")
    page.get_by_label("API key", exact=True).fill(made["api_key"])
    page.get_by_role("button", name="Store and check").click()
    opened = page.locator("#step-api-key")
    expect(opened.get_by_text("The answer appears here by itself.")).to_be_visible()
    expect(page.locator("#step-api-key .mark")).to_have_text("Checking")
    work_off()
    expect(page.locator("#step-api-key .mark")).to_have_text("Verified")
    expect(opened.get_by_text("Procountor gave us a session")).to_be_visible()
    expect(page.locator("#step-company .mark")).to_have_text("Unconfirmed")
    expect(page.locator("#said")).to_contain_text("Create the API key")
    assert asked
    page.wait_for_timeout(1600)
    settled = len(asked)
    page.wait_for_timeout(1600)
    assert len(asked) == settled, "the page still asks although nothing is under way"


def test_a_run_is_watched_and_can_be_left(
    enter: Callable[..., Page], alice: Any, connected: Any, work_off: Callable[..., int]
) -> None:
    page = enter(alice)
    page.goto(f"/t/aamu/c/{connected.id}/")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("queued")
    work_off()
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")
    expect(page.locator("#said")).to_contain_text("The run has ended")
    assert page.locator("progress.done").count() == len(registry.all_providers()["procountor"].streams)


def test_an_id_is_copied_with_one_press(
    enter: Callable[..., Page], alice: Any, sandbox: Any, sign_in: Callable[..., Any], work_off: Callable[..., int]
) -> None:
    visitor = Visitor(sign_in(alice), work_off)
    page = enter(alice)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{visitor.checklist}api-key/")
    button = page.locator("#step-api-key .copyable-big button")
    expect(button).to_have_accessible_name("Copy our client id")
    button.click()
    expect(button).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == sandbox.client["client_id"]


def test_planted_markup_of_the_provider_does_nothing(enter: Callable[..., Page], alice: Any, connected: Any) -> None:
    planted = "<img src=x onerror=\"document.title='taken'\"><b hx-get='/planted' hx-trigger='load'>b</b>"
    Connection.objects.update(company_name=planted)
    page = enter(alice)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in ("/t/aamu/", f"/t/aamu/c/{connected.id}/"):
        page.goto(address)
        page.wait_for_timeout(300)
        assert page.title() != "taken"
        expect(page.get_by_text("hx-trigger='load'").first).to_be_visible()
    assert not [url for url in asked if "planted" in url or url.endswith("/x")]


def test_without_javascript_nothing_that_needs_it_is_offered(
    enter: Callable[..., Page], alice: Any, sandbox: Any, sign_in: Callable[..., Any], work_off: Callable[..., int]
) -> None:
    visitor = Visitor(sign_in(alice), work_off)
    made = sandbox.setup_company()
    page = enter(alice, javascript=False)
    page.goto(f"{visitor.checklist}api-key/")
    expect(page.get_by_role("button", name="Copy our client id").first).to_be_hidden()
    page.get_by_label("API key", exact=True).fill(made["api_key"])
    page.get_by_role("button", name="Store and check").click()
    work_off()
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#step-api-key .mark")).to_have_text("Verified")
    page.get_by_text("Alice Aalto").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_page_that_watches_notices_that_its_person_signed_out(
    enter: Callable[..., Page], alice: Any, sandbox: Any, sign_in: Callable[..., Any], work_off: Callable[..., int]
) -> None:
    visitor = Visitor(sign_in(alice), work_off)
    visitor.press("api-key", "fields", api_key=sandbox.setup_company()["api_key"])
    page = enter(alice)
    page.goto(visitor.checklist)
    page.context.clear_cookies()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "/account/login/" in page.url
    assert page.locator("main").count() == 1
