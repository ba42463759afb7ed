"""The pages a person of a shop walks: the user panel, in Persian with English small print, and the consent page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from connections.sandbox.hesabit import authorization
from connections.sandbox.hesabit.accounts import FIRST, Accounts, Shop
from connections.sandbox.hesabit.errors import TokenError
from connections.sandbox.hesabit.grants import PORTAL_CLIENT, Grants, Refused
from connections.sandbox.kit import Kit

DONE = {
    "created": "کلاینت ساخته شد. شناسه و رمز آن را کپی کنید.",
    "removed": "کلاینت حذف شد.",
    "revoked": "دسترسی برنامه لغو شد.",
    "package": "وضعیت بسته ذخیره شد.",
}
# Without form-action: browsers would hold it against the way back to the application.
CONSENT_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:"
ENGLISH = ("calls", "switches")  # the pages all simulators share


def pages(kit: Kit, accounts: Accounts, grants: Grants) -> Blueprint:
    """All pages, to be mounted at `/hesabit/`."""
    blueprint = Blueprint("hesabit", __name__)

    @blueprint.context_processor
    def surroundings() -> dict[str, Any]:
        chosen = (request.view_args or {}).get("shop_id") or request.args.get("company", FIRST, type=int)
        shop = accounts.shop(chosen) or accounts.all()[0]
        in_english = (request.endpoint or "").rpartition(".")[2] in ENGLISH
        # The shared pages call whoever is signed in a company.
        values = {"shop": shop, "company_id": shop.id, "menu": _menu(shop.id), "in_english": in_english}
        return values | {"done": DONE.get(request.args.get("done", ""), "")}

    @blueprint.route("/", methods=["GET", "POST"])
    def home() -> str | Answer | tuple[str, int]:
        """Log in as one of the invented shops; nobody has a password."""
        errors: dict[str, str] = {}
        if request.method == "POST":
            chosen = accounts.shop(request.form.get("shop", 0, type=int))
            if chosen is not None:
                return redirect(url_for(".overview", shop_id=chosen.id))
            errors = {"shop": "یک فروشگاه را انتخاب کنید."}
        return render_template("hesabit/login.html", shops=accounts.all(), errors=errors), 422 if errors else 200

    @blueprint.get("/shops/<int:shop_id>/")
    def overview(shop_id: int) -> str:
        _shop(accounts, shop_id)
        living = sum(1 for grant in grants.granted(shop_id) if grant["revoked_at"] is None)
        return render_template("hesabit/home.html", clients=len(grants.clients(shop_id)), granted=living)

    @blueprint.route("/shops/<int:shop_id>/packages", methods=["GET", "POST"])
    def packages(shop_id: int) -> str | Answer:
        _shop(accounts, shop_id)
        if request.method == "POST":
            accounts.set_package(shop_id, request.form.get("package") == "active")
            return redirect(url_for(".packages", shop_id=shop_id, done="package"))
        return render_template("hesabit/packages.html")

    _add_client_pages(blueprint, accounts, grants)
    _add_consent_page(blueprint, kit, accounts, grants)
    return blueprint


def _add_client_pages(blueprint: Blueprint, accounts: Accounts, grants: Grants) -> None:
    @blueprint.route("/shops/<int:shop_id>/clients", methods=["GET", "POST"])
    def clients(shop_id: int) -> str | Answer | tuple[str, int]:
        _shop(accounts, shop_id)
        errors: dict[str, str] = {}
        form = {name: request.form.get(name, "").strip() for name in ("name", "redirect_uri")}
        if request.method == "POST":
            try:
                grants.register(shop_id, **form)
                return redirect(url_for(".clients", shop_id=shop_id, done="created"))
            except Refused as refused:
                errors = {refused.field: str(refused)}
        page = render_template("hesabit/clients.html", clients=grants.clients(shop_id), form=form, errors=errors)
        return page, 422 if errors else 200

    @blueprint.post("/shops/<int:shop_id>/clients/<client_id>/remove")
    def remove_client(shop_id: int, client_id: str) -> Answer:
        if client_id not in {client["id"] for client in grants.clients(_shop(accounts, shop_id).id)}:
            abort(404)
        grants.remove_client(client_id)
        return redirect(url_for(".clients", shop_id=shop_id, done="removed"))

    @blueprint.get("/shops/<int:shop_id>/applications")
    def applications(shop_id: int) -> str:
        return render_template("hesabit/applications.html", granted=grants.granted(_shop(accounts, shop_id).id))

    @blueprint.post("/shops/<int:shop_id>/applications/<int:grant_id>/revoke")
    def revoke_application(shop_id: int, grant_id: int) -> Answer:
        if grant_id not in {grant["id"] for grant in grants.granted(_shop(accounts, shop_id).id)}:
            abort(404)
        grants.revoke(grant_id)
        return redirect(url_for(".applications", shop_id=shop_id, done="revoked"))

    @blueprint.get("/portal-client")
    def portal_client() -> str:
        return render_template("hesabit/portal_client.html", client=grants.client(PORTAL_CLIENT))


def _add_consent_page(blueprint: Blueprint, kit: Kit, accounts: Accounts, grants: Grants) -> None:
    @blueprint.route("/oauth2/authorize", methods=["GET", "POST"])
    def authorize() -> Answer:
        """Log in as a shop, see who asks, and answer."""
        errors: dict[str, str] = {}
        try:
            question = authorization.read_request(kit, grants, request.args.to_dict())
        except authorization.SentBack as sent_back:
            return redirect(sent_back.location)
        except TokenError as refused:
            return _consent_answer(render_template("hesabit/consent.html", refused=refused.description), 400)
        if request.method == "POST":
            shop, approved = (
                accounts.shop(request.form.get("shop", 0, type=int)),
                request.form.get("answer") == "approve",
            )
            if shop is not None or not approved:
                return redirect(
                    authorization.redirect_address(kit, grants, question, shop.id if shop else 0, approved=approved)
                )
            errors = {"shop": "یک فروشگاه را انتخاب کنید."}
        page = render_template("hesabit/consent.html", question=question, shops=accounts.all(), errors=errors)
        return _consent_answer(page, 422 if errors else 200)


def _consent_answer(page: str, status: int) -> Answer:
    headers = {"Content-Security-Policy": CONSENT_POLICY}
    return Answer(page, status=status, headers=headers, content_type="text/html; charset=utf-8")


def _shop(accounts: Accounts, shop_id: int) -> Shop:
    return accounts.shop(shop_id) or abort(404)


Entry = tuple[str, str, str, str, bool]


def _menu(shop_id: int) -> list[tuple[str, str, list[Entry]]]:
    """The panel's menu and the simulator's: Persian and English heading, then id, Persian, English, address, here."""

    def entry(ident: str, persian: str, english: str, endpoint: str, **where: Any) -> Entry:
        here = (request.endpoint or "").rpartition(".")[2] == endpoint
        return ident, persian, english, url_for(f".{endpoint}", **where), here

    of, on = {"shop_id": shop_id}, {"company": shop_id}
    return [
        (
            "پنل کاربری",
            "User panel",
            [
                entry("overview", "پیشخوان", "Overview", "overview", **of),
                entry("clients", "کلاینت‌ها", "Clients", "clients", **of),
                entry("applications", "برنامه‌های متصل", "Connected applications", "applications", **of),
                entry("packages", "بسته‌ها", "Packages", "packages", **of),
            ],
        ),
        (
            "شبیه‌ساز",
            "Simulator",
            [
                entry("calls", "", "What the API was asked", "calls", **on),
                entry("portal-client", "", "The portal’s client", "portal_client", **on),
                entry("switches", "", "Switches", "switches", **on),
            ],
        ),
    ]
