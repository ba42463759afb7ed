"""The API itself: one base path, headers on every answer, and the calls of each collection."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch
from connections.sandbox.smartbusiness import lists
from connections.sandbox.smartbusiness.accounts import PROFILES, Accounts
from connections.sandbox.smartbusiness.catalogue import COLLECTIONS, INVOICES, LANGUAGES, PAYMENTS, Collection
from connections.sandbox.smartbusiness.errors import ApiError, bad_request, not_found, token_error
from connections.sandbox.smartbusiness.grants import Grants, Session
from connections.sandbox.smartbusiness.quota import Quota
from connections.sandbox.smartbusiness.records import Entry, Records, Shelf, encode
from connections.sandbox.smartbusiness.serializers import Serializer
from connections.sandbox.smartbusiness.tokens import asked_client, token_request
from connections.sandbox.smartbusiness.writes import Writing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BASE = "/v2"
TOKENS = "/auth/access-tokens"
BODY_LIMIT_BYTES = 1_000_000  # not documented; only that there is one
PLAIN = ("limit", "offset", "sort", "with")
JSON = "application/json"
CORS = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, PATCH",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Accept, Origin, Authorization",
}
_IDS = re.compile(r"\d{1,9}(,\d{1,9})*")


class Based:
    """Takes the base path off; what lies outside of it finds nothing."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(f"{BASE}/"):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = BASE, path.removeprefix(BASE)
        else:
            environ["PATH_INFO"] = "/-/outside of the API"
        return self._inner(environ, start_response)


