"""The token request: three grants, a JSON body (or a form), and every way to be refused."""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from flask import g, request

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness.authorization import scopes_of
from connections.sandbox.smartbusiness.errors import token_error
from connections.sandbox.smartbusiness.grants import ACCESS_SECONDS, FOREIGN, OWN, Grants, Issued

GRANTS = {
    "client_credentials": {"scope"},
    "authorization_code": {"code", "redirect_uri"},
    "refresh_token": {"refresh_token", "scope"},
}
ALWAYS = {"grant_type", "client_id", "client_secret"}


def asked_client() -> str:
    """The client id a token request carries, unjudged: whose budget it counts against."""
    body = request.get_json(silent=True) if request.is_json else request.form
    client_id = body.get("client_id") if isinstance(body, dict) else None
    return client_id if isinstance(client_id, str) else ""


def token_request(kit: Kit, grants: Grants) -> Callable[[], tuple[dict[str, Any], int]]:
    """The view of `POST /auth/access-tokens`."""

    def request_body() -> dict[str, str]:
        if request.is_json:
            body: Any = request.get_json(silent=True)
        elif request.mimetype == "application/x-www-form-urlencoded" and kit.switches["token_body"] != "json":  # noqa: S105
            body = request.form.to_dict()
        else:
            raise token_error(400, "invalid_request", "The body must be a JSON object.", "Content-Type")
        if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
            raise token_error(400, "invalid_request", "The body must be an object of texts.", "JSON")
        return body

    def needed(body: dict[str, str], name: str) -> str:
        if not body.get(name):
            raise token_error(400, "invalid_request", "A required parameter is missing.", f"Check {name}")
        return body[name]

    def known_client(body: dict[str, str]) -> sqlite3.Row:
        client, secret = grants.client(needed(body, "client_id")), needed(body, "client_secret")
        # Compared even when there is no such client, so that an answer takes as long.
        same = secrets.compare_digest((client["secret"] if client else "").encode(), secret.encode())
        if client is None or not same or client["revoked_at"] is not None:
            raise token_error(401, "invalid_client", "Client authentication failed.")
        return client

    def token() -> tuple[dict[str, Any], int]:
        body = request_body()
        grant_type = needed(body, "grant_type")
        if grant_type not in GRANTS:
            raise token_error(400, "unsupported_grant_type", "The grant type is not supported.", "Check grant_type")
        if kit.switches["pkce"] == "refused" and body.keys() - GRANTS[grant_type] - ALWAYS:
            raise token_error(400, "invalid_request", "Unknown parameter.")
        client = known_client(body)
        g.user = client["name"]
        if client["grant_type"] != (OWN if grant_type == OWN else FOREIGN):
            raise token_error(400, "unauthorized_client", "The client is not registered for this grant type.")
        if grant_type == OWN:
            scopes = scopes_of(kit, body.get("scope"), client["scopes"])
            return answer(grants.for_own_account(client, scopes))
        if grant_type == FOREIGN:
            code = grants.find_usable("code", needed(body, "code"), client)
            if needed(body, "redirect_uri") != code["redirect_uri"]:
                raise token_error(400, "invalid_grant", "The redirect URI is not that of the code.")
            if kit.switches["pkce"] == "enforced" and code["challenge"]:
                prove(code, body.get("code_verifier", ""))
            return answer(grants.exchange(code))
        presented = needed(body, "refresh_token")
        refresh_token = grants.find_usable("refresh", presented, client)
        return answer(
            grants.refresh(refresh_token, presented, refresh_scopes(body.get("scope"), refresh_token["scopes"]))
        )

    def refresh_scopes(requested: str | None, granted: str) -> str:
        rule = kit.switches["refresh_scope"]
        if rule == "required" and not requested:
            raise token_error(400, "required_scopes_missing", "Required scopes are missing.", "Send a scope")
        return scopes_of(kit, requested, granted) if requested and rule != "ignored" else granted

    def answer(issued: Issued) -> tuple[dict[str, Any], int]:
        body: dict[str, Any] = {"token_type": "Bearer"}
        if kit.switches["expires_in"] != "absent":
            body["expires_in"] = str(ACCESS_SECONDS) if kit.switches["expires_in"] == "text" else ACCESS_SECONDS
        body["access_token"] = issued.access
        if issued.refresh is not None:
            body["refresh_token"] = issued.refresh
        return body, int(kit.switches["token_status"])

    return token


def prove(code: sqlite3.Row, verifier: str) -> None:
    """PKCE. Raises Trouble when the verifier does not fit the challenge."""
    expected = verifier
    if code["challenge_method"] == "S256":
        expected = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not verifier or not secrets.compare_digest(expected.encode(), code["challenge"].encode()):
        raise token_error(400, "invalid_grant", "The code verifier does not fit.", "Check code_verifier")
