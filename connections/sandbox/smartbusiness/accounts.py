"""Who is who in the simulated SmartBusiness: companies with their plan, and users with their rights."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness.errors import ApiError
from connections.sandbox.smartbusiness.sample_data import COMPANIES

AREAS = {
    "contacts": "Contacts",
    "catalog": "Products and services",
    "receivables": "Invoices, offers, order confirmations",
    "configuration": "Configuration",
}
LEVELS = {"none": "No access", "view": "View", "edit": "View and edit"}
EVERYTHING = dict.fromkeys(AREAS, "edit")
# What each plan lacks; the names are invented, that a plan can lack the API or a document kind is documented.
PLANS = {"full": (), "basic": ("offers", "order_confirmations"), "free": ("api", "offers", "order_confirmations")}
PLAN_NAMES = {
    "full": "Full",
    "basic": "Basic (without offers and order confirmations)",
    "free": "Free (without the API)",
}
LIMITS = {4001: "Hard limit reached", 4002: "Soft limit reached", 4003: "Total limit reached"}
REPORTED_LIMIT = 50

_ADDRESS = {"company_country": "CH", "company_street": "Erfundene Gasse", "company_street2": None}
# Invented, the owner first; the first one's id is the company's id, as the API tells owner and profile.
PROFILES: dict[int, dict[str, Any]] = {
    COMPANIES[0]: {
        "name": "Nina",
        "surname": "Erfunden",
        "email": "nina@alpwerk.example",
        "language": "de",
        "company_name": "Alpwerk Muster AG",
        "company_addition": None,
        **_ADDRESS,
        "company_street_no": "1",
        "company_postcode": "0001",
        "company_city": "Musterlingen",
        "company_phone": "+41 00 000 00 01",
        "company_fax": None,
        "company_email": "info@alpwerk.example",
        "company_website": "https://alpwerk.example",
        "company_vat_id": "CHE-000.000.001 MWST",
        "company_currency": "CHF",
    },
    COMPANIES[1]: {
        "name": "Loïc",
        "surname": "Imaginaire",
        "email": "loic@lacfictif.example",
        "language": "fr",
        "company_name": "Atelier du Lac Fictif Sàrl",
        "company_addition": "",
        **_ADDRESS,
        "company_street_no": "22b",
        "company_postcode": "0004",
        "company_city": "Fictif-sur-Lac",
        "company_phone": None,
        "company_fax": None,
        "company_email": "bonjour@lacfictif.example",
        "company_website": None,
        "company_vat_id": None,
        "company_currency": "CHF",
    },
}
_COLLEAGUES = (("Urs", "Beispieler"), ("Chiara", "Finzione"))


class Refused(ValueError):
    """A form or control request that cannot be followed: the field, and a sentence for the person."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Accounts:
    """Reads and changes companies and users."""

    def __init__(self, kit: Kit) -> None:
        self._store = kit.store
        if not self.companies():
            self.create_companies()

    def create_companies(self) -> None:
        """The companies and people of the first day; of both companies' users only the owner may do everything."""
        with self._store.transaction():
            for place, (company, profile) in enumerate(PROFILES.items()):
                self._store.write("INSERT INTO companies (id) VALUES (?)", company)
                self._add(company, company, profile["name"], profile["surname"], EVERYTHING)
                contacts_only = dict.fromkeys(AREAS, "none") | {"contacts": "view"}
                self._add(company + 1, company, *_COLLEAGUES[place], contacts_only)

    def _add(self, number: int, company: int, name: str, surname: str, rights: Mapping[str, str]) -> None:
        sql = "INSERT INTO users (id, company_id, name, surname, rights) VALUES (?, ?, ?, ?, ?)"
        self._store.write(sql, number, company, name, surname, json.dumps(rights))

    def close_down(self) -> None:
        self._store.write("DELETE FROM users")
        self._store.write("DELETE FROM companies")

    def companies(self) -> list[dict[str, Any]]:
        rows = self._store.rows("SELECT * FROM companies ORDER BY id")
        return [{**dict(row), "name": PROFILES[row["id"]]["company_name"]} for row in rows]

    def company(self, company_id: int) -> dict[str, Any] | None:
        return next((company for company in self.companies() if company["id"] == company_id), None)

    def users(self, company_id: int | None = None) -> list[sqlite3.Row]:
        """Of one company or of all, owners before their colleagues."""
        sql = "SELECT * FROM users WHERE ?1 IS NULL OR company_id = ?1 ORDER BY id"
        return self._store.rows(sql, company_id)

    def user(self, user_id: int) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM users WHERE id = ?", user_id)

    @staticmethod
    def rights(user: sqlite3.Row) -> dict[str, str]:
        rights: dict[str, str] = json.loads(user["rights"])
        return rights

    def set_rights(self, user_id: int, rights: Mapping[str, object]) -> None:
        """Change some or all of a user's rights. Raises Refused."""
        user = self.user(user_id)
        if user is None or not (set(rights) <= set(AREAS) and all(level in LEVELS for level in rights.values())):
            raise Refused(field="rights", message="Choose one of the levels offered.")
        merged = json.dumps({**self.rights(user), **rights})
        self._store.write("UPDATE users SET rights = ? WHERE id = ?", merged, user_id)

    def set_plan(self, company_id: int, plan: str, limit: int | None) -> None:
        """Change the plan, and which of its limits is reached. Raises Refused."""
        if plan not in PLANS:
            raise Refused(field="plan", message="Choose one of the plans.")
        if limit is not None and limit not in LIMITS:
            raise Refused(field="limit", message="Choose one of the limits.")
        self._store.write("UPDATE companies SET plan = ?, plan_limit = ? WHERE id = ?", plan, limit, company_id)

    def demand_feature(self, company_id: int, feature: str) -> None:
        """Raises Trouble 403/4000 when the company's plan lacks it."""
        company = self.company(company_id)
        if company is not None and feature in PLANS[company["plan"]]:
            having = [plan for plan, lacking in PLANS.items() if feature not in lacking]
            raise ApiError(403, 4000, "The plan does not include this feature", {"feature": feature, "plans": having})

    def demand_room(self, company_id: int, feature: str) -> None:
        """Raises Trouble 402 when a limit of the company's plan is reached."""
        company = self.company(company_id)
        if company is not None and company["plan_limit"]:
            code = company["plan_limit"]
            raise ApiError(402, code, LIMITS[code], {"feature": feature, "limit": REPORTED_LIMIT})
