"""The API itself: the token request, the customer register, and sales orders that only come in."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from connections.sandbox.kit import Kit
from connections.sandbox.kit.middleware import watch
from connections.sandbox.simutek import lists, validation
from connections.sandbox.simutek.errors import Problem, bare, refusal
from connections.sandbox.simutek.grants import Grants
from connections.sandbox.simutek.orders import Orders
from connections.sandbox.simutek.records import Customers, NumberTaken
from connections.sandbox.simutek.sample_data import PRINTING_HOUSE
from connections.sandbox.simutek.tokens import token_request

TOKEN_PATH = "/connect/token"  # noqa: S105  # nosec B105 - an address
JSON = "application/json; charset=utf-8"


def api(kit: Kit, grants: Grants, customers: Customers, orders: Orders) -> Flask:
    """The WSGI application behind the TLS listener."""
    app = Flask("connections.sandbox.simutek.api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    watch(app, kit, token_paths=(TOKEN_PATH,), plain_parameters=lists.PLAIN_PARAMETERS)
    switches = kit.switches
    app.before_request(lambda: _admit(app, kit, grants))
    app.post(TOKEN_PATH)(token_request(kit, grants))

    @app.errorhandler(Problem)
    def refused(problem: Problem) -> Response:
        return refusal(problem, switches["error_body"])

    @app.errorhandler(HTTPException)
    def not_served(error: HTTPException) -> Response:
        return bare(error.code or 500)

    @app.post("/api/v1/customers", endpoint="customers")
    def create_customer() -> Response:
        body = validation.customer(_request_body(), number_needed=switches["null_number"] == "refused")
        try:
            customers.create(body)
        except NumberTaken as error:
            errors = {"number": [f"There is a customer with the number {error} already."]}
            raise Problem(int(switches["duplicate_number"]), errors) from error
        return bare(int(switches["created_status"]))

    @app.get("/api/v1/customers/<customerNumber>", endpoint="customers_by_number")
    def get_customer(customerNumber: str) -> Response:
        customer = customers.get(customerNumber)
        if customer is None:
            raise Problem(404, detail="There is no customer with this number.")
        return Response(lists.serialize(customer, switches), content_type=JSON)

    def searching(path: str) -> Response:
        if switches["list_path"] != path:
            return bare(404)
        return Response(lists.search(customers, request.args, switches), content_type=JSON)

    @app.get("/api/v1/companies", endpoint="customers_at_companies")
    def search_companies() -> Response:
        return searching("companies")

    @app.get("/api/v1/customers", endpoint="customers_at_customers")
    def search_customers() -> Response:
        return searching("customers")

    def ordering(path: str) -> Response:
        if switches["order_path"] != path:
            return bare(404)
        body = validation.order(
            _request_body(),
            rows_needed=switches["order_rows"] == "required",
            currency_needed=switches["order_currency"] == "required",
            date_refused=switches["purchase_date"] == "refused",
        )
        if customers.get(body["customerNumber"]) is None:
            raise Problem(404, detail="There is no customer with this number.")
        orders.receive(body, g.client_id)
        return bare(int(switches["created_status"]))

    @app.post("/api/v1/salesorders", endpoint="salesorders")
    def create_salesorder() -> Response:
        return ordering("salesorders")

    @app.post("/api/v1/orders", endpoint="salesorders_at_orders")
    def create_order() -> Response:
        return ordering("orders")

    return app


def _admit(app: Flask, kit: Kit, grants: Grants) -> Response | None:
    """Who calls, whether it may, and whether it says that it speaks JSON, which GETs must say too."""
    g.json = app.json.response
    if request.url_rule is None or request.url_rule.rule == TOKEN_PATH:
        return None
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    client = grants.client_of_token(token) if kind.lower() == "bearer" else None
    if client is None:
        g.note = "the access token is missing, expired or ended"
        return bare(401, WWW_Authenticate='Bearer error="invalid_token"' if token else "Bearer")
    g.company, g.user, g.client_id = PRINTING_HOUSE, client["name"], client["id"]
    kit.call_log.count_call(PRINTING_HOUSE)
    if (request.endpoint or "").partition("_")[0] not in client["resources"].split(","):
        g.note = "the client may not use this resource"
        return bare(403, WWW_Authenticate='Bearer error="insufficient_scope"')
    if request.mimetype != "application/json":
        raise Problem(
            int(kit.switches["content_type_refusal"]), detail="Every call needs Content-Type: application/json."
        )
    return None


def _request_body() -> dict[str, Any]:
    """The object that was sent. Raises Problem (400)."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Problem(400, {"$": ["The body must be a JSON object."]})
    return body
