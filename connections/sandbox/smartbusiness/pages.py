"""The pages a customer walks: Home > Users > API V2, the rights, the plan, and the consent page."""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness import authorization
from connections.sandbox.smartbusiness.accounts import AREAS, LEVELS, LIMITS, PLAN_NAMES, Accounts, Refused
from connections.sandbox.smartbusiness.errors import ApiError
from connections.sandbox.smartbusiness.grants import OWN, PORTAL_CLIENT, SCOPES, Grants
from connections.sandbox.smartbusiness.sample_data import COMPANIES

DONE = {
    "rights": "The rights were saved.",
    "plan": "The plan was saved.",
    "registered": "The client was registered. Copy its id and secret.",
    "client": "The client was revoked. Whatever it was given has ended.",
    "revoked": "The connected application was revoked.",
}
# Without form-action: browsers would hold it against the way back to the application.
CONSENT_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:"


def pages(kit: Kit, accounts: Accounts, grants: Grants) -> Blueprint:
    """All pages, to be mounted at `/smartbusiness/`."""
    blueprint = Blueprint("smartbusiness", __name__)

    @blueprint.context_processor
    def surroundings() -> dict[str, Any]:
        chosen = (request.view_args or {}).get("company_id") or request.args.get("company", COMPANIES[0], type=int)
        company = accounts.company(chosen) or accounts.companies()[0]
        values = {"companies": accounts.companies(), "company_id": company["id"], "menu": _menu(company["id"])}
        return values | {"done": DONE.get(request.args.get("done", ""), "")}

    @blueprint.get("/")
    def home() -> Answer:
        chosen = request.args.get("company", COMPANIES[0], type=int)
        return redirect(url_for(".overview", company_id=_company(accounts, chosen)["id"]))

    @blueprint.get("/companies/<int:company_id>/")
    def overview(company_id: int) -> str:
        company = _company(accounts, company_id)
        return render_template(
            "smartbusiness/home.html",
            company=company,
            owner=accounts.users(company_id)[0],
            plan=PLAN_NAMES[company["plan"]],
            clients=sum(1 for client in grants.clients(company_id) if client["revoked_at"] is None),
            connected=sum(1 for grant in grants.connected(company_id) if grant["revoked_at"] is None),
        )

    @blueprint.route("/companies/<int:company_id>/plan", methods=["GET", "POST"])
    def plan(company_id: int) -> str | Answer | tuple[str, int]:
        company, errors = _company(accounts, company_id), {}
        if request.method == "POST":
            limit = request.form.get("limit", "")
            try:
                accounts.set_plan(company_id, request.form.get("plan", ""), int(limit) if limit.isdecimal() else None)
                return redirect(url_for(".plan", company_id=company_id, done="plan"))
            except Refused as refused:
                errors = {refused.field: str(refused)}
        values = {"company": company, "plans": PLAN_NAMES, "limits": LIMITS, "errors": errors}
        return render_template("smartbusiness/plan.html", **values), 422 if errors else 200

    _add_user_pages(blueprint, accounts)
    _add_client_pages(blueprint, accounts, grants)
    _add_consent_page(blueprint, kit, accounts, grants)
    return blueprint


def _add_user_pages(blueprint: Blueprint, accounts: Accounts) -> None:
    @blueprint.get("/companies/<int:company_id>/users")
    def users(company_id: int) -> str:
        company = _company(accounts, company_id)
        users = [(user, accounts.rights(user)) for user in accounts.users(company_id)]
        return render_template("smartbusiness/users.html", company=company, users=users, areas=AREAS, levels=LEVELS)

    @blueprint.route("/companies/<int:company_id>/users/<int:user_id>", methods=["GET", "POST"])
    def user(company_id: int, user_id: int) -> str | Answer | tuple[str, int]:
        company, user, errors = _company(accounts, company_id), accounts.user(user_id), {}
        if user is None or user["company_id"] != company_id:
            abort(404)
        if request.method == "POST":
            try:
                accounts.set_rights(user_id, {area: request.form[area] for area in AREAS if area in request.form})
                return redirect(url_for(".user", company_id=company_id, user_id=user_id, done="rights"))
            except Refused as refused:
                errors = {refused.field: str(refused)}
        values = {"company": company, "user": user, "rights": accounts.rights(user), "areas": AREAS, "levels": LEVELS}
        return render_template("smartbusiness/user.html", errors=errors, **values), 422 if errors else 200


