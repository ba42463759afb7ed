"""The administrator's office at Pentamic, where a customer asks for access: clients, addresses, certificates."""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connections.sandbox.pentamic.grants import API_SCOPE, COMPANIES, SCOPES, Grants, Refused
from connections.sandbox.pentamic.records import Records

DONE = {
    "created": "The client was created. Hand the customer what stands below.",
    "disabled": "The client was disabled. It gets no new access token.",
    "enabled": "The client was enabled again.",
    "secret": "The client has a new secret. The old one has ended.",
    "scopes": "The allowed scope was changed.",
    "certificate": "The server serves a new certificate. Whoever trusted the old one must be told.",
}
DOORS = {"api": "API", "identity": "Authentication server"}
NEWEST = 50


def pages(grants: Grants, records: Records) -> Blueprint:
    """All pages, to be mounted at `/pentamic/`."""
    blueprint = Blueprint("pentamic", __name__)

    @blueprint.context_processor
    def surroundings() -> dict[str, Any]:
        return {"menu": _menu(), "done": DONE.get(request.args.get("done", ""), "")}

    @blueprint.get("/")
    def home() -> str:
        return render_template("pentamic/home.html", companies=COMPANIES, clients=grants.clients())

    @blueprint.get("/customers")
    def customers() -> str:
        company = request.args.get("company", min(COMPANIES), type=int)
        if company not in COMPANIES:
            abort(404)
        rows = records.customers(company, descending=True)
        return render_template(
            "pentamic/customers.html", company=company, companies=COMPANIES, count=len(rows), newest=rows[:NEWEST]
        )

    _add_client_pages(blueprint, grants)
    _add_certificate_pages(blueprint, grants)
    return blueprint


def _add_client_pages(blueprint: Blueprint, grants: Grants) -> None:
    def client_or_404(client_id: str) -> sqlite3.Row:
        return grants.client(client_id) or abort(404)

    def back_to_client(client_id: str, done: str) -> Response:
        return redirect(url_for(".client", client_id=client_id, done=done))

    @blueprint.route("/clients/new", methods=["GET", "POST"])
    def new_client() -> str | Response | tuple[str, int]:
        form: dict[str, Any] = {"company": 0, "name": "", "scopes": [API_SCOPE]}
        if request.method == "GET":
            return _new_client_page(form)
        form = {
            "company": request.form.get("company", 0, type=int),
            "name": request.form.get("name", ""),
            "scopes": request.form.getlist("scopes"),
        }
        try:
            client_id = grants.add_client(form["company"], name=form["name"], scopes=form["scopes"])
        except Refused as refused:
            return _new_client_page(form, {refused.field: str(refused)}), 422
        return back_to_client(client_id, "created")

    @blueprint.get("/clients/<client_id>")
    def client(client_id: str) -> str:
        row = client_or_404(client_id)
        return _client_page(grants, row)

    @blueprint.post("/clients/<client_id>/scopes")
    def change_scopes(client_id: str) -> Response | tuple[str, int]:
        row = client_or_404(client_id)
        try:
            grants.allow_scopes(row["id"], request.form.getlist("scopes"))
        except Refused as refused:
            return _client_page(grants, row, {refused.field: str(refused)}), 422
        return back_to_client(row["id"], "scopes")

    @blueprint.post("/clients/<client_id>/disable")
    def disable_client(client_id: str) -> Response:
        grants.enable(client_or_404(client_id)["id"], False)
        return back_to_client(client_id, "disabled")

    @blueprint.post("/clients/<client_id>/enable")
    def enable_client(client_id: str) -> Response:
        grants.enable(client_or_404(client_id)["id"], True)
        return back_to_client(client_id, "enabled")

    @blueprint.post("/clients/<client_id>/secret")
    def renew_secret(client_id: str) -> Response:
        grants.renew_secret(client_or_404(client_id)["id"])
        return back_to_client(client_id, "secret")


def _add_certificate_pages(blueprint: Blueprint, grants: Grants) -> None:
    @blueprint.get("/certificates")
    def certificates() -> str:
        addresses = {"api": grants.addresses["api_url"], "identity": grants.addresses["auth_url"]}
        return render_template(
            "pentamic/certificates.html", doors=DOORS, fingerprints=grants.fingerprints(), addresses=addresses
        )

    @blueprint.get("/certificates/<any(api, identity):door>.pem")
    def certificate(door: str) -> Response:
        headers = {"Content-Disposition": f'attachment; filename="pentamic-{door}.pem"'}
        return Response(grants.certificate(door), headers=headers, content_type="application/x-pem-file")

    @blueprint.post("/certificates/<any(api, identity):door>/renew")
    def renew_certificate(door: str) -> Response:
        grants.renew_certificate(door)
        return redirect(url_for(".certificates", done="certificate"))


def _new_client_page(form: dict[str, Any], errors: dict[str, str] | None = None) -> str:
    return render_template(
        "pentamic/new_client.html", companies=COMPANIES, scopes=SCOPES, form=form, errors=errors or {}
    )


def _client_page(grants: Grants, row: sqlite3.Row, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "pentamic/client.html",
        client=row,
        company=COMPANIES[row["company_id"]],
        scopes=SCOPES,
        allowed=row["scopes"].split(),
        addresses=grants.addresses,
        fingerprints=grants.fingerprints(),
        errors=errors or {},
    )


def _menu() -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """Heading, then id, title, address, and whether it is where the reader is."""

    def entry(ident: str, title: str, endpoint: str, *inside: str) -> tuple[str, str, str, bool]:
        here = (request.endpoint or "").rpartition(".")[2] in (endpoint, *inside)
        return ident, title, url_for(f".{endpoint}"), here

    return [
        (
            "Administrator's office",
            [
                entry("clients", "API clients", "home", "new_client", "client", "change_scopes"),
                entry("certificates", "Certificates", "certificates"),
            ],
        ),
        ("Pentamic Accounting", [entry("customers", "Customers", "customers")]),
        (
            "Simulator",
            [
                entry("calls", "What the API was asked", "calls"),
                entry("switches", "Switches", "switches"),
            ],
        ),
    ]
