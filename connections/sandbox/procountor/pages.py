"""The pages a customer walks, in the words and menu paths of Procountor."""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connections.sandbox.procountor import rights
from connections.sandbox.procountor.accounts import ALL_RIGHTS_ROLE, CUSTOMISED, MAIN_COMPANY, Accounts, Refused
from connections.sandbox.procountor.confirmations import Confirmations

ROLES = (CUSTOMISED, ALL_RIGHTS_ROLE)
LIMITS = {"false": "No", "true": "Yes"}
DONE = {
    "usage": "Saved.",
    "created": "The user was created.",
    "saved": "The user was saved.",
    "renewed": "The password was changed. Access tokens of this user have ended.",
    "removed": "The user was removed from the company.",
    "revoked": "The API key was revoked.",
    "client": "The API client was registered.",
    "specification": "The specification was saved.",
    "confirmed": "Confirmed.",
    "rejected": "Rejected.",
    "failed": "Confirmed, but it could no longer be done.",
    "late": "That had been decided or had expired already.",
}


def pages(accounts: Accounts, confirmations: Confirmations) -> Blueprint:
    """All pages, to be mounted at `/procountor/`."""
    blueprint = Blueprint("procountor", __name__)

    @blueprint.context_processor
    def surroundings() -> dict[str, Any]:
        chosen = (request.view_args or {}).get("company_id") or request.args.get("company", MAIN_COMPANY, type=int)
        company = accounts.company(chosen) or accounts.companies()[0]
        values = {"companies": accounts.companies(), "company_id": company["id"], "menu": _menu(company["id"])}
        return values | {"done": DONE.get(request.args.get("done", ""), "")}

    @blueprint.get("/")
    def home() -> str | Response:
        chosen = request.args.get("company", MAIN_COMPANY, type=int)
        return redirect(url_for(".overview", company_id=_company(accounts, chosen)["id"]))

    @blueprint.get("/companies/<int:company_id>/")
    def overview(company_id: int) -> str:
        company, users = _company(accounts, company_id), accounts.users(company_id)
        return render_template(
            "procountor/home.html",
            company=company,
            person=next(user for user in users if user["person"]),
            technical_users=sum(1 for user in users if not user["person"]),
            living_keys=sum(1 for k in accounts.keys(company_id) if not k["revoked_at"] and not k["user_removed_at"]),
        )

    @blueprint.route("/companies/<int:company_id>/usage-settings", methods=["GET", "POST"])
    def usage_settings(company_id: int) -> str | Response:
        company = _company(accounts, company_id)
        if request.method == "POST":
            accounts.allow_usage(company_id, "usage_allowed" in request.form)
            return redirect(url_for(".usage_settings", company_id=company_id, done="usage"))
        return render_template("procountor/usage_settings.html", company=company)

    _add_user_pages(blueprint, accounts)
    _add_key_pages(blueprint, accounts)
    _add_key_app(blueprint, accounts, confirmations)
    return blueprint