def _add_client_pages(blueprint: Blueprint, accounts: Accounts, grants: Grants) -> None:
    @blueprint.get("/companies/<int:company_id>/api")
    def api(company_id: int) -> str:
        values = {"company": _company(accounts, company_id), "clients": grants.clients(company_id)}
        return render_template("smartbusiness/api.html", connected=grants.connected(company_id), **values)

    @blueprint.route("/companies/<int:company_id>/api/clients/new", methods=["GET", "POST"])
    def new_client(company_id: int) -> str | Answer | tuple[str, int]:
        company, errors = _company(accounts, company_id), {}
        form: dict[str, Any] = {name: request.form.get(name, "").strip() for name in ("name", "redirect_uri")}
        form |= {"grant_type": request.form.get("grant_type", OWN), "scopes": request.form.getlist("scopes")}
        form["user_id"] = request.form.get("user", company_id, type=int)
        if request.method == "POST":
            try:
                client_id = grants.register(company_id, **form)
                return redirect(url_for(".client", company_id=company_id, client_id=client_id, done="registered"))
            except Refused as refused:
                errors = {refused.field: str(refused)}
        values = {"company": company, "users": accounts.users(company_id), "scopes": SCOPES, "form": form}
        return render_template("smartbusiness/new_client.html", errors=errors, **values), 422 if errors else 200

    @blueprint.get("/companies/<int:company_id>/api/clients/<client_id>")
    def client(company_id: int, client_id: str) -> str:
        company, client = _company(accounts, company_id), _client(grants, company_id, client_id)
        acts_as = accounts.user(client["user_id"])
        return render_template("smartbusiness/client.html", company=company, client=client, user=acts_as)

    @blueprint.post("/companies/<int:company_id>/api/clients/<client_id>/revoke")
    def revoke_client(company_id: int, client_id: str) -> Answer:
        grants.revoke_client(_client(grants, company_id, client_id)["id"])
        return redirect(url_for(".api", company_id=company_id, done="client"))

    @blueprint.post("/companies/<int:company_id>/api/connected/<int:grant_id>/revoke")
    def revoke_connected(company_id: int, grant_id: int) -> Answer:
        if grant_id not in {grant["id"] for grant in grants.connected(company_id)}:
            abort(404)
        grants.revoke(grant_id)
        return redirect(url_for(".api", company_id=company_id, done="revoked"))

    @blueprint.get("/vendor-client")
    def vendor_client() -> str:
        return render_template("smartbusiness/vendor_client.html", client=grants.client(PORTAL_CLIENT))


def _add_consent_page(blueprint: Blueprint, kit: Kit, accounts: Accounts, grants: Grants) -> None:
    @blueprint.route("/auth/authorize", methods=["GET", "POST"])
    def authorize() -> Answer:
        """Sign in as an invented person, see who asks for what, and answer."""
        errors: dict[str, str] = {}
        try:
            question = authorization.read_request(kit, grants, request.args.to_dict())
        except authorization.SentBack as sent_back:
            return redirect(sent_back.location)
        except ApiError as refused:
            return _consent_answer(render_template("smartbusiness/consent.html", refused=refused.message), 400)
        if request.method == "POST":
            user = accounts.user(request.form.get("user", 0, type=int))
            approved = request.form.get("answer") == "approve"
            if user is not None or not approved:
                location = authorization.redirect_address(kit, grants, question, user, approved=approved)
                if location is not None:
                    return redirect(location)
                return _consent_answer(render_template("smartbusiness/consent.html", refused="You have denied."), 200)
            errors = {"user": "Choose who you are."}
        people = [(user, accounts.company(user["company_id"])) for user in accounts.users()]
        page = render_template("smartbusiness/consent.html", question=question, people=people, errors=errors)
        return _consent_answer(page, 422 if errors else 200)


def _consent_answer(page: str, status: int) -> Answer:
    headers = {"Content-Security-Policy": CONSENT_POLICY}
    return Answer(page, status=status, headers=headers, content_type="text/html; charset=utf-8")


def _company(accounts: Accounts, company_id: int) -> dict[str, Any]:
    return accounts.company(company_id) or abort(404)


def _client(grants: Grants, company_id: int, client_id: str) -> sqlite3.Row:
    client = grants.client(client_id)
    if client is None or client["company_id"] != company_id:
        abort(404)
    return client


def _menu(company_id: int) -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """SmartBusiness's own menu as far as it is simulated, and the simulator's: heading, then id, title, address, here."""

    def entry(ident: str, title: str, endpoint: str, *inside: str, **where: Any) -> tuple[str, str, str, bool]:
        here = (request.endpoint or "").rpartition(".")[2] in (endpoint, *inside)
        return ident, title, url_for(f".{endpoint}", **where), here

    of, on = {"company_id": company_id}, {"company": company_id}
    return [
        (
            "Home",
            [
                entry("overview", "Overview", "overview", **of),
                entry("users", "Users", "users", "user", **of),
                entry("api", "Users: API V2", "api", "new_client", "client", **of),
                entry("plan", "Plan", "plan", **of),
            ],
        ),
        (
            "Simulator",
            [
                entry("calls", "What the API was asked", "calls", **on),
                entry("vendor-client", "The portal’s client", "vendor_client", **on),
                entry("switches", "Switches", "switches", **on),
            ],
        ),
    ]
