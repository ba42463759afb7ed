"""Automated activation: the vendor's integration specification, the link a customer opens, and the answer to it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import rights
from connections.sandbox.procountor.accounts import FIRST_CLIENT, VENDOR, Accounts, Refused
from connections.sandbox.procountor.authorization import NoWayBack, consent_page

FIRST_SPECIFICATION = 4001
EXPIRY_SECONDS = 86_400  # a request expires; when, nobody says
REASON_LIMIT_CHARACTERS = 255
WORDS = ("description", "privacy_policy", "terms", "support", "callback")


@dataclass(frozen=True)
class Activations:
    """Reads and changes what activation keeps."""

    kit: Kit
    accounts: Accounts

    def prepare(self) -> None:
        """Our client's specification; it has no callback of its own, so it follows the client's redirect address."""
        sql = """INSERT OR IGNORE INTO specifications
            (id, client_id, description, privacy_policy, terms, support, callback) VALUES (?, ?, ?, ?, ?, ?, '')"""
        texts = ("Reads invoices and partners into the customer portal.", "https://portal.example/privacy")
        values = (*texts, "https://portal.example/terms", "https://portal.example/support")
        self.kit.store.write(sql, FIRST_SPECIFICATION, FIRST_CLIENT, *values)

    def reset(self) -> None:
        for emptied in ("DELETE FROM activations", "DELETE FROM activated", "DELETE FROM specifications"):
            self.kit.store.write(emptied)
        self.prepare()

    def specification(self, ident: object) -> sqlite3.Row | None:
        sql = """SELECT specifications.*, clients.name, clients.redirect_uri FROM specifications
            JOIN clients ON clients.id = client_id WHERE specifications.id = ?"""
        return self.kit.store.row(sql, ident)

    def specify(self, form: Mapping[str, str]) -> None:
        """Save the first client's specification. Raises Refused."""
        for name in WORDS[:-1]:
            if not form.get(name):
                raise Refused(field=name, message="This is needed before customers can activate.")
        callback = form.get("callback", "")
        if callback and not callback.startswith(("http://", "https://")):
            raise Refused(field="callback", message="Give an address with http:// or https://, or nothing.")
        sql = """UPDATE specifications SET description = ?, privacy_policy = ?, terms = ?, support = ?, callback = ?
            WHERE id = ?"""
        self.kit.store.write(sql, *(form.get(name, "") for name in WORDS), FIRST_SPECIFICATION)

    def companies(self) -> list[sqlite3.Row]:
        return [company for company in self.accounts.companies() if company["id"] != VENDOR[0]]

    # -- the customer ----------------------------------------------------------------------------------------------

    def begin(self, specification: sqlite3.Row, *, user_id: int, companies: Mapping[int, str]) -> str:
        """A person wants these companies (id to extra information); where the browser goes. Raises Refused."""
        person = next(
            (u for c in self.companies() for u in self.accounts.users(c["id"]) if u["id"] == user_id and u["person"]),
            None,
        )
        if person is None:
            raise Refused(field="user", message="Choose who signs in.")
        if not companies or not set(companies) <= {company["id"] for company in self.companies()}:
            raise Refused(field="companies", message="Choose at least one company.")
        ident = secrets.token_hex(16)
        email = f"{person['name'].lower().replace(' ', '.')}@example.com"
        chosen = json.dumps([{"companyId": company, "extraInfo": extra} for company, extra in companies.items()])
        sql = """INSERT INTO activations (id, specification_id, email, full_name, companies, expires_at)
            VALUES (?, ?, ?, ?, ?, ?)"""
        expires = self.kit.clock.now() + EXPIRY_SECONDS
        self.kit.store.write(sql, ident, specification["id"], email, person["name"], chosen, expires)
        return self.back(specification, {self.kit.switches["activation_id"]: ident})

    def back(self, specification: sqlite3.Row, answer: Mapping[str, str]) -> str:
        return f"{specification['callback'] or specification['redirect_uri']}?{urlencode(answer)}"

    # -- the vendor ------------------------------------------------------------------------------------------------

    def request(self, ident: str) -> sqlite3.Row | None:
        sql = """SELECT activations.*, client_id FROM activations
            JOIN specifications ON specifications.id = specification_id WHERE activations.id = ?"""
        return self.kit.store.row(sql, ident)

    def expired(self, row: sqlite3.Row) -> bool:
        answered = row["answered"] is not None and self.kit.switches["activation_again"] == "410"
        return answered or self.kit.clock.now() >= row["expires_at"]

    def approve(self, row: sqlite3.Row, approved: list[int]) -> dict[str, Any]:
        """Make what each approved company needs; the body of the answer. What was answered once stays so."""
        if row["answered"] is not None:
            answered: dict[str, Any] = json.loads(row["answered"])
            return answered
        with self.kit.store.transaction():
            keys = [{"companyId": c, "apiKey": self._activate(c, row["client_id"])} for c in approved]
            answer = {"companiesIntegrated": keys}
            sql = "UPDATE activations SET answered = ? WHERE id = ?"
            self.kit.store.write(sql, json.dumps(answer), row["id"])
        return answer

    def _activate(self, company_id: int, client_id: str) -> str:
        """The key of this client's technical user: the existing one as long as it is good, else a new one."""
        if self.kit.switches.on("activation_allows_usage"):
            self.accounts.allow_usage(company_id, True)
        sql = "SELECT api_key FROM activated WHERE company_id = ? AND client_id = ?"
        if existing := self.kit.store.row(sql, company_id, client_id):
            key = self.accounts.key(existing["api_key"])
            if key and key["revoked_at"] is None and self.accounts.user(company_id, key["user_id"]):
                return str(existing["api_key"])
        company, client = self.accounts.company(company_id), self.accounts.client(client_id)
        if company is None or client is None:
            raise Refused(field="companies", message="There is no such company.")
        name = f"{company['name']} {client['name']} API"[:80]
        levels = rights.preset("everything")
        user_id = self.accounts.add_user(company_id, name=name, levels=levels, m2m_only=True)
        api_key = self.accounts.add_key(company_id, user_id=user_id, client_id=client_id)
        sql = "INSERT OR REPLACE INTO activated (company_id, client_id, api_key) VALUES (?, ?, ?)"
        self.kit.store.write(sql, company_id, client_id, api_key)
        return api_key


