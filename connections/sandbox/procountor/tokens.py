"""The token request of the M2M flow, and the error body all calls share."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.procountor.office import TOKEN_SECONDS, Office


def trouble(status: int, message: str, field: str | None = None) -> Response:
    """The usual error body."""
    g.note = message
    error = {"status": status, "message": message} | ({"field": field} if field else {})
    response: Response = g.json({"errors": [error]})
    response.status_code = status
    return response


def token_request(kit: Kit, office: Office, press: Callable[[int], Response | None]) -> Callable[[], Response]:
    """The view of `POST /oauth/token`; `press` counts the request for its company and may refuse it."""

    def refuse(status: int, error: str, message: str) -> Response:
        if kit.switches["token_error_body"] == "errors":  # noqa: S105 - a switch, not a secret
            return trouble(status, message)
        g.note = message
        response: Response = g.json({"error": error, "error_description": message})
        response.status_code = status
        return response

    def token() -> Response:
        """Client credentials with an API key, form body only (M2M authentication)."""
        form = request.form
        if request.mimetype != "application/x-www-form-urlencoded":
            return refuse(400, "invalid_request", "The request body must be application/x-www-form-urlencoded")
        if form.get("grant_type") != "client_credentials":
            return refuse(400, "unsupported_grant_type", "grant_type must be client_credentials")
        client = office.client(form.get("client_id", ""))
        if client is None or not secrets.compare_digest(
            client["secret"].encode(), form.get("client_secret", "").encode()
        ):
            return refuse(401, "invalid_client", "Client authentication failed")
        redirect = form.get("redirect_uri")
        if redirect != client["redirect_uri"] and (redirect is not None or kit.switches.on("redirect_uri_required")):
            return refuse(400, "invalid_request", "redirect_uri does not match the registered one")
        key = office.key(form.get("api_key", ""))
        company = office.company(key["company_id"]) if key else None
        user = office.user(key["company_id"], key["user_id"]) if key else None
        if (
            key is None
            or key["client_id"] != client["id"]
            or key["revoked_at"] is not None
            or user is None
            or company is None
        ):
            return refuse(401, "invalid_grant", "API key is not valid")
        g.company, g.user = company["name"], user["name"]
        if client["invoiceable"] and not company["usage_allowed"]:
            if kit.switches["usage_not_allowed"] == "401":
                return refuse(401, "invalid_grant", "API key is not valid")
            return trouble(403, "INVOICEABLE_API_CLIENTS_NOT_ALLOWED")
        if (slower := press(company["id"])) is not None:
            return slower
        answer: dict[str, Any] = {"access_token": office.issue_token(key), "expires_in": TOKEN_SECONDS}
        if kit.switches.on("token_type"):
            answer["token_type"] = "Bearer"  # noqa: S105  # nosec B105 - the kind, not a secret
        response: Response = g.json(answer)
        response.headers["Cache-Control"] = "no-store"
        return response

    return token
