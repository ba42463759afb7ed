"""The pages: Simutek's service desk, where API clients are registered, and the GKS4 of the printing house."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connections.sandbox.simutek import validation
from connections.sandbox.simutek.errors import Problem
from connections.sandbox.simutek.grants import RESOURCES, Grants, Refused
from connections.sandbox.simutek.orders import Orders
from connections.sandbox.simutek.records import Customer, Customers, SomebodyElseWasFirst
from connections.sandbox.simutek.sample_data import ADDRESS, PRINTING_HOUSE, Body

PAGE_SIZE = 50
DONE = {
    "disabled": "The API client was disabled. It gets no new access token.",
    "enabled": "The API client may come in again.",
    "ended": "Its access tokens have ended.",
    "saved": "The customer was saved.",
    "removed": "The customer was removed.",
}
LABELS = {
    "name": "Name",
    "invoiceEmail": "E-mail for invoices",
    "corporateIdentityNumber": "Corporate identity number",
    "address1": "Address",
    "address2": "Address, second line",
    "address3": "Address, third line",
    "city": "City",
    "zipCode": "Zip code",
    "state": "State",
    "countryCode": "Country code",
}


def pages(grants: Grants, customers: Customers, orders: Orders) -> Blueprint:
    """All pages, to be mounted at `/simutek/`."""
    blueprint = Blueprint("simutek", __name__)

    @blueprint.context_processor
    def surroundings() -> dict[str, Any]:
        done = DONE.get(request.args.get("done", ""), "")
        return {"house": PRINTING_HOUSE, "company_id": None, "menu": _menu(), "done": done}

    @blueprint.get("/")
    def home() -> str:
        clients = grants.clients()
        return render_template(
            "simutek/home.html",
            addresses=grants.addresses,
            enabled=sum(1 for client in clients if client["disabled_at"] is None),
            customers=len(customers.all()),
            orders=orders.count(),
        )

    _add_desk(blueprint, grants)
    _add_customers(blueprint, customers)

    @blueprint.get("/orders")
    def sales_orders() -> str:
        reference = request.args.get("reference", "").strip()
        matches = orders.all(reference or None)
        return render_template("simutek/orders.html", orders=matches, reference=reference)

    @blueprint.get("/orders/<int:order_id>")
    def sales_order(order_id: int) -> str:
        matches = [order for order in orders.all() if order["id"] == order_id] or abort(404)
        return render_template("simutek/order.html", order=matches[0])

    return blueprint


def _add_desk(blueprint: Blueprint, grants: Grants) -> None:
    @blueprint.route("/clients", methods=["GET", "POST"])
    def clients() -> str | tuple[str, int]:
        errors, credentials = {}, None
        form = {"name": "", "resources": list(RESOURCES)}
        if request.method == "POST":
            form = {"name": request.form.get("name", ""), "resources": request.form.getlist("resources")}
            try:
                credentials = grants.register(name=str(form["name"]), resources=form["resources"])
            except Refused as refused:
                errors = {refused.field: str(refused)}
        if credentials:
            return render_template("simutek/registered.html", credentials=credentials, addresses=grants.addresses)
        values = {"clients": grants.clients(), "resources": RESOURCES, "form": form, "errors": errors}
        return render_template("simutek/clients.html", **values), 422 if errors else 200

    def client_id_or_404(client_id: str) -> str:
        return client_id if grants.client(client_id) is not None else abort(404)

    @blueprint.post("/clients/<client_id>/disable")
    def disable(client_id: str) -> Response:
        grants.disable(client_id_or_404(client_id))
        return redirect(url_for(".clients", done="disabled"))

    @blueprint.post("/clients/<client_id>/enable")
    def enable(client_id: str) -> Response:
        grants.enable(client_id_or_404(client_id))
        return redirect(url_for(".clients", done="enabled"))

    @blueprint.post("/clients/<client_id>/end-tokens")
    def end_tokens(client_id: str) -> Response:
        grants.end_tokens(client_id_or_404(client_id))
        return redirect(url_for(".clients", done="ended"))


def _add_customers(blueprint: Blueprint, customers: Customers) -> None:
    def chosen(customer_id: int) -> Customer:
        return next((each for each in customers.all() if each.id == customer_id), None) or abort(404)

    @blueprint.get("/customers")
    def customer_register() -> str:
        name = request.args.get("name", "").strip()
        page = max(request.args.get("page", 1, type=int), 1)
        matches = customers.filter(name=name)
        page_customers = matches[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        more = len(matches) > page * PAGE_SIZE
        return render_template(
            "simutek/customers.html", customers=page_customers, total=len(matches), name=name, page=page, more=more
        )

    @blueprint.route("/customers/<int:customer_id>", methods=["GET", "POST"])
    def customer(customer_id: int) -> str | Response | tuple[str, int]:
        entry, errors = chosen(customer_id), {}
        form = _form_of(entry)
        if request.method == "POST":
            form = {name: request.form.get(name, "").strip() for name in form}
            try:
                body = _body(form, entry)
                if form["version"] != str(entry.version):
                    raise SomebodyElseWasFirst(entry.number)
                customers.save(entry, body)
                return redirect(url_for(".customer", customer_id=customer_id, done="saved"))
            except Problem as wrong:
                errors = {name.rpartition(".")[2]: messages[0] for name, messages in wrong.errors.items()}
            except SomebodyElseWasFirst:
                errors = {"version": "Somebody else saved this customer first. Open it again to see their change."}
        page = render_template("simutek/customer.html", customer=entry, form=form, errors=errors, labels=LABELS)
        return page, 422 if errors else 200

    @blueprint.post("/customers/<int:customer_id>/remove")
    def remove(customer_id: int) -> Response:
        customers.remove([chosen(customer_id).number])
        return redirect(url_for(".customer_register", done="removed"))


def _form_of(customer: Customer) -> dict[str, str]:
    address = customer.body["postalAddress"] or {}
    flat = {**customer.body, **{part: address.get(part) for part in ADDRESS}, "version": customer.version}
    return {name: str(flat[name] or "") for name in (*LABELS, "version")}


def _body(form: dict[str, str], customer: Customer) -> Body:
    """The form as the API would have it. Raises Problem."""
    fields: dict[str, Any] = {name: form[name] or None for name in LABELS}
    address = {part: fields.pop(part) for part in ADDRESS}
    fields["postalAddress"] = address if any(address.values()) else None
    return validation.customer({**fields, "number": customer.number}, number_needed=True)


def _menu() -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """The menu: heading, then id, title, address and whether the reader is here."""

    def entry(ident: str, title: str, endpoint: str, *inside: str) -> tuple[str, str, str, bool]:
        here = (request.endpoint or "").rpartition(".")[2] in (endpoint, *inside)
        return ident, title, url_for(f".{endpoint}"), here

    return [
        ("Simutek service desk", [entry("overview", "Overview", "home"), entry("clients", "API clients", "clients")]),
        (
            "GKS4",
            [
                entry("customers", "Customers", "customer_register", "customer"),
                entry("orders", "Sales orders", "sales_orders", "sales_order"),
            ],
        ),
        (
            "Simulator",
            [entry("calls", "What the API was asked", "calls"), entry("switches", "Switches", "switches")],
        ),
    ]
