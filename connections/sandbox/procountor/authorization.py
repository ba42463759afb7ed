"""The login pages of the API: a person signs in and lets a client in, or has an API key made for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from connections.sandbox.kit import Kit
from connections.sandbox.procountor.accounts import ALL_RIGHTS_ROLE, Accounts, Refused
from connections.sandbox.procountor.grants import Grants

# Without form-action: browsers hold it against the redirect to the client that follows the form.
CONSENT_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:"
PURPOSES = {"login": "token", "keylogin": "key"}


class NoWayBack(ValueError):
    """A login address that must not lead anywhere: unknown client or another redirect address; the text says which."""


@dataclass(frozen=True)
class Login:
    """Both pages and what stands behind them."""

    kit: Kit
    accounts: Accounts
    grants: Grants

    def client(self, query: Mapping[str, str]) -> sqlite3.Row:
        """Whom the person would let in. Raises NoWayBack."""
        client = self.accounts.client(query.get("client_id", ""))
        if client is None:
            msg = "No API client has this client id."
            raise NoWayBack(msg)
        # One address per client, compared as it is; a query string is never part of it (API authentication).
        if query.get("redirect_uri") != client["redirect_uri"]:
            msg = "The redirect address is not the one that is registered for this API client."
            raise NoWayBack(msg)
        if query.get("response_type") != "code":
            msg = "The response type must be code."
            raise NoWayBack(msg)
        return client

    def back(self, client: sqlite3.Row, query: Mapping[str, str], **answer: str) -> str:
        state = {"state": query["state"]} if "state" in query else {}
        return f"{client['redirect_uri']}?{urlencode(answer | state)}"

    def approve(self, page: str, query: Mapping[str, str], *, user_id: int, key_user_id: int | None = None) -> str:
        """Where the browser goes with a code. Raises NoWayBack, Refused."""
        client = self.client(query)
        signed_in = self.user(user_id)
        if signed_in is None:
            raise Refused(field="user", message="Choose who signs in.")
        if signed_in["m2m_only"]:
            raise Refused(field="user", message="This user may sign in with M2M only.")
        for_whom = signed_in
        if page == "keylogin":
            chosen = self.user(key_user_id or 0)
            if chosen is None or chosen["company_id"] != signed_in["company_id"]:
                raise Refused(field="key_user", message="Choose a user of the company you sign in to.")
            if chosen["id"] != signed_in["id"] and signed_in["role"] != ALL_RIGHTS_ROLE:
                raise Refused(field="key_user", message="Only somebody with all rights makes keys for others.")
            for_whom = chosen
        purpose = PURPOSES[page]
        code = self.grants.issue_code(
            purpose, client=client, company_id=for_whom["company_id"], user_id=for_whom["id"]
        )
        return self.back(client, query, code=code)

    def deny(self, query: Mapping[str, str]) -> str | None:
        """Where the browser goes without a code; None where the client hears nothing. Raises NoWayBack."""
        client = self.client(query)
        sends_back = self.kit.switches["login_denied"] == "told"
        return self.back(client, query, error="access_denied") if sends_back else None

    def user(self, user_id: int) -> sqlite3.Row | None:
        return next((u for company, users in self.people() for u in users if u["id"] == user_id), None)

    def people(self) -> list[tuple[sqlite3.Row, list[sqlite3.Row]]]:
        return [(company, self.accounts.users(company["id"])) for company in self.accounts.companies()]


def consent_page(template: str, status: int = 200, **values: Any) -> Response:
    """A page whose form may lead to another site."""
    headers = {"Content-Security-Policy": CONSENT_POLICY}
    return Response(render_template(template, **values), status=status, headers=headers)


@dataclass
class _Form:
    """What was chosen on a login page, and what is wrong with it."""

    chosen: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def add_login(pages: Blueprint, login: Login) -> None:
    """`/login` and `/keylogin`."""

    def login_form(page: str, form: _Form, status: int = 200) -> Response:
        client = login.client(request.args)
        values = {"client": client, "people": login.people(), "chosen": form.chosen, "errors": form.errors}
        return consent_page("procountor/login.html", status, for_key=page == "keylogin", **values)

    def answer(page: str) -> Answer:
        query = request.args.to_dict()
        if request.method == "GET":
            return login_form(page, _Form())
        form = request.form.to_dict()
        if "deny" in form:
            where = login.deny(query)
            return redirect(where) if where else consent_page("procountor/left.html")
        try:
            user, key_user = (int(v) if (v := form.get(n, "")).isdecimal() else 0 for n in ("user", "key_user"))
            return redirect(login.approve(page, query, user_id=user, key_user_id=key_user))
        except Refused as refused:
            return login_form(page, _Form(form, {refused.field: str(refused)}), 422)

    @pages.route("/login", methods=["GET", "POST"])
    def login_page() -> Answer:
        return answer("login")

    @pages.route("/keylogin", methods=["GET", "POST"])
    def keylogin_page() -> Answer:
        return answer("keylogin")

    @pages.errorhandler(NoWayBack)
    def no_way_back(error: NoWayBack) -> Response:
        return consent_page("procountor/left.html", 400, why=str(error))
