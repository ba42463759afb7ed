"""The API itself, the same behind both of its doors: customers, and a customer's invoices."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, redirect, request

from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch
from connections.sandbox.pentamic import parsing
from connections.sandbox.pentamic.grants import API_SCOPE, Grants
from connections.sandbox.pentamic.records import COLUMNS, Fields, Records
from connections.sandbox.pentamic.responses import JSON_TYPES, PAGES, XML_TYPES, Responses, page, silent
from connections.sandbox.pentamic.serializers import Shape

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_COLLECTION = re.compile(r"/customers(/[^/]+/invoices)?(?P<slash>/)?")
_MESSAGES = {
    404: "No HTTP resource was found that matches the request.",
    405: "The requested resource does not support this HTTP method.",
}


class UnderApi:
    """Takes `/api` off the path; whatever stands elsewhere finds nothing."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first, _, rest = environ["PATH_INFO"][1:].partition("/")
        environ["PATH_INFO"] = f"/{rest}" if first == "api" else "/-/outside of the API"
        environ["SCRIPT_NAME"] = "/api"
        return self._inner(environ, start_response)


def api(kit: Kit, grants: Grants, records: Records) -> WSGIApplication:
    """The WSGI application behind both doors, with TLS and without."""
    app = Flask("connections.sandbox.pentamic.api", static_folder=None)
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    watch(app, kit, token_paths=(), plain_parameters=("orderBy",))
    responses = Responses(kit)
    _add_admission(app, kit, grants, responses)
    _add_reading(app, kit, records, responses)
    _add_writing(app, kit, records, responses)

    @app.errorhandler(404)
    @app.errorhandler(405)
    def nothing_here(error: Any) -> Response:
        return responses.trouble(error.code, _MESSAGES[error.code])

    @app.errorhandler(parsing.Unreadable)
    def unreadable(error: parsing.Unreadable) -> Response:
        return responses.trouble(400, str(error))

    @app.errorhandler(parsing.BusinessError)
    def business(error: parsing.BusinessError) -> Response:
        return responses.business(str(error))

    return UnderApi(app)


def _add_admission(app: Flask, kit: Kit, grants: Grants, responses: Responses) -> None:
    def unauthorised(message: str, error: str = "") -> Response:
        answer = responses.trouble(401, message)
        if kit.switches.on("www_authenticate"):
            answer.headers["WWW-Authenticate"] = kit.switches["token_type"] + (f' error="{error}"' if error else "")
        return answer

    def elsewhere() -> Any | None:
        """The redirect that a slash too many or too few brings, before anything else is looked at."""
        rule, match = kit.switches["trailing_slash"], _COLLECTION.fullmatch(request.path)
        if match is None or rule == "accepted" or bool(match["slash"]) == (rule == "added"):
            return None
        path = f"/api{request.path}/" if rule == "added" else f"/api{request.path[:-1]}"
        query = request.query_string.decode("latin-1")
        return redirect(f"{request.host_url.rstrip('/')}{path}{'?' if query else ''}{query}", 301)

    @app.before_request
    def admit() -> Any | None:
        if kit.switches["service"] != "up":
            return page(*PAGES[kit.switches["service"]])
        if (moved := elsewhere()) is not None:
            return moved
        if request.url_rule is None:
            return None  # 404 or 405
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token or kind.lower() != kit.switches["token_type"].lower():
            return unauthorised("Authorization has been denied for this request.")
        session = grants.session(token.strip())
        if session is None:
            return unauthorised("The access token is not valid, or not any more.", "invalid_token")
        g.company, g.user, g.session = session.company_name, session.client["name"], session
        kit.call_log.count_call(session.company_name)
        if API_SCOPE not in session.scopes:
            if kit.switches["scope_refusal"] == "401":
                return unauthorised("The access token lacks the scope of this API.", "insufficient_scope")
            g.note = "the token lacks the scope of the API"
            return silent(403)
        return None