def _add_user_pages(blueprint: Blueprint, accounts: Accounts) -> None:
    @blueprint.get("/companies/<int:company_id>/users")
    def users(company_id: int) -> str:
        company = _company(accounts, company_id)
        return render_template("procountor/users.html", company=company, users=accounts.users(company_id))

    @blueprint.route("/companies/<int:company_id>/users/new", methods=["GET", "POST"])
    def new_user(company_id: int) -> str | Response | tuple[str, int]:
        company = _company(accounts, company_id)
        empty: dict[str, Any] = {"name": "", "role": CUSTOMISED, "m2m_only": False, "levels": rights.preset("nothing")}
        if request.method == "GET":
            return _user_page(company, None, empty)
        try:
            form = _user_form(empty["levels"])
            if "preset" in request.form:
                return _user_page(company, None, form)
            accounts.add_user(company_id, **form)
        except Refused as refused:
            return _user_page(company, None, _typed(empty), {refused.field: str(refused)}), 422
        return redirect(url_for(".users", company_id=company_id, done="created"))

    @blueprint.route("/companies/<int:company_id>/users/<int:user_id>", methods=["GET", "POST"])
    def edit_user(company_id: int, user_id: int) -> str | Response | tuple[str, int]:
        company, user = _company(accounts, company_id), _user(accounts, company_id, user_id)
        changes = {
            "name": user["name"],
            "role": user["role"],
            "m2m_only": user["m2m_only"],
            "levels": accounts.levels(user),
        }
        if request.method == "GET":
            return _user_page(company, user, changes)
        try:
            form = _user_form(changes["levels"])
            if "preset" in request.form:
                return _user_page(company, user, form)
            accounts.change_user(user, **form)
        except Refused as refused:
            return _user_page(company, user, _typed(changes), {refused.field: str(refused)}), 422
        return redirect(url_for(".edit_user", company_id=company_id, user_id=user_id, done="saved"))

    @blueprint.post("/companies/<int:company_id>/users/<int:user_id>/password")
    def change_password(company_id: int, user_id: int) -> Response:
        accounts.change_password(_user(accounts, company_id, user_id)["id"])
        return redirect(url_for(".edit_user", company_id=company_id, user_id=user_id, done="renewed"))

    @blueprint.post("/companies/<int:company_id>/users/<int:user_id>/remove")
    def remove_user(company_id: int, user_id: int) -> Response:
        user = _user(accounts, company_id, user_id)
        if user["person"]:
            abort(403, "The last person with all rights stays.")
        accounts.remove_user(user["id"])
        return redirect(url_for(".users", company_id=company_id, done="removed"))


def _add_key_pages(blueprint: Blueprint, accounts: Accounts) -> None:
    @blueprint.get("/companies/<int:company_id>/api-keys")
    def api_keys(company_id: int) -> str:
        company = _company(accounts, company_id)
        return render_template("procountor/api_keys.html", company=company, keys=accounts.keys(company_id))

    @blueprint.route("/companies/<int:company_id>/api-keys/new", methods=["GET", "POST"])
    def new_api_key(company_id: int) -> str | tuple[str, int]:
        company, errors, api_key = _company(accounts, company_id), {}, None
        form = {name: request.form.get(name, "").strip() for name in ("user", "client_id")}
        if request.method == "POST":
            try:
                user_id = int(form["user"]) if form["user"].isdecimal() else 0
                api_key = accounts.add_key(company_id, user_id=user_id, client_id=form["client_id"])
            except Refused as refused:
                errors = {refused.field: str(refused)}
        values = {"company": company, "users": accounts.users(company_id), "form": form, "errors": errors}
        return render_template("procountor/new_api_key.html", api_key=api_key, **values), 422 if errors else 200

    @blueprint.post("/companies/<int:company_id>/api-keys/<int:key_id>/revoke")
    def revoke_api_key(company_id: int, key_id: int) -> Response:
        if key_id not in {key["id"] for key in accounts.keys(company_id)}:
            abort(404)
        accounts.revoke_key(key_id)
        return redirect(url_for(".api_keys", company_id=company_id, done="revoked"))

    @blueprint.route("/clients", methods=["GET", "POST"])
    def clients() -> str | Response | tuple[str, int]:
        errors: dict[str, str] = {}
        form: dict[str, Any] = {name: request.form.get(name, "").strip() for name in ("name", "redirect_uri")}
        form["invoiceable"] = "invoiceable" in request.form or request.method == "GET"
        if request.method == "POST":
            try:
                accounts.add_client(**form)
                return redirect(url_for(".clients", done="client", company=request.args.get("company")))
            except Refused as refused:
                errors = {refused.field: str(refused)}
        page = render_template("procountor/clients.html", clients=accounts.clients(), form=form, errors=errors)
        return page, 422 if errors else 200


