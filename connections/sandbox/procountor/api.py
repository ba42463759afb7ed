"""The API itself: versions in the path, the gate in front of all calls, and who and where am I."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch
from connections.sandbox.procountor import lists, rights
from connections.sandbox.procountor.accounts import Accounts
from connections.sandbox.procountor.activation import Activations
from connections.sandbox.procountor.confirmations import Confirmations
from connections.sandbox.procountor.grants import Grants, Session
from connections.sandbox.procountor.integrations import add_integrations
from connections.sandbox.procountor.invoices import add_invoicing
from connections.sandbox.procountor.payments import add_paying
from connections.sandbox.procountor.reads import NotAllowed, add_reading
from connections.sandbox.procountor.records import Records
from connections.sandbox.procountor.tokens import add_token_calls, trouble, troubles
from connections.sandbox.procountor.validation import WrongBody
from connections.sandbox.procountor.webhooks import add_webhooks
from connections.sandbox.procountor.writes import NotThere, Writing, WrongVersion, add_writing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The newest first; `supported` moves about every three months and a numbered version lives about nine.
VERSIONS = ("v2604", "v2603", "v2602", "v2601", "v2511", "v2510", "v2509")
SECRETS = ("client_secret", "api_key", "code", "refresh_token", "access_token", "password")
PLAIN = ("size", "page", "previousId", "orderById", "orderByVersion", "orderByDate", "orderByCreated", "active", "type",
         "types", "status", "versionStartDate", "versionEndDate", "createdStartDate", "createdEndDate", "startDate",
         "endDate", "invoiceId", "eventType", "createReconciliation")  # fmt: skip
RATE_PER_SECOND = 60  # Procountor certification 7
OPEN_PATHS = ("/oauth/token", "/oauth/key", "/status", "/integrations/<ident>")
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


def api(
    kit: Kit,
    accounts: Accounts,
    grants: Grants,
    records: Records,
    confirmations: Confirmations,
    activations: Activations,
) -> WSGIApplication:
    """The WSGI application behind the TLS listener."""
    app = Flask("connections.sandbox.procountor.api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    watch(app, kit, token_paths=("/oauth/token",), plain_parameters=PLAIN)

    def count_call(company: int) -> Response | None:
        if kit.call_log.count_call(str(company)) > RATE_PER_SECOND and kit.switches["over_the_rate"] == "429":
            return trouble(429, "Too many requests")
        return None

    @app.before_request
    def admit() -> Response | None:
        g.json = app.json.response
        if request.url_rule is None:
            return trouble(404, "Not found")
        # Products are looked for by their code; anywhere else a code is a secret.
        if any(name in request.args for name in SECRETS if (name, request.path) != ("code", "/products")):
            return trouble(400, "Sensitive values are not accepted as URL parameters")
        if request.method == "GET" and request.content_length:
            g.note = "a GET with a body is refused by the gateway"
            return Response(_GATEWAY, status=403, content_type="text/html")
        if request.url_rule.rule in OPEN_PATHS:
            return None
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        session = grants.find(token) if kind.lower() == "bearer" else None
        if session is None or (kit.switches.on("usage_stops_calls") and not session.company["usage_allowed"]):
            return trouble(401, "Access token is missing, expired or not valid any more")
        g.session, g.token = session, token
        g.company, g.user = session.company["name"], session.user["name"]
        return count_call(session.company["id"])

    @app.after_request
    def sign(response: Response) -> Response:
        if kit.switches.on("request_id_header"):
            response.headers["X-Request-Id"] = secrets.token_hex(16)
        return response

    add_refusals(app, kit)
    add_token_calls(app, kit, accounts, grants, count_call)
    add_reading(app, kit, records)
    writing = Writing(kit, records)
    add_writing(app, writing)
    add_invoicing(app, writing)
    add_paying(app, writing, confirmations)
    add_webhooks(app, kit, writing)
    add_integrations(app, activations, grants, writing)

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
        company = g.session.company
        address = {
            "name": company["name"],
            "street": "Keksitty katu 1",
            "zip": "00001",
            "city": "MALLILA",
            "country": "FINLAND",
        }
        return {
            "id": company["id"],
            "name": company["name"],
            "country": "FINLAND",
            "productVersion": "FINANCIALS",
            "companyAddress": address,
            "billingAddress": address,
            "businessIdentifier": {"brnType": "BUSINESS_ID", "code": company["code"]},
            "companyCurrency": "EUR",
        }

    @app.get("/users/rights")
    def users_rights() -> dict[str, object]:
        user = g.session.user
        blocked = bool(user["m2m_only"]) and kit.switches["solo_login_block"] == "m2m_only"
        return rights.answer(role=user["role"], levels=g.session.levels, solo_login_blocked=blocked)

    @app.get("/users")
    def users() -> dict[str, Any]:
        """The user of this session; the number of a person is there so that it can be seen not to be kept."""
        user, company = g.session.user, g.session.company
        first, _, last = user["name"].rpartition(" ")
        return {
            "id": user["id"],
            "username": f"user{user['id']}",
            "companyId": company["id"],
            "firstName": first or last,
            "lastName": last,
            "email": f"user{user['id']}@example.com",
            "mobilePhone": "+358000000000",
            "partnerId": None,
            "loginMethod": "PROCOUNTOR_KEY" if user["person"] else None,
            "socialSecurityNumber": "000000-0000" if user["person"] else None,
        }

    return Versioned(app)


def add_refusals(app: Flask, kit: Kit) -> None:
    """How everything that goes wrong is told."""

    @app.errorhandler(HTTPException)
    def nothing_here(error: HTTPException) -> Response:
        status = error.code or 500
        return trouble(status, {404: "Not found", 405: "Method not allowed"}.get(status, error.name))

    @app.errorhandler(lists.WrongParameter)
    def wrong_parameter(error: lists.WrongParameter) -> Response:
        return trouble(400, str(error), error.field)

    @app.errorhandler(WrongBody)
    def wrong_body(error: WrongBody) -> Response:
        return troubles(400, error.problems)

    @app.errorhandler(WrongVersion)
    def wrong_version(_: WrongVersion) -> Response:
        return trouble(int(kit.switches["stale_version"]), "The object was changed meanwhile", "version")

    @app.errorhandler(NotAllowed)
    def not_allowed(error: NotAllowed) -> Response:
        return trouble(403, str(error))

    @app.errorhandler(NotThere)
    def not_there(_: NotThere) -> Response:
        return trouble(404, "Not found")
