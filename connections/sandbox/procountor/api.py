"""The API itself: versions in the path, the token request, and the calls a reader of partners and invoices makes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from connections.sandbox.kit import Kit
from connections.sandbox.kit.watch import watch
from connections.sandbox.procountor import lists, rights
from connections.sandbox.procountor.office import Office, Session
from connections.sandbox.procountor.streams import Entry, Records
from connections.sandbox.procountor.tokens import token_request, trouble

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The newest first; `supported` moves about every three months and a numbered version lives about nine.
VERSIONS = ("v2604", "v2603", "v2602", "v2601", "v2511", "v2510", "v2509")
SECRETS = ("client_secret", "api_key", "code", "refresh_token", "access_token", "password")
PLAIN = ("size", "page", "previousId", "orderById", "orderByVersion", "active", "type", "types", "status",
         "versionStartDate", "versionEndDate", "startDate", "endDate")  # fmt: skip
RATE_PER_SECOND = 60  # Procountor certification 7
JSON = "application/json;charset=UTF-8"
OPEN_PATHS = ("/oauth/token", "/status")
_PATH = re.compile(r"/(?:(?P<version>latest|supported|v\d{4})/)?api(?P<rest>/.*)")
_GATEWAY = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1><hr>Gateway</body></html>"


class Versioned:
    """Takes the version and `/api` off the path; an unknown version stays on it and finds nothing, hence 404."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        matched = _PATH.fullmatch(environ["PATH_INFO"])
        if matched and matched["version"] in (None, "latest", "supported", *VERSIONS):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = (
                environ["PATH_INFO"][: matched.start("rest")],
                matched["rest"],
            )
        elif matched or "/api" in environ["PATH_INFO"]:
            environ["PATH_INFO"] = "/-/unknown version"
        else:
            environ["PATH_INFO"] = "/-/outside of the API"
        return self._inner(environ, start_response)


def api(kit: Kit, office: Office, records: Records) -> WSGIApplication:
    """The WSGI application behind the TLS listener."""
    app = Flask("connections.sandbox.procountor.api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    watch(app, kit, token_paths=("/oauth/token",), plain_parameters=PLAIN)

    def press(company: int) -> Response | None:
        if kit.asked.press(str(company)) > RATE_PER_SECOND and kit.switches["over_the_rate"] == "429":
            return trouble(429, "Too many requests")
        return None

    @app.before_request
    def admit() -> Response | None:
        g.json = app.json.response
        if request.url_rule is None:
            return trouble(404, "Not found")
        if any(name in request.args for name in SECRETS):
            return trouble(400, "Sensitive values are not accepted as URL parameters")
        if request.method == "GET" and request.content_length:
            g.note = "a GET with a body is refused by the gateway"
            return Response(_GATEWAY, status=403, content_type="text/html")
        if request.url_rule.rule in OPEN_PATHS:
            return None
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        session = office.session(token) if kind.lower() == "bearer" else None
        if session is None or (kit.switches.on("usage_stops_calls") and not session.company["usage_allowed"]):
            return trouble(401, "Access token is missing, expired or not valid any more")
        g.session, g.token = session, token
        g.company, g.user = session.company["name"], session.user["name"]
        return press(session.company["id"])

    @app.after_request
    def sign(response: Response) -> Response:
        if kit.switches.on("request_id_header"):
            response.headers["X-Request-Id"] = secrets.token_hex(16)
        return response

    @app.errorhandler(404)
    @app.errorhandler(405)
    def nothing_here(error: Any) -> Response:
        return trouble(error.code, "Not found" if error.code == 404 else "Method not allowed")

    @app.errorhandler(lists.WrongParameter)
    def wrong(error: lists.WrongParameter) -> Response:
        return trouble(400, str(error), error.field)

    app.post("/oauth/token")(token_request(kit, office, press))

    @app.post("/logout")
    def logout() -> tuple[str, int]:
        office.log_out(g.token)
        return "", 204

    @app.get("/status")
    def status() -> dict[str, str]:
        return {
            "name": "Procountor API (simulator)",
            "version": VERSIONS[0],
            "status": "OK",
            "procountorVersion": "simulated",
        }

    @app.get("/sessioninfo")
    def sessioninfo() -> dict[str, Any]:
        session: Session = g.session
        return {
            "companyId": session.company["id"],
            "name": session.company["name"],
            "country": "FINLAND",
            "productVersion": "FINANCIALS",
            "userId": session.user["id"],
            "userName": session.user["name"],
            "companySettings": {},
        }

    @app.get("/company")
    def company() -> dict[str, Any]:
        held = g.session.company
        address = {
            "name": held["name"],
            "street": "Keksitty katu 1",
            "zip": "00001",
            "city": "MALLILA",
            "country": "FINLAND",
        }
        return {
            "id": held["id"],
            "name": held["name"],
            "country": "FINLAND",
            "productVersion": "FINANCIALS",
            "companyAddress": address,
            "billingAddress": address,
            "businessIdentifier": {"brnType": "BUSINESS_ID", "code": held["code"]},
            "companyCurrency": "EUR",
        }

    @app.get("/users/rights")
    def users_rights() -> dict[str, object]:
        user = g.session.user
        blocked = bool(user["m2m_only"]) and kit.switches["solo_login_block"] == "m2m_only"
        return rights.answer(role=user["role"], levels=g.session.levels, solo_login_blocked=blocked)

    def visible(stream: str, asked_kinds: set[str]) -> list[Entry] | None:
        """What this user may see; None when nothing of what was asked is open to the user."""
        session: Session = g.session
        held = records.all(session.company["id"], stream)
        kinds = {e.kind for e in held}
        closed = {kind for kind in kinds | asked_kinds if not rights.may_see(session.levels, kind)}
        if (asked_kinds or kinds) <= closed:
            return None
        personal = stream == "invoices" and session.levels.get("sales.personalSalesInvoicesOnly") is True
        if not closed and not personal:
            return list(held)
        own = session.user["id"]
        return [
            e
            for e in held
            if e.kind not in closed and not (personal and e.kind.startswith("SALES") and e.creator != own)
        ]

    def listing(stream: str) -> Response:
        asked = request.args.to_dict()
        found = visible(stream, lists.asked_kinds(asked, stream))
        if found is None:
            if kit.switches["missing_right"] == "403":
                return trouble(403, "Insufficient user rights")
            g.note, found = "empty for want of a right", []
        inclusive = kit.switches["version_bounds"] == "inclusive"
        body = lists.page(found, asked, stream, inclusive=inclusive, total_count=kit.switches.on("total_count"))
        return Response(body, content_type=JSON)

    def getting(stream: str, ids: str) -> Response:
        found = visible(stream, set())
        if found is None:
            return trouble(403, "Insufficient user rights")
        body = lists.by_ids(found, ids, records.full(stream))
        return trouble(404, "Not found") if body is None else Response(body, content_type=JSON)

    @app.get("/businesspartners")
    def businesspartners() -> Response:
        return listing("partners")

    @app.get("/businesspartners/<ids>")
    def businesspartners_by_id(ids: str) -> Response:
        return getting("partners", ids)

    @app.get("/invoices")
    def invoices() -> Response:
        return listing("invoices")

    @app.get("/invoices/<ids>")
    def invoices_by_id(ids: str) -> Response:
        return getting("invoices", ids)

    return Versioned(app)
