"""A provider that repeats the secrets it was sent in everything it answers, in every encoding."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from connections.spec.provider import Provider
from connections.tenancy.scope import tenant_scope
from connections.vault import sealing
from connections.vault.models import Connection, Credential, Grant

# Those that count against a provider come last: after some of them nobody asks there for a while.
TROUBLES: tuple[Mapping[str, Any], ...] = (
    {"status": 401, "times": 2},
    {"status": 403},
    {"status": 400},
    {"status": 404},
    {"status": 429, "times": None},
    {"status": 302},
    {"status": 200, "content_type": "text/html"},
    {"status": 503, "times": None},
    {"cut": "middle"},
)


def sent_in_calls(connection: Connection) -> list[str]:
    """The access token, which travels with every call."""
    return [secret for field, secret in _held(connection) if field == "access_ciphertext"]


def sent_for_tokens(connection: Connection) -> list[str]:
    """What the customer gave us, and the refresh token."""
    return [secret for field, secret in _held(connection) if field != "access_ciphertext"]


def _held(connection: Connection) -> list[tuple[str, str]]:
    """What stands sealed for a connection, opened as a worker does it, by its column."""
    with tenant_scope(connection.tenant_id):
        grants = list(Grant.objects.filter(connection=connection).select_related("connection"))
        credentials = list(Credential.objects.filter(connection=connection).select_related("connection"))
    rows = [(each, "ciphertext") for each in credentials]
    rows += [(each, field) for each in grants for field in ("access_ciphertext", "refresh_ciphertext")]
    return [(field, opened(row, field)) for row, field in rows if getattr(row, field)]


def opened(row: Any, field: str) -> str:
    with tenant_scope(row.tenant_id):
        return sealing.plaintext(row, field)


def echo(trouble: Mapping[str, Any], secrets: Iterable[str], provider: Provider) -> dict[str, Any]:
    """The fault to order. Secrets stand in the words, in the fields and in the headers of the answer."""
    if "cut" in trouble:
        return {"path": "*", **trouble}
    words = [form for secret in secrets for form in written(secret)]
    sentence = "You sent " + " and ".join(words)
    body = {
        "error": "invalid_request",
        "error_description": sentence,
        "message": sentence,
        "errors": [{"status": "REFUSED", "field": words[0] if words else "", "message": sentence}],
        "detail": sentence,
        "title": words[0] if words else "",
    }
    plain = [word for word in words if word.isascii() and word.isprintable()]
    headers = {name: max(plain, key=len, default="") for name in ("Location", "WWW-Authenticate", "Link", "X-Debug")}
    # A request id is written down: this one is our own token, if it can pass for an id.
    short = [word for word in plain if len(word) <= 128]
    headers |= {name: short[-1] for name in provider.request_id_headers if short}
    text = f"<p>{sentence}</p>" if trouble.get("content_type") == "text/html" else json.dumps(body)
    return {"path": "*", "headers": headers, "body": text, **trouble}


def written(secret: str) -> list[str]:
    document = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        base64.b64encode(document).decode(),
        base64.urlsafe_b64encode(b"a:" + document).decode(),
        document.hex(),
    ]
