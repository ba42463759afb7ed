"""What people do in a browser, step by step: in the vendor's pages and in ours."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from tests.journeys.offices import Office

OWNER = "aino@aamu.example"
ADMIN = "arvo@pilotage.example"
SUPPORT = "sanna@pilotage.example"
COMPANY, OTHER_COMPANY = "companies/10451", "companies/10452"
# Whether something can be pressed where the page stands, without scrolling.
IS_IN_SIGHT = "e => { const box = e.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; }"


class Vendor:
    """A person with Management rights in the simulated Procountor."""

    def __init__(self, page: Page, simulator: str, company: str = COMPANY) -> None:
        self.page = page
        self.home = f"{simulator}/{company}"

    def allow_usage(self) -> None:
        self.page.goto(f"{self.home}/usage-settings")
        self.page.check("#usage-allowed")
        self.page.click("#save-usage-settings")

    def create_technical_user(self, name: str) -> None:
        self.page.goto(f"{self.home}/users/new")
        self.page.fill("#user-name", name)
        self.page.click("#preset-all-needed")
        self.page.select_option("#m2m-only", "in_use")
        self.page.click("#save-user")
        expect(self.page.get_by_role("link", name=name).last).to_be_visible()

    def create_key(self, user: str, client_id: str) -> str:
        self.page.goto(f"{self.home}/api-keys/new")
        option = self.page.locator("#key-user option", has_text=user).last.get_attribute("value")
        self.page.select_option("#key-user", option)
        self.page.fill("#key-client-id", client_id)
        self.page.click("#create-api-key")
        return self.page.locator("#api-key").input_value()

    def revoke_newest_key(self) -> None:
        self.page.goto(f"{self.home}/api-keys")
        self.page.locator("button[id^=revoke-api-key-]").first.click()
        expect(self.page.locator("body")).to_contain_text("Revoked")


class Customer:
    """The owner of Aamu Oy in the portal."""

    def __init__(self, page: Page, portal: str) -> None:
        self.page = page
        self.portal = portal
        self.checklist = ""
        self.out_of_sight: list[str] = []  # what had to be scrolled to

    def begin(self, provider: str = "procountor", auth_method: str = "m2m") -> None:
        """From the tenant's home, which is open, to the first checkpoint."""
        self.page.locator(f"a[href*='/connect/{provider}/']").first.click()
        choice = self.page.locator(f"input[type=radio][name=auth_method][value='{auth_method}']")
        if choice.count():
            choice.check()
        self.page.click("main form button[type=submit]")
        self.page.wait_for_url(re.compile("/checklist/"))
        self.checklist = self.page.url.split("#")[0].split("?")[0]

    @property
    def connection(self) -> str:
        return self.checklist.replace("checklist/", "")

    def walk(self, office: Office, seconds: float = 150) -> dict[str, str]:
        """From the first open checkpoint to live, by what the pages show and nothing else. Gives what was handed out."""
        handed: dict[str, str] = {}
        given: set[str] = set()
        until = time.monotonic() + seconds
        while "You are live" not in self.page.inner_text("main"):
            assert time.monotonic() < until, self.page.inner_text("main")
            if self.page.locator("#progress[hx-get]").count():
                self.page.wait_for_timeout(100)
                continue
            step = self.page.locator("li.step-open")
            slug = str(step.get_attribute("id")).removeprefix("step-")
            fields, connects = step.locator("#give-fields"), step.locator("button[id^=connect-]")
            if fields.count() and slug not in given and not handed:
                handed = office.make(self)
            if fields.count() and slug not in given and not (connects.count() and not handed):
                given.add(slug)
                self.fill({"company_name": "Aamu Oy", **handed})
                self.press(self.page.locator("#give-fields"))
            elif connects.count() and slug not in given:
                given.add(slug)
                self.press(connects.first)
                self.press(self.page.locator("#go-to-provider"))
                office.consent(self.page)
                self.page.wait_for_url(re.compile("/checklist/"))
            elif step.locator("#confirm").count():
                if slug == "certificate":
                    self.compare(handed)
                self.press(self.page.locator("#confirm"))
            elif step.locator("#attest.btn-go").count():
                self.press(self.page.locator("#attest"))
            else:
                self.press(step.locator(".buttons .btn-go").last)
        return handed

    def press(self, button: Locator) -> None:
        """And wait for the next page: read too early, the one before would be taken for it and be filled in again."""
        if not button.evaluate(IS_IN_SIGHT):
            self.out_of_sight.append(f"{button.inner_text().strip()} at {self.page.url}")
        with self.page.expect_navigation():
            button.click()

    def fill(self, values: Mapping[str, str]) -> None:
        for field in self.page.locator("main form[autocomplete=off] input:not([type=hidden])").all():
            name = str(field.get_attribute("name"))
            if values.get(name):
                field.fill(values[name])

    def disconnect(self, password: str) -> str:
        """For good; what became of our access at the provider. Asked for after five minutes: the password once more."""
        self.page.goto(self.connection)
        self.page.click("#to-disconnect")
        self.page.click("#disconnect")
        if "/reauthenticate/" in self.page.url:
            self.page.fill("input[name=password]", password)
            self.page.locator("form[action$='/reauthenticate/'] button[type=submit]").click()
            self.page.click("#disconnect")
        # Secrets are destroyed by a worker, and the page shows by itself what came of it.
        expect(self.page.locator("#leaving")).not_to_have_text("Being revoked", timeout=40_000)
        return self.page.locator("#leaving").inner_text()

    def compare(self, handed: Mapping[str, str]) -> None:
        """Whoever is on the telephone reads the fingerprints out."""
        for name, value in handed.items():
            if name.startswith("fingerprint"):
                expect(self.page.locator("#step-certificate")).to_contain_text(value)

    def open(self, checkpoint: str) -> None:
        self.page.goto(f"{self.checklist}{checkpoint}/")

    def attest(self, checkpoint: str) -> None:
        self.open(checkpoint)
        self.page.click("#attest")
        self.expect_state(checkpoint, "attested")

    def client_id(self) -> str:
        return self.page.locator("aside code").first.inner_text()

    def paste_key(self, key: str) -> None:
        self.open("api-key")
        self.page.fill("input[name=api_key]", key)
        self.page.click("#give-fields")

    def confirm(self, checkpoint: str) -> None:
        self.open(checkpoint)
        self.page.click("#confirm")

    def state(self, checkpoint: str) -> str:
        return self.page.locator(f"#step-{checkpoint} .step-row .mark").get_attribute("data-status") or ""

    def states(self) -> dict[str, str]:
        self.page.goto(self.checklist)
        return self.states_shown()

    def states_shown(self) -> dict[str, str]:
        slugs = [element.get_attribute("id") for element in self.page.locator("li.step").all()]
        return {str(slug).removeprefix("step-"): self.state(str(slug).removeprefix("step-")) for slug in slugs}

    def expect_state(self, checkpoint: str, state: str, seconds: float = 20) -> None:
        """Wait, without reloading the page: htmx brings the finding."""
        expect(self.page.locator(f"#step-{checkpoint} .step-row .mark")).to_have_attribute(
            "data-status", state, timeout=seconds * 1000
        )
