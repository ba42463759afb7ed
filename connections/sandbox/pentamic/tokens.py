"""The authentication server, which stands apart from the API: one call, one grant."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, jsonify, request

from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch
from connections.sandbox.pentamic.grants import COMPANIES, TOKEN_SECONDS, Grants

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TOKEN_PATH = "/connect/token"  # noqa: S105  # nosec B105 - an address


def identity(kit: Kit, grants: Grants) -> WSGIApplication:
    """The WSGI application behind the authentication server's door."""
    app = Flask("connections.sandbox.pentamic.tokens", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    watch(app, kit, token_paths=(TOKEN_PATH,), plain_parameters=())

    def refuse(code: str) -> Response:
        """Exactly this body, no description."""
        g.note = code
        response = jsonify({"error": code})
        response.status_code = int(kit.switches["token_error_status"])
        return response

    @app.post(TOKEN_PATH)
    def token() -> Response:
        """Client credentials; everything stands in the form body. Who asks is judged first, then what is asked."""
        form = request.form if request.mimetype == "application/x-www-form-urlencoded" else {}
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        basic = request.authorization
        if basic is not None and basic.type == "basic" and kit.switches.on("basic_client"):
            client_id, secret = basic.username or "", basic.password or ""
        client = grants.client(client_id)
        if client is None or not secrets.compare_digest(client["secret"].encode(), secret.encode()):
            return refuse("invalid_client")
        g.company, g.user = COMPANIES[client["company_id"]], client["name"]
        if client["disabled_at"] is not None:
            return refuse("invalid_client")
        if form.get("grant_type") != "client_credentials":
            return refuse("unsupported_grant_type")
        scopes = set(form.get("scope", "").split())
        if not scopes or not scopes <= set(client["scopes"].split()):
            return refuse("invalid_scope")
        answer: dict[str, Any] = {"access_token": grants.issue_token(client, " ".join(sorted(scopes)))}
        if kit.switches["expires_in"] != "missing":
            answer["expires_in"] = TOKEN_SECONDS if kit.switches["expires_in"] == "number" else str(TOKEN_SECONDS)
        answer["token_type"] = kit.switches["token_type"]
        response = jsonify(answer)
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(404)
    @app.errorhandler(405)
    def nothing_here(error: Any) -> Response:
        return Response(status=error.code)

    return app
