"""The authorization request: what it must carry, and where the person's answer sends the browser."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from connections.sandbox.hesabit.errors import TokenError
from connections.sandbox.hesabit.grants import SCOPE, Grants
from connections.sandbox.kit import Kit

KNOWN = {"client_id", "response_type", "scope", "access_type", "redirect_uri", "state"}
OFFLINE = "offline"


@dataclass(frozen=True)
class Question:
    """A good authorization request: who asks, and whether for a refresh token too."""

    client: sqlite3.Row
    offline: bool
    state: str


class SentBack(Exception):
    """The request is wrong in a way that the client may be told; `location` is where."""

    def __init__(self, location: str) -> None:
        super().__init__("the client is told")
        self.location = location


def read_request(kit: Kit, grants: Grants, query: Mapping[str, str]) -> Question:
    """Raises TokenTrouble for the person when the client cannot be trusted with an answer, SentBack when it is told."""
    client = grants.client(query.get("client_id", ""))
    if client is None:
        raise TokenError(400, "invalid_client", "No client has this client_id")
    if query.get("redirect_uri") != client["redirect_uri"]:
        raise TokenError(400, "invalid_request", "redirect_uri is not the one that the client registered")
    question = Question(client, query.get("access_type") == OFFLINE, query.get("state", ""))
    strange = set(query) - KNOWN if kit.switches["unknown_parameters"] == "refused" else set()
    error = ""
    if query.get("response_type") != "code":
        error = "unsupported_response_type"
    elif query.get("scope") != SCOPE:
        error = "invalid_scope"
    elif strange or query.get("access_type", OFFLINE) not in (OFFLINE, "online"):
        error = "invalid_request"
    if error:
        raise SentBack(_back(kit, question, error=error))
    return question


def redirect_address(kit: Kit, grants: Grants, question: Question, shop_id: int, *, approved: bool) -> str:
    """Where the browser goes now."""
    if approved:
        return _back(kit, question, code=grants.consent(question.client, shop_id, offline=question.offline))
    if kit.switches["denied_consent"] == "bare":
        return str(question.client["redirect_uri"])
    return _back(kit, question, error="access_denied")


def _back(kit: Kit, question: Question, **answer: str) -> str:
    if question.state and kit.switches.on("state"):
        answer["state"] = question.state
    redirect_uri: str = question.client["redirect_uri"]
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"
