"""The token request: a JSON body with the client's id and secret in it, for a code or for a refresh token."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from connections.sandbox.hesabit.errors import JSON, TokenError, encode
from connections.sandbox.hesabit.grants import ACCESS_SECONDS, SCOPE, Grants
from connections.sandbox.kit import Kit

# What each grant's sample shows; the refresh request has no redirect_uri.
FIELDS = {"authorization_code": ("code", "redirect_uri"), "refresh_token": ("refresh_token",)}
ALWAYS = ("grant_type", "client_id", "client_secret")


def token_request(kit: Kit, grants: Grants) -> Callable[[], Response]:
    """The view of `POST /oauth2/token`. Raises TokenTrouble."""

    def request_body() -> dict[str, Any]:
        if request.mimetype == "application/json":
            body = request.get_json(silent=True)
        elif request.mimetype == "application/x-www-form-urlencoded" and kit.switches["token_body"] == "both":  # noqa: S105
            body = request.form.to_dict()
        else:
            raise TokenError(400, "invalid_request", "Content-Type must be application/json")
        if not isinstance(body, dict):
            raise TokenError(400, "invalid_request", "The body must be a JSON object")
        return body

    def known_client(body: dict[str, Any]) -> sqlite3.Row:
        client = grants.client(body["client_id"])
        # Compared even when there is no such client, so that an answer takes as long.
        same = secrets.compare_digest((client["secret"] if client else "").encode(), body["client_secret"].encode())
        if client is None or not same:
            raise TokenError(401, "invalid_client", "Client authentication failed")
        return client

    def token() -> Response:
        body = request_body()
        grant_type = str(body.get("grant_type"))
        if grant_type not in FIELDS:
            raise TokenError(400, "unsupported_grant_type", "grant_type is authorization_code or refresh_token")
        needed = (*ALWAYS, *FIELDS[grant_type])
        for name in needed:
            if not body.get(name) or not isinstance(body[name], str):
                raise TokenError(400, "invalid_request", f"{name} is missing")
        if kit.switches["unknown_parameters"] == "refused" and body.keys() - set(needed):
            raise TokenError(400, "invalid_request", "Unknown parameter")
        client = known_client(body)
        g.user = client["name"]
        if grant_type == "authorization_code":
            issued = grants.exchange(client, body["code"], body["redirect_uri"])
        else:
            issued = grants.refresh(client, body["refresh_token"])
        answer: dict[str, Any] = {"access_token": issued.access, "token_type": "Bearer"}
        if kit.switches["expires_in"] != "missing":
            answer["expires_in"] = str(ACCESS_SECONDS) if kit.switches["expires_in"] == "text" else ACCESS_SECONDS
        if issued.refresh is not None:
            answer["refresh_token"] = issued.refresh
        answer["scope"] = SCOPE
        return Response(encode(answer), content_type=JSON, headers={"Cache-Control": "no-store"})

    return token
