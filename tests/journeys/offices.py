"""What people do in the providers' own pages: register clients, read what they are handed, consent, take back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from playwright.sync_api import Page

if TYPE_CHECKING:
    from tests.journeys.walking import Customer


class Office:
    """A person at one provider, in its simulator's pages."""

    slug = ""

    def __init__(self, page: Page, sandbox: str) -> None:
        self.page = page
        self.sandbox = sandbox
        self.home = f"{sandbox}/{self.slug}"

    def go(self, path: str) -> None:
        self.page.goto(f"{self.home}{path}")

    def told(self, *idents: str) -> dict[str, str]:
        """What the page shows at these ids."""
        return {ident: self._text(ident) for ident in idents}

    def _text(self, ident: str) -> str:
        place = self.page.locator(f"#{ident}")
        is_field = place.evaluate("element => 'value' in element && element.tagName !== 'LI'")
        return (place.input_value() if is_field else place.inner_text()).strip()

    def few(self, stream: str, count: int) -> None:
        """So many records, so that a first sync is quick; the rest of the journey goes through pages."""
        body = json.dumps({"stream": stream, "count": count}).encode()
        order = Request(f"{self.home}/control/records", body, {"Content-Type": "application/json"})
        with urlopen(order, timeout=30) as answer:
            assert answer.status == 200

    def prepare(self) -> None:
        """What must be so before anything is connected."""

    def make(self, customer: Customer) -> dict[str, str]:
        """Everything that the portal asks for. Gives what is typed there, by field; empty where one signs in instead."""
        return {}

    def consent(self, page: Page) -> None:
        """On the provider's login page, in the customer's own browser."""
        raise NotImplementedError


class SmartBusiness(Office):
    slug = "smartbusiness"
    company = "companies/418000101"

    def make(self, customer: Customer) -> dict[str, str]:
        self.go(f"/{self.company}/api")
        self.page.click("#new-client")
        self.page.fill("#client-name", "Pilotage")
        self.page.check("#grant-own")
        for scope in ("profile", "contact", "catalog", "invoice", "offer", "order_confirmation", "configuration"):
            self.page.check(f"#scope-{scope}")
        self.page.click("#register-client")
        found = self.told("client-id", "client-secret")
        return {"client_id": found["client-id"], "client_secret": found["client-secret"]}

    def consent(self, page: Page) -> None:
        page.select_option("#consent-user", "418000101")
        page.click("#approve-consent")


class Pentamic(Office):
    slug = "pentamic"

    def prepare(self) -> None:
        self.few("customers", 40)

    def make(self, customer: Customer) -> dict[str, str]:
        self.go("/clients/new")
        self.page.select_option("#client-company", "501")
        self.page.fill("#client-name", "Pilotage")
        self.page.check("#client-scope-pa-api")
        self.page.click("#create-client")
        handed = self.told(
            "api-url", "auth-url", "client-id", "client-secret", "scope", "fingerprint-api", "fingerprint-identity"
        )
        return {name.replace("-", "_"): value for name, value in handed.items()}


class Simutek(Office):
    slug = "simutek"

    def make(self, customer: Customer) -> dict[str, str]:
        self.go("/clients")
        self.page.fill("#client-name", "Pilotage")
        self.page.check("#resource-customers")
        self.page.check("#resource-salesorders")
        self.page.click("#register-client")
        handed = self.told("client-id", "client-secret", "api-host")
        return {
            "api_url": handed["api-host"],
            "client_id": handed["client-id"],
            "client_secret": handed["client-secret"],
        }


class Hesabit(Office):
    slug = "hesabit"
    shop = "1"

    def prepare(self) -> None:
        self.few("customers", 130)

    def consent(self, page: Page) -> None:
        option = page.locator("#consent-shop option").nth(1).get_attribute("value")
        page.select_option("#consent-shop", option)
        page.click("#approve-consent")


class Procountor(Office):
    slug = "procountor"
    company = "companies/10451"
    person = "3001"
    user = "Aamu Oy Pilotage API"
    pastes = True

    def prepare(self) -> None:
        for stream in ("invoices", "partners", "products", "ledger_receipts", "payments"):
            self.few(stream, 210)
        self.go(f"/{self.company}/usage-settings")
        self.page.check("#usage-allowed")
        self.page.click("#save-usage-settings")

    def make(self, customer: Customer) -> dict[str, str]:
        self.go(f"/{self.company}/users/new")
        self.page.fill("#user-name", self.user)
        self.page.click("#preset-all-needed")
        self.page.select_option("#m2m-only", "in_use")
        self.page.click("#save-user")
        if not self.pastes:
            return {}
        self.go(f"/{self.company}/api-keys/new")
        self.page.select_option("#key-user", self._option("#key-user"))
        self.page.fill("#key-client-id", customer.client_id())
        self.page.click("#create-api-key")
        return {"api_key": self.page.locator("#api-key").input_value()}

    def _option(self, field: str, page: Page | None = None) -> str:
        options = (page or self.page).locator(f"{field} option", has_text=self.user)
        return str(options.last.get_attribute("value"))

    def consent(self, page: Page) -> None:
        page.select_option("#login-user", self.person)
        if page.locator("#login-key-user").count():
            page.select_option("#login-key-user", self._option("#login-key-user", page))
        page.click("#approve")


class ProcountorKeyLogin(Procountor):
    """The key is made by signing in instead of pasting it."""

    pastes = False
