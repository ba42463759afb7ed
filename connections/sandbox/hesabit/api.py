"""The API itself: /v1 with the token in the query string, the token request beside it, three collections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, redirect, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as Answer

from connections.sandbox.hesabit.accounts import Accounts, Shop
from connections.sandbox.hesabit.errors import JSON, ApiError, TokenError, encode, invalid, refusal, token_refusal
from connections.sandbox.hesabit.grants import Grants
from connections.sandbox.hesabit.quota import Quota
from connections.sandbox.hesabit.records import Entry, Records
from connections.sandbox.hesabit.sample_data import STATUSES, STREAMS
from connections.sandbox.hesabit.serializers import ODD_STATUS, status, style
from connections.sandbox.hesabit.tokens import token_request
from connections.sandbox.hesabit.validation import Writing
from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BASE, TOKEN_PATH = "/v1", "/oauth2/token"
DEFAULT_LIMIT, MOST = 20, 100  # not documented
_NUMBER = re.compile(r"[0-9]{1,6}")


class Based:
    """Takes `/v1` off the path; outside of it there is the token request alone, and inside it there is none."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        inside = path.removeprefix(BASE)
        if path.startswith(f"{BASE}/") and inside.rstrip("/") != TOKEN_PATH:
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = BASE, inside
        elif path != TOKEN_PATH:
            environ["PATH_INFO"] = "/-/outside of the API"
        return self._inner(environ, start_response)


def api(kit: Kit, accounts: Accounts, grants: Grants, records: Records, quota: Quota) -> WSGIApplication:
    """The WSGI application behind the TLS listener."""
    app = Flask("connections.sandbox.hesabit.api", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # it would redirect, with the token in the address
    watch(app, kit, token_paths=(TOKEN_PATH,), plain_parameters=("limit", "page", "status"))

    def other_slash() -> Answer | None:
        """A redirect to the other form of the address, as a web server makes it: with the whole query."""
        rule, path = kit.switches["trailing_slash"], request.path
        if (rule, path.endswith("/")) not in (("added", False), ("removed", True)):
            return None
        g.note = "redirect to the other form of the address"
        other = f"{path}/" if rule == "added" else path.rstrip("/")
        query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
        return redirect(f"https://{request.host}{BASE}{other}{query}", 301)

    def presented() -> str:
        token = request.args.get("access_token", "")
        if not token and kit.switches.on("header_token"):
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            return token if kind.lower() == "bearer" else ""
        return token

    @app.before_request
    def admit() -> Answer | None:
        if request.url_rule is None:
            if isinstance(request.routing_exception, MethodNotAllowed):
                raise ApiError(405, "method_not_allowed")
            raise ApiError(404, "not_found")
        if request.url_rule.rule == TOKEN_PATH:
            return None
        if (elsewhere := other_slash()) is not None:
            return elsewhere
        session = grants.session(presented())
        shop = accounts.shop(session.shop_id) if session else None
        if session is None or shop is None:
            raise ApiError(401, "invalid_token")
        g.shop, g.company, g.user = shop, shop.name, session.client_name
        quota.count_call(session.client_id)
        json_required = request.method in ("POST", "PUT") or kit.switches["content_type"] == "all"
        if json_required and request.mimetype != "application/json":
            raise ApiError(415, "unsupported_media_type")
        return None

    @app.errorhandler(ApiError)
    def refused(trouble: ApiError) -> Response:
        return refusal(kit, trouble)

    @app.errorhandler(TokenError)
    def token_refused(trouble: TokenError) -> Response:
        return token_refusal(kit, trouble)

    app.post(TOKEN_PATH)(token_request(kit, grants))
    for stream in STREAMS:
        _add_collection(app, kit, records, Writing(kit, records), stream)
    return Based(app)


def _add_collection(app: Flask, kit: Kit, records: Records, writing: Writing, stream: str) -> None:
    """List, create, get, edit and delete of one resource."""

    def entry_or_404(number: int) -> Entry:
        entry = records.shelf(_shop().id, stream).by_id.get(number)
        if entry is None:
            raise ApiError(404, "not_found")
        return entry

    def record(entry: Entry, status: int = 200) -> Response:
        body = entry.encoded(style(kit))
        if kit.switches["record_envelope"] == "data":
            body = b'{"data":' + body + b"}"
        return Response(body, status=status, content_type=JSON)

    def listing() -> Response:
        limit = _number_in_query(kit, "limit", DEFAULT_LIMIT, most=MOST)
        page = _number_in_query(kit, "page", 1) if kit.switches["paging"] == "page" else 1
        entries = records.shelf(_shop().id, stream).entries
        if stream == "invoices" and "status" in request.args:
            entries = _of_status(kit, entries, request.args["status"])
        if kit.switches["order"] == "newest":
            entries = entries[::-1]
        chosen = style(kit)
        body = b"[" + b",".join(e.encoded(chosen) for e in entries[(page - 1) * limit : page * limit]) + b"]"
        if (envelope := kit.switches["envelope"]) != "array":
            body = encode({stream if envelope == "resource" else envelope: 0})[:-2] + body + b"}"
        return Response(body, content_type=JSON)

    def create() -> Response:
        entry = records.make(_shop().id, stream, writing.create(_shop(), stream, _request_body()))
        status = int(kit.switches["created_status"])
        if kit.switches["created_answer"] == "id":
            entry = Entry("", {"id": entry.id})
        return record(entry, status)

    def get(id: int) -> Response:
        return record(entry_or_404(id))

    def edit(id: int) -> Response:
        body = writing.edit(_shop(), stream, entry_or_404(id).body, _request_body())
        return record(records.edit(_shop().id, stream, body))

    def delete(id: int) -> Response:
        records.remove(_shop().id, stream, [entry_or_404(id).id])
        if kit.switches["deleted_answer"] == "204":
            return Response(b"", status=204)
        return Response(encode({"success": True}), content_type=JSON)

    views: tuple[tuple[str, str, Callable[..., Response]], ...] = (
        ("GET", "", listing),
        ("POST", "", create),
        ("GET", "/<int:id>", get),
        ("PUT", "/<int:id>", edit),
        ("DELETE", "/<int:id>", delete),
    )
    for method, rest, view in views:
        app.add_url_rule(f"/{stream}{rest}", f"{view.__name__} {stream}", view, methods=[method])


def _shop() -> Shop:
    shop: Shop = g.shop
    return shop


def _request_body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_json")
    return body


def _number_in_query(kit: Kit, name: str, default: int, *, most: int | None = None) -> int:
    """A whole number from 1 of the query. Raises Trouble."""
    text = request.args.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise invalid(kit, {name: ["این مقدار باید عددی از ۱ باشد."]})
    if most is not None and int(text) > most:
        if kit.switches["large_limit"] == "refused":
            raise invalid(kit, {name: ["این مقدار حداکثر ۱۰۰ است."]})
        return most
    return int(text)


def _of_status(kit: Kit, entries: list[Entry], requested: str) -> list[Entry]:
    chosen = style(kit)
    statuses = (*STATUSES, *((ODD_STATUS,) if chosen.extras else ()))
    if requested not in statuses and kit.switches["unknown_status"] == "refused":
        raise invalid(kit, {"status": ["چنین وضعیتی وجود ندارد."]})
    return [entry for entry in entries if status(entry.body, chosen) == requested]