def _add_key_app(blueprint: Blueprint, accounts: Accounts, confirmations: Confirmations) -> None:
    @blueprint.route("/companies/<int:company_id>/key-app", methods=["GET", "POST"])
    def key_app(company_id: int) -> str | Response:
        """The Procountor Key app of the company's people."""
        company = _company(accounts, company_id)
        newest = confirmations.newest(company_id)
        if request.method == "POST":
            ident = request.form.get("id", "")
            if ident not in {row["id"] for row in newest}:
                abort(404)
            try:
                done = confirmations.decide(ident, confirmed=request.form.get("answer") == "confirm")
            except Refused:
                done = "late"
            return redirect(url_for(".key_app", company_id=company_id, done=done))
        rows = [(row, confirmations.state(row), accounts.user(company_id, row["user_id"])) for row in newest]
        return render_template("procountor/key_app.html", company=company, rows=rows)


def _company(accounts: Accounts, company_id: int) -> sqlite3.Row:
    return accounts.company(company_id) or abort(404)


def _user(accounts: Accounts, company_id: int, user_id: int) -> sqlite3.Row:
    return accounts.user(company_id, user_id) or abort(404)


def _user_form(levels: rights.Levels) -> dict[str, Any]:
    """What was sent for a user, with a preset filled in when its button was pressed. Raises Refused."""
    submitted: dict[str, object] = {}
    for name, right in rights.BY_NAME.items():
        if name in request.form:
            value = request.form[name]
            submitted[name] = value == "true" if right.limitation else value
    role = request.form.get("role", CUSTOMISED)
    try:
        new_levels = (
            rights.preset(request.form["preset"]) if "preset" in request.form else rights.merged(levels, submitted)
        )
    except (KeyError, ValueError) as unknown:
        raise Refused(field="rights", message="Choose one of the levels offered.") from unknown
    if "preset" in request.form:
        role = ALL_RIGHTS_ROLE if request.form["preset"] == "everything" else CUSTOMISED
    elif role == ALL_RIGHTS_ROLE:
        new_levels = rights.preset("everything")
    m2m_only = request.form.get("m2m_only") == "in_use"
    return {"name": request.form.get("name", ""), "role": role, "m2m_only": m2m_only, "levels": new_levels}


def _typed(changes: dict[str, Any]) -> dict[str, Any]:
    """The refused form as it was typed, as far as it makes sense."""
    try:
        return _user_form(changes["levels"])
    except Refused:
        return changes


def _user_page(
    company: sqlite3.Row, user: sqlite3.Row | None, form: dict[str, Any], errors: dict[str, str] | None = None
) -> str:
    return render_template(
        "procountor/user.html",
        company=company,
        user=user,
        form=form,
        errors=errors or {},
        roles=ROLES,
        rights=rights.RIGHTS,
        levels=rights.LEVELS,
        limits=LIMITS,
        presets=rights.PRESETS,
    )


def _menu(company_id: int) -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """Procountor's own menu as far as it is simulated, and the simulator's: heading, then id, title, address, here."""

    def entry(ident: str, title: str, endpoint: str, *inside: str, **where: Any) -> tuple[str, str, str, bool]:
        here = (request.endpoint or "").rpartition(".")[2] in (endpoint, *inside)
        return ident, title, url_for(f".{endpoint}", **where), here

    of, on = {"company_id": company_id}, {"company": company_id}
    return [
        (
            "Management",
            [
                entry("overview", "Overview", "overview", **of),
                entry("usage-settings", "Usage settings", "usage_settings", **of),
                entry("users", "Users and privileges", "users", "new_user", "edit_user", **of),
            ],
        ),
        (
            "Personal info and settings",
            [entry("api-keys", "API client keys", "api_keys", "new_api_key", **of)],
        ),
        (
            "Simulator",
            [
                entry("calls", "What the API was asked", "calls", **on),
                entry("clients", "API clients", "clients", **on),
                entry("specification", "Integration specification", "specification", **on),
                entry("procountor-key", "Procountor Key", "key_app", **of),
                entry("switches", "Switches", "switches", **on),
            ],
        ),
    ]
