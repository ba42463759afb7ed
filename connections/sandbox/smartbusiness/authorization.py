"""The authorization request: what it must carry, and where the person's answer sends the browser."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness.errors import ApiError, token_error
from connections.sandbox.smartbusiness.grants import FOREIGN, Grants, in_order

KNOWN = {"response_type", "client_id", "redirect_uri", "scope", "state"}


@dataclass(frozen=True)
class Question:
    """A good authorization request: who asks for which scopes, and where the answer goes."""

    client: sqlite3.Row
    scopes: str
    state: str
    challenge: str
    method: str

    def back(self, **answer: str) -> str:
        """The client's redirect address with an answer."""
        return address(self.client["redirect_uri"], answer | ({"state": self.state} if self.state else {}))


class SentBack(Exception):
    """The request is wrong in a way that the client may be told; `location` is where."""

    def __init__(self, location: str) -> None:
        super().__init__("the client is told")
        self.location = location


def address(redirect_uri: str, answer: Mapping[str, str]) -> str:
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"


def scopes_of(kit: Kit, requested: str | None, allowed: str) -> str:
    """The scopes asked for, in order. Raises Trouble: only what was ticked for the client may be asked for."""
    scopes = (requested or "").split()
    if not scopes:
        if kit.switches["missing_scope_parameter"] == "refused":
            raise token_error(400, "required_scopes_missing", "Required scopes are missing.", "Send a scope")
        return allowed
    if not set(scopes) <= set(allowed.split()):
        raise token_error(400, "invalid_scopes", "The requested scopes are invalid.", "Tick them for the client")
    return in_order(scopes)


def read_request(kit: Kit, grants: Grants, query: Mapping[str, str]) -> Question:
    """Raises Trouble for the person when the client cannot be trusted with an answer, SentBack when it is told."""
    client = grants.client(query.get("client_id", ""))
    if client is None or client["revoked_at"] is not None or client["grant_type"] != FOREIGN:
        raise token_error(401, "invalid_client", "No application with this client id may ask for other accounts.")
    if query.get("redirect_uri") != client["redirect_uri"]:
        raise token_error(401, "invalid_client", "The redirect URI is not the one that the application registered.")
    state, challenge = query.get("state", ""), query.get("code_challenge", "")
    method = query.get("code_challenge_method", "plain")

    def sent_back(*, error: str) -> SentBack:
        return SentBack(address(client["redirect_uri"], {"error": error} | ({"state": state} if state else {})))

    if query.get("response_type") != "code":
        raise sent_back(error="unsupported_response_type")
    if kit.switches["pkce"] == "refused" and set(query) - KNOWN:
        raise sent_back(error="invalid_request")
    if kit.switches["pkce"] == "enforced" and challenge and method not in ("plain", "S256"):
        raise sent_back(error="invalid_request")
    try:
        scopes = scopes_of(kit, query.get("scope"), client["scopes"])
    except ApiError as wrong:
        raise sent_back(error=wrong.oauth) from wrong
    return Question(client, scopes, state, challenge, method)


def redirect_address(
    kit: Kit, grants: Grants, question: Question, user: sqlite3.Row | None, *, approved: bool
) -> str | None:
    """Where the browser goes now; None when a denial sends nobody back. Nobody can deny, but not approve."""
    if not approved or user is None:
        return None if kit.switches["denied_consent"] == "page" else question.back(error="access_denied")
    code = grants.consent(
        question.client,
        user,
        question.scopes,
        redirect_uri=question.client["redirect_uri"],
        challenge=question.challenge,
        method=question.method,
    )
    return question.back(code=code)
