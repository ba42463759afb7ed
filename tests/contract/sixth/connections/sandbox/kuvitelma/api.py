"""The API: a token request with a JSON body, and things for whoever brings a token in the address."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from connections.sandbox.kuvitelma.books import SECONDS, Books
from flask import Flask, request

from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Told = tuple[dict[str, Any] | list[Any], int]
LARGEST = 50


def refuse(status: int, word: str) -> Told:
    return {"error": word}, status


def api(kit: Kit, books: Books) -> WSGIApplication:
    """The WSGI application behind the TLS listener."""
    app = Flask("connections.sandbox.kuvitelma.api", static_folder=None)
    watch(app, kit, token_paths=("/v1/token",), plain_parameters=("page", "pageSize"))

    @app.before_request
    def admit() -> Told | None:
        if request.url_rule is None:
            return refuse(404, "not_found")
        if request.url_rule.rule != "/v1/token" and not books.holds("access", request.args.get("key", "")):
            return refuse(401, "unauthorized")
        return None

    @app.post("/v1/token")
    def token() -> Told:
        asked = request.get_json(silent=True)
        if not isinstance(asked, dict):
            return refuse(400, "invalid_request")
        ours = kit.store.get("client", {})
        known = {ours["client_id"]: ours["client_secret"]}.get(str(asked.get("client_id")))
        grant = asked.get("grant_type")
        if grant == "client_credentials":
            known = books.secret_of(str(asked.get("client_id")))
        if known is None or not secrets.compare_digest(known.encode(), str(asked.get("client_secret")).encode()):
            return refuse(401, "invalid_client")
        if grant == "client_credentials":
            return given(with_refresh=False)
        if grant == "authorization_code" and proven(str(asked.get("code")), str(asked.get("code_verifier"))):
            return given(with_refresh=True)
        if grant == "refresh_token" and books.use_up("refresh", str(asked.get("refresh_token"))):
            return given(with_refresh=True)
        return refuse(400, "invalid_grant")

    def proven(code: str, verifier: str) -> bool:
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        challenge = kit.store.get(f"challenge {code}", "")
        return books.use_up("code", code) and secrets.compare_digest(digest, challenge)

    def given(*, with_refresh: bool) -> Told:
        pair = {"access_token": books.issue("access"), "token_type": "Bearer", "expires_in": SECONDS["access"]}
        return pair | ({"refresh_token": books.issue("refresh")} if with_refresh else {}), 200

    @app.get("/v1/me")
    def me() -> Told:
        return {"company_id": "77", "company": "Olematon Oy"}, 200

    @app.get("/v1/things")
    def things() -> Told:
        page, size = request.args.get("page", 1, type=int), request.args.get("pageSize", LARGEST, type=int)
        if page < 1 or not 1 <= size <= LARGEST:
            return refuse(400, "wrong_page")
        listed = books.page((page - 1) * size, size)
        return listed if kit.switches["envelope"] == "bare" else {"things": listed}, 200

    @app.post("/v1/things")
    def make() -> Told:
        asked = request.get_json(silent=True)
        if not isinstance(asked, dict) or not asked.get("name"):
            return refuse(422, "name_missing")
        return books.make(str(asked["name"]), "api") or {}, 201

    @app.get("/v1/things/<int:ident>")
    def one(ident: int) -> Told:
        found = books.one(ident)
        return (found, 200) if found else refuse(404, "not_found")

    @app.delete("/v1/things/<int:ident>")
    def remove(ident: int) -> Told:
        if books.one(ident) is None:
            return refuse(404, "not_found")
        books.remove(ident)
        return {}, 200

    return app