def add_activation(pages: Blueprint, activations: Activations) -> None:
    """`/activate?integrationId=…` for the customer, `/specification` for the vendor."""

    def requested_specification() -> sqlite3.Row:
        row = activations.specification(request.args.get("integrationId", ""))
        if row is None:
            msg = "No integration has this id."
            raise NoWayBack(msg)
        return row

    def consent_form(chosen: Mapping[str, Any], errors: Mapping[str, str], status: int = 200) -> Answer:
        companies = activations.companies()
        people = [u for c in companies for u in activations.accounts.users(c["id"]) if u["person"]]
        values = {"companies": companies, "people": people, "chosen": chosen, "errors": errors}
        return consent_page("procountor/activate.html", status, specification=requested_specification(), **values)

    @pages.route("/activate", methods=["GET", "POST"])
    def activate() -> Answer:
        specification = requested_specification()
        if request.method == "GET":
            return consent_form({}, {})
        if "deny" in request.form:
            return redirect(activations.back(specification, {"error": "access_denied"}))
        picked = [int(text) for text in request.form.getlist("companies") if text.isdecimal()]
        user = request.form.get("user", "")
        extra = {company: request.form.get(f"extra-{company}", "") for company in picked}
        try:
            where = activations.begin(specification, user_id=int(user) if user.isdecimal() else 0, companies=extra)
        except Refused as refused:
            return consent_form(
                {"user": user, "companies": picked, "extra": extra}, {refused.field: str(refused)}, 422
            )
        return redirect(where)

    @pages.route("/specification", methods=["GET", "POST"])
    def specification() -> str | Answer | tuple[str, int]:
        errors: dict[str, str] = {}
        row = activations.specification(FIRST_SPECIFICATION)
        form: dict[str, Any] = dict(row) if row else {}
        if request.method == "POST":
            form |= {name: request.form.get(name, "").strip() for name in WORDS}
            try:
                activations.specify(form)
                return redirect(url_for(".specification", done="specification", company=request.args.get("company")))
            except Refused as refused:
                errors = {refused.field: str(refused)}
        link = url_for(".activate", integrationId=FIRST_SPECIFICATION, _external=True)
        page = render_template("procountor/specification.html", form=form, errors=errors, link=link)
        return page, 422 if errors else 200