def _add_reading(app: Flask, kit: Kit, records: Records, responses: Responses) -> None:
    ready: dict[tuple[object, ...], bytes] = {}  # whole lists as they were sent, while nothing has changed

    @app.get("/customers")
    def customers() -> Response:
        """The complete list in one answer, as a bare array."""
        company, (column, descending) = g.session.company_id, _order(kit)
        version, shape = records.version, Shape.of(kit.switches)
        key = (version, company, shape, responses.format, column, descending)
        body = ready.get(key)
        if body is None:
            body = responses.listing("Customer", records.customers(company, column, descending=descending))
            if any(cached[0] != version for cached in list(ready)):
                ready.clear()
            ready[key] = body
        return responses.encoded(body)

    @app.get("/customers/<id>/invoices")
    def invoices(id: str) -> Response:
        row = _existing(records, id)
        return responses.encoded(responses.listing("Invoice", records.invoices(g.session.company_id, row["id"])))


def _add_writing(app: Flask, kit: Kit, records: Records, responses: Responses) -> None:
    def members() -> parsing.Members | None:
        """The body, as its content type says; None for a type that is not spoken."""
        body = request.get_data()
        if request.mimetype in XML_TYPES and kit.switches.on("xml"):
            return parsing.read_xml(body, strict=kit.switches["xml_reading"] == "strict")
        if request.mimetype in JSON_TYPES:
            return parsing.read_json(body)
        return None

    def fields(sent_members: parsing.Members, existing: sqlite3.Row | None) -> Fields:
        def is_taken(code: str) -> bool:
            others = records.holders(g.session.company_id, code) - {existing["id"] if existing else None}
            return bool(others) and kit.switches["duplicate_tax_code"] == "refused"

        # XML has no quotes that could tell a number from text.
        accepts = "both" if request.mimetype in XML_TYPES else kit.switches["tax_code_accepted"]
        name, tax_code = parsing.required(sent_members, accepts=accepts, is_taken=is_taken)

        def optional(field: str) -> str | None:
            if field not in sent_members and existing is not None and kit.switches["put_absent"] == "keep":
                return str(existing[field]) if existing[field] is not None else None
            return parsing.optional(sent_members, field)

        return Fields(name, tax_code, optional("address"), optional("phone"))

    def unsupported() -> Response:
        return responses.trouble(415, "The media type of the request body is not supported.")

    @app.post("/customers")
    def create() -> Response:
        """Answers 200, never 201."""
        sent_members = members()
        if sent_members is None:
            return unsupported()
        return responses.customer(records.create(g.session.company_id, fields(sent_members, None)))

    @app.put("/customers/<id>")
    def replace(id: str) -> Response:
        sent_members = members()
        if sent_members is None:
            return unsupported()
        existing = _existing(records, id)
        return responses.customer(
            records.replace(g.session.company_id, existing["id"], fields(sent_members, existing))
        )

    @app.delete("/customers/<id>")
    def delete(id: str) -> Response:
        company, row = g.session.company_id, _existing(records, id)
        if kit.switches["delete_with_invoices"] == "refused" and records.invoices(company, row["id"]):
            return responses.business("HAS_INVOICES")
        records.delete(company, row["id"])
        return responses.customer(row) if kit.switches["delete_answer"] == "json" else silent()


def _existing(records: Records, text: str) -> sqlite3.Row:
    """The customer that the path names. Raises Unreadable, and BusinessError: a missing one is no 404."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        msg = "The request is invalid."
        raise parsing.Unreadable(msg)
    row = records.customer(g.session.company_id, int(text))
    if row is None:
        raise parsing.BusinessError("ID_NOTFOUND")  # noqa: EM101 - a code, not a sentence
    return row


def _order(kit: Kit) -> tuple[str, bool]:
    """Column and direction that `orderBy` asks for. Raises Unreadable."""
    order = request.args.get("orderBy", "").strip().lower()
    ending = " desc" if kit.switches["order_desc"] == "space" else "desc"
    descending = order.endswith(ending)
    field = order.removesuffix(ending).strip()
    if field not in COLUMNS and order and kit.switches["order_unknown"] == "400":
        msg = "orderBy names no field of a customer."
        raise parsing.Unreadable(msg)
    return (COLUMNS[field], descending) if field in COLUMNS else ("id", False)
