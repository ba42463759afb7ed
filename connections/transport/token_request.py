"""One request for a token: what is sent, and how the answer is read, however odd it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from connections.spec.errors import CallFailed, Unauthorized
from connections.spec.faults import Phase
from connections.spec.provider import Client, ClientCredentials, TokenBody
from connections.tenancy.scope import tenant_scope
from connections.transport import faults, ledger, limiter, verdict
from connections.transport.caller import Caller
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.keys import KeyUnavailable
from connections.vault.sealing import Unopenable
from connections.vault.secret import Secret
from connections.vault.services import Opened, open_credentials

SHORTEST, LONGEST = timedelta(seconds=60), timedelta(hours=24)
TOKEN = re.compile(
    r"[\x21-\x7e](?:[\x20-\x7e]{0,16382}[\x21-\x7e])?"
)  # RFC 6749 A.12, and a length that fits a header
SCOPE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True)
class Fresh:
    """A token just given. `asked_at` is from before the request was sent; `entry` is not yet written."""

    secret: Secret
    asked_at: datetime
    expires_at: datetime
    scope: str
    entry: RequestLogEntry = field(repr=False)


def ask(caller: Caller) -> Fresh:
    """Ask once. Raises CallFailed; its entry, if anything was sent, is written by then."""
    provider, connection = caller.provider, caller.connection
    flow = provider.grants[0]
    with tenant_scope(connection.tenant_id):
        try:
            opened = open_credentials(connection)
        except (Unopenable, KeyUnavailable):
            raise Unauthorized(faults.NO_KEY) from None
    fields = _fields(flow, opened)
    limiter.take(provider, connection, caller.client_id)
    entry = caller.begin(operation="token", method="POST", path_template=provider.token_path)
    try:
        answer = caller.send(
            entry,
            url=caller.hosts.token,
            total=provider.deadlines.token_total,
            form=fields if flow.body is TokenBody.FORM else None,
            json=fields if flow.body is TokenBody.JSON else None,
        )
        body = _parsed(answer.body)
        if answer.status not in (200, 201) or not _is_token(body):
            raise verdict.refusal(provider, Phase.TOKEN, entry, answer, body)
    except CallFailed as failed:
        entry.fault = failed.fault.code
        ledger.write_now([entry])
        raise
    entry.outcome = Outcome.ANSWERED
    return Fresh(
        Secret(body["access_token"]),
        entry.at,
        entry.at + lifetime(body.get("expires_in"), flow.lifetime),
        _scope(body.get("scope")),
        entry,
    )


def _fields(flow: ClientCredentials, opened: Opened) -> dict[str, str]:
    """The body. Raises Unauthorized for what is not stored."""
    given = opened.credentials
    fields = {"grant_type": "client_credentials"}
    if flow.client is Client.OURS:
        if not opened.client_id or opened.client_secret is None:
            raise Unauthorized(faults.NO_REGISTRATION)
        fields |= {"client_id": opened.client_id, "client_secret": opened.client_secret.reveal()}
        names = flow.also
    else:
        names = ("client_id", "client_secret", *flow.also)
    for name in names:
        if name not in given:
            raise Unauthorized(faults.NO_CREDENTIAL)
        fields[name] = given[name].reveal()
    if flow.redirect_uri and opened.redirect_uri:
        fields["redirect_uri"] = opened.redirect_uri
    if flow.scope:
        fields["scope"] = flow.scope
    return fields


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _is_token(body: Any) -> bool:
    """A bearer token that can be sent. A missing type is taken for bearer (RFC 6749 7.1 forbids to use an unknown one)."""
    if not isinstance(body, dict) or "error" in body:
        return False
    token, kind = body.get("access_token"), body.get("token_type")
    is_bearer = not isinstance(kind, str) or kind.strip().lower() in ("", "bearer")
    return is_bearer and isinstance(token, str) and TOKEN.fullmatch(token) is not None


def _scope(given: Any) -> str:
    return SCOPE.sub("", given)[:400] if isinstance(given, str) else ""


def lifetime(given: Any, default: timedelta) -> timedelta:
    """`expires_in` as it comes: number, text, missing or absurd; 60 s to 24 h."""
    try:
        seconds = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        return default
    return min(max(timedelta(seconds=min(seconds, LONGEST.total_seconds())), SHORTEST), LONGEST)
