"""The token requests of both flows, the swap of a code for an API key, logout, and the error body all calls share."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.procountor.accounts import Accounts, Refused
from connections.sandbox.procountor.grants import TOKEN_SECONDS, Granted, GrantRefused, Grants

Press = Callable[[int], Response | None]
REVOKED = "API key is not valid"


def trouble(status: int, message: str, field: str | None = None) -> Response:
    """The usual error body."""
    return troubles(status, [(field, message)])


def troubles(status: int, problems: list[tuple[str | None, str]]) -> Response:
    """The usual error body with one error a field."""
    g.note = problems[0][1]
    errors = [
        {"status": status, "message": message} | ({"field": field} if field else {}) for field, message in problems
    ]
    response: Response = g.json({"errors": errors})
    response.status_code = status
    return response


class Denied(Exception):
    """A token request that is refused: the response to give."""

    def __init__(self, response: Response) -> None:
        super().__init__("refused")
        self.response = response


def add_token_calls(app: Flask, kit: Kit, accounts: Accounts, grants: Grants, press: Press) -> None:
    """`POST /oauth/token`, `/oauth/key` and `/logout`; `press` counts a request for its company and may refuse it."""

    def refusal(status: int, error: str, message: str) -> Denied:
        if kit.switches["token_error_body"] == "errors":  # noqa: S105 - a switch, not a secret
            return Denied(trouble(status, message))
        g.note = message
        response: Response = g.json({"error": error, "error_description": message})
        response.status_code = status
        return Denied(response)

    def grant_refusal(message: str) -> Denied:
        return refusal(int(kit.switches["grant_error"]), "invalid_grant", message)

    def client_of(*grant_types: str) -> sqlite3.Row:
        """The client, by the form body only, once its grant type and redirect address are found right."""
        form = request.form
        if request.mimetype != "application/x-www-form-urlencoded":
            raise refusal(400, "invalid_request", "The request body must be application/x-www-form-urlencoded")
        if form.get("grant_type") not in grant_types:
            raise refusal(400, "unsupported_grant_type", f"grant_type must be {' or '.join(grant_types)}")
        client = accounts.client(form.get("client_id", ""))
        if client is None or not secrets.compare_digest(
            client["secret"].encode(), form.get("client_secret", "").encode()
        ):
            raise refusal(401, "invalid_client", "Client authentication failed")
        redirect = form.get("redirect_uri")
        needed = form["grant_type"] == "authorization_code" or kit.switches.on("redirect_uri_required")
        if redirect != client["redirect_uri"] and (redirect is not None or needed):
            raise refusal(400, "invalid_request", "redirect_uri does not match the registered one")
        return client

    def usage(client: sqlite3.Row, company: sqlite3.Row) -> None:
        """Chargeable clients are let in only where the company allows it (certification 4)."""
        if client["invoiceable"] and not company["usage_allowed"]:
            if kit.switches["usage_not_allowed"] == "401":
                raise refusal(401, "invalid_grant", REVOKED)
            raise Denied(trouble(403, "INVOICEABLE_API_CLIENTS_NOT_ALLOWED"))

    def counted(company: sqlite3.Row, user: sqlite3.Row) -> None:
        g.company, g.user = company["name"], user["name"]
        if (slower := press(company["id"])) is not None:
            raise Denied(slower)

    def by_key(client: sqlite3.Row) -> Granted:
        key = accounts.key(request.form.get("api_key", ""))
        company = accounts.company(key["company_id"]) if key else None
        user = accounts.user(key["company_id"], key["user_id"]) if key else None
        if key is None or key["client_id"] != client["id"] or key["revoked_at"] or user is None or company is None:
            raise refusal(401, "invalid_grant", REVOKED)
        g.company, g.user = company["name"], user["name"]
        usage(client, company)
        counted(company, user)
        return grants.enter_by_key(key)

    def by_person(client: sqlite3.Row) -> Granted:
        form = request.form
        try:
            if form["grant_type"] == "refresh_token":
                return grants.enter_by_refresh(form.get("refresh_token", ""), client_id=client["id"])
            code = grants.redeem(
                form.get("code", ""), "token", client_id=client["id"], redirect_uri=form.get("redirect_uri")
            )
            company = accounts.company(code["company_id"])
            if company is not None:
                usage(client, company)
            return grants.enter_by_code(code)
        except GrantRefused as why:
            raise grant_refusal(str(why)) from why

    def token_response(granted: Granted) -> Response:
        answer: dict[str, Any] = {"access_token": granted.access_token}
        if kit.switches["expires_in"] != "missing":
            answer["expires_in"] = str(TOKEN_SECONDS) if kit.switches["expires_in"] == "text" else TOKEN_SECONDS
        if granted.refresh_token is not None:
            answer["refresh_token"] = granted.refresh_token
        if kit.switches.on("token_type"):
            answer["token_type"] = "Bearer"  # noqa: S105  # nosec B105 - the kind, not a secret
        response: Response = g.json(answer)
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(Denied)
    def denied(error: Denied) -> Response:
        return error.response

    @app.post("/oauth/token")
    def token() -> Response:
        client = client_of("client_credentials", "authorization_code", "refresh_token")
        if request.form["grant_type"] == "client_credentials":
            return token_response(by_key(client))
        granted = by_person(client)
        if (session := grants.find(granted.access_token)) is not None:
            counted(session.company, session.user)
        return token_response(granted)

    @app.post("/oauth/key")
    def key() -> Response:
        """The API key for a code of the key login page (M2M authentication)."""
        client = client_of("authorization_code")
        form = request.form
        try:
            code = grants.redeem(
                form.get("code", ""), "key", client_id=client["id"], redirect_uri=form.get("redirect_uri")
            )
            api_key = accounts.add_key(code["company_id"], user_id=code["user_id"], client_id=client["id"])
        except (GrantRefused, Refused) as why:
            raise grant_refusal(str(why)) from why
        response: Response = g.json({"api_key": api_key})
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.post("/logout")
    def logout() -> Response:
        grants.log_out(g.token)
        if kit.switches["logout_status"] == "204":
            return Response(status=204)
        done: Response = g.json({"message": "Logged out"})
        return done
