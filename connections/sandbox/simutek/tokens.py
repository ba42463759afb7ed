"""The token request: client credentials in the form body, answered as IdentityServer does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.simutek.grants import SCOPE, Grants
from connections.sandbox.simutek.sample_data import PRINTING_HOUSE


def token_request(kit: Kit, grants: Grants) -> Callable[[], Response]:
    """The view of `POST /connect/token`; who asks is judged first, then what is asked."""

    def refuse(error: str, status: int = 400) -> Response:
        g.note = error
        shape = kit.switches["token_error_body"]
        if shape == "json":
            response: Response = g.json({"error": error})
        else:
            response = Response(error if shape == "text" else None, content_type="text/plain; charset=utf-8")
        response.status_code = status
        return response

    def token() -> Response:
        form = request.form
        if request.mimetype != "application/x-www-form-urlencoded":
            return refuse("invalid_request")
        client = grants.authenticate(form.get("client_id", ""), form.get("client_secret", ""))
        if client is None:
            return refuse("invalid_client", int(kit.switches["invalid_client_status"]))
        g.company, g.user = PRINTING_HOUSE, client["name"]
        kit.call_log.count_call(PRINTING_HOUSE)
        if form.get("grant_type") != "client_credentials":
            return refuse("unsupported_grant_type")
        if form.get("scope", SCOPE) != SCOPE:
            return refuse("invalid_scope")
        seconds = int(kit.switches["token_lifetime"])
        answer: dict[str, Any] = {"access_token": grants.issue_token(client["id"], seconds)}
        if kit.switches["expires_in"] != "missing":
            answer["expires_in"] = seconds if kit.switches["expires_in"] == "number" else str(seconds)
        if kit.switches.on("token_type"):
            answer["token_type"] = "Bearer"  # noqa: S105  # nosec B105 - the kind, not a secret
        if kit.switches.on("token_scope"):
            answer["scope"] = SCOPE
        response: Response = g.json(answer)
        response.headers["Cache-Control"] = "no-store"
        return response

    return token