def api(kit: Kit, accounts: Accounts, grants: Grants, records: Records, quota: Quota) -> WSGIApplication:
    """The WSGI application behind the TLS listener."""
    app = Flask("connections.sandbox.smartbusiness.api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    watch(app, kit, token_paths=(TOKENS,), plain_parameters=PLAIN)

    @app.before_request
    def admit() -> Response | None:
        if request.method == "OPTIONS":
            return Response(status=204)
        if kit.switches.on("maintenance"):
            raise ApiError(503, 8000, "The application is offline for maintenance")
        if isinstance(request.routing_exception, MethodNotAllowed):
            raise ApiError(405, 7000, "Method not allowed")
        if request.url_rule is None:
            raise not_found()
        if (request.content_length or 0) > BODY_LIMIT_BYTES:
            raise ApiError(413, 0, "The body is too large")
        if request.url_rule.rule == TOKENS:
            g.budget = quota.count_call(f"tokens of {asked_client()}")
        else:
            g.session = session = _session()
            g.company, g.user = session.company["name"], f"{session.user['name']} {session.user['surname']}"
            g.budget = quota.count_call(_counted_by(kit.switches["rate_scope"], session))
        if g.budget.over:
            raise ApiError(429, 6000, "Too many requests")
        if request.url_rule.rule != TOKENS:
            accounts.demand_feature(g.session.company["id"], "api")
        return None

    def _session() -> Session:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        session = grants.session(token.strip()) if kind.lower() == "bearer" else None
        if session is None:
            message = "The resource owner or authorization server denied the request."
            raise token_error(401, "access_denied", message, "The access token is missing, expired or revoked")
        return session

    @app.after_request
    def sign(response: Response) -> Response:
        budget = g.get("budget") or quota.count_call("nobody", counted=False)
        headers = {**budget.headers(), **CORS, "X-Request-Id": str(uuid.uuid4())}
        if budget.over and kit.switches.on("retry_after"):
            headers["Retry-After"] = str(budget.reset)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    @app.errorhandler(ApiError)
    def trouble(error: ApiError) -> Response:
        g.note = f"{error.oauth or error.code}: {error.message}"
        at_tokens = request.url_rule is not None and request.url_rule.rule == TOKENS
        shape = kit.switches["token_error_body" if at_tokens else "unauthorized_body"]
        return Response(encode(error.body(shape)), status=error.status, content_type=JSON)

    @app.errorhandler(HTTPException)
    def broken(error: HTTPException) -> Response:
        status = error.code or 500
        body = ApiError(status, 0, error.name).body()
        return Response(encode(body), status=status, content_type=JSON)

    app.post(TOKENS)(token_request(kit, grants))
    _add_identity(app, kit)
    calls = Calls(kit, accounts, records)
    for shape in COLLECTIONS:
        calls.add(app, shape)
    calls.add_payments(app)
    return Based(app)


def _counted_by(scope: str, session: Session) -> str:
    parts = {"client": (session.client_id,), "company": (session.company["id"],)}
    return " at ".join(map(str, parts.get(scope, (session.client_id, session.company["id"]))))


def _demand_scope(kit: Kit, scope: str) -> None:
    """Raises Trouble when the token lacks the scope."""
    if scope not in g.session.scopes:
        error, status = "required_scopes_missing", int(kit.switches["missing_scope"])
        raise token_error(status, error, "Required scopes are missing.", f"Needs {scope}")


def _add_identity(app: Flask, kit: Kit) -> None:
    """Who is it: the owner of the account and the company's profile."""

    def account_profile() -> dict[str, Any]:
        _demand_scope(kit, "profile")
        company = g.session.company["id"]
        return {"id": company, **PROFILES[company]}

    @app.get("/auth/owner")
    def owner() -> dict[str, Any]:
        profile = account_profile()
        return {"item": {name: profile[name] for name in ("id", "name", "surname")}}

    @app.get("/auth/profile")
    def profile() -> dict[str, Any]:
        return {"item": account_profile()}


class Calls:
    """The views of every collection."""

    def __init__(self, kit: Kit, accounts: Accounts, records: Records) -> None:
        self._kit, self._accounts, self._records = kit, accounts, records
        self._serializer, self._writing = Serializer(kit, records), Writing(kit, records)

    def add(self, app: Flask, shape: Collection) -> None:
        one = f"{shape.path}/<id>"

        def rule(path: str, method: str, view: Callable[..., Response]) -> None:
            app.add_url_rule(path, f"{method} {path}", partial(view, shape), methods=[method])

        rule(shape.path, "GET", self._list)
        rule(shape.path, "POST", self._create)
        rule(one, "GET", self._get)
        rule(one, "PUT", self._update)
        rule(one, "DELETE", self._delete)
        if shape.document:
            rule(f"{one}/change-status", "PATCH", self._change_status)
            rule(f"{one}/send-by-email", "PATCH", self._send_by_email)

    def add_payments(self, app: Flask) -> None:
        app.add_url_rule(PAYMENTS.path, "list payments", self._payments, methods=["GET"])
        app.add_url_rule(PAYMENTS.path, "pay", self._pay, methods=["POST"])

    # -- what every view begins with -------------------------------------------------------------------------------

    def _enter(self, shape: Collection, level: str) -> int:
        """The company, once scope, plan and right were judged. Raises Trouble."""
        session: Session = g.session
        _demand_scope(self._kit, shape.scope)
        self._accounts.demand_feature(session.company["id"], shape.feature)
        if session.rights[shape.right] not in ("edit", level):
            raise ApiError(403, 5000, "The user lacks the permission")
        company: int = session.company["id"]
        return company

    def _entry(self, company: int, shape: Collection, number: str) -> Entry:
        entry = self._records.entry(company, shape.stream, int(number)) if number.isdecimal() else None
        if entry is None:
            raise not_found(shape.entity)
        return entry

    @staticmethod
    def _body() -> dict[str, Any]:
        body = request.get_json(silent=True) if request.is_json else None
        if not isinstance(body, dict):
            raise bad_request(2000, "The body must be a JSON object")
        return body

    def _item(self, entry: Entry, shape: Collection, status: int = 200) -> Response:
        parts = lists.requested_parts(request.args, shape) if request.method == "GET" else []
        encoded = self._serializer.item(entry, shape, parts, g.session, _language())
        return Response(b'{"item":' + encoded + b"}", status=status, content_type=JSON)

    def _acted(self, company: int, shape: Collection, number: str) -> Response:
        if self._kit.switches["action_answer"] == "empty":
            return Response(status=204)
        return self._item(self._entry(company, shape, number), shape)

    # -- views -----------------------------------------------------------------------------------------------------

    def _list(self, shape: Collection) -> Response:
        return self._page(self._records.shelf(self._enter(shape, "view"), shape.stream), shape)

    def _page(self, shelf: Shelf, shape: Collection) -> Response:
        query, switches = request.args.to_dict(), self._kit.switches
        parts = lists.requested_parts(query, shape)
        deaf = "contact_id" if shape.document and switches["contact_filter"] == "ignored" else None
        page = lists.page(shelf, query, shape, deaf_to=deaf)
        language = _language() if parts else ""
        items = b",".join(self._serializer.item(e, shape, parts, g.session, language) for e in page.entries)
        pagination = encode(page.pagination(request.base_url, query, switches["next_link"]))
        return Response(b'{"items":[' + items + b'],"pagination":' + pagination + b"}", content_type=JSON)

    def _get(self, shape: Collection, id: str) -> Response:
        return self._item(self._entry(self._enter(shape, "view"), shape, id), shape)

    def _create(self, shape: Collection) -> Response:
        company = self._enter(shape, "edit")
        self._accounts.demand_room(company, shape.stream)
        entry = self._writing.create(company, shape, self._body())
        return self._item(entry, shape, int(self._kit.switches["create_status"]))

    def _update(self, shape: Collection, id: str) -> Response:
        company = self._enter(shape, "edit")
        changed = self._writing.update(company, shape, self._entry(company, shape, id), self._body())
        return self._item(changed, shape)

    def _delete(self, shape: Collection, id: str) -> Response:
        company = self._enter(shape, "edit")
        if not _IDS.fullmatch(id):
            raise not_found(shape.entity)
        self._writing.delete(company, shape, list(dict.fromkeys(map(int, id.split(",")))))
        return Response(status=204)

    def _change_status(self, shape: Collection, id: str) -> Response:
        company = self._enter(shape, "edit")
        self._writing.change_status(company, shape, self._entry(company, shape, id), self._body())
        return self._acted(company, shape, id)

    def _send_by_email(self, shape: Collection, id: str) -> Response:
        company = self._enter(shape, "edit")
        self._writing.send_by_email(company, shape, self._entry(company, shape, id), self._body())
        return self._acted(company, shape, id)

    def _payments(self, id: str) -> Response:
        company = self._enter(INVOICES, "view")
        entries = self._records.payments(company, self._entry(company, INVOICES, id).id)
        return self._page(Shelf(entries, {entry.id: entry for entry in entries}), PAYMENTS)

    def _pay(self, id: str) -> Response:
        company = self._enter(INVOICES, "edit")
        self._accounts.demand_room(company, "payments")
        payment = self._writing.pay(company, INVOICES, self._entry(company, INVOICES, id), self._body())
        return self._item(payment, PAYMENTS, int(self._kit.switches["create_status"]))


def _language() -> str:
    return request.accept_languages.best_match(LANGUAGES, default="de") or "de"
