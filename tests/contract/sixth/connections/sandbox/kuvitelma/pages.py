"""The page a person consents on, and the same deeds over the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from connections.sandbox.kuvitelma.books import Books
from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from connections.sandbox.kit import Kit
from connections.sandbox.kit.site import WrongOrder, required_field, required_object

# Without `form-action`, which browsers hold against the way back to the client.
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:"}


def pages(kit: Kit, books: Books) -> Blueprint:
    blueprint = Blueprint("kuvitelma", __name__, template_folder="templates")

    def back(asked: Mapping[str, str], *, deny: bool) -> str:
        ours = kit.store.get("client", {})
        if asked.get("client_id") != ours["client_id"] or asked.get("redirect_uri") != ours["redirect_uri"]:
            msg = "no such client"
            raise WrongOrder(msg)
        told = {"error": "access_denied"}
        if not deny:
            told = {"code": books.issue("code")}
            kit.store.set(f"challenge {told['code']}", asked.get("code_challenge", ""))
        return f"{ours['redirect_uri']}?{urlencode({**told, 'state': asked.get('state', '')})}"

    @blueprint.get("/")
    def home() -> str:
        return render_template("kuvitelma/home.html")

    @blueprint.route("/consent", methods=["GET", "POST"])
    def consent() -> Response | tuple[str, dict[str, str]]:
        if request.method == "POST":
            return redirect(back(request.args, deny=request.form.get("answer") != "approve"))
        return render_template("kuvitelma/consent.html"), POLICY

    @blueprint.post("/control/consent")
    def control_consent() -> dict[str, str]:
        wanted = required_object()
        asked = dict(parse_qsl(urlsplit(required_field(wanted, "url", str)).query))
        return {"location": back(asked, deny=bool(wanted.get("deny")))}

    @blueprint.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        client_id, secret = books.add_client()
        return {
            "credentials": {"client_id": client_id, "client_secret": secret},
            "company_id": "77",
            "company": "Olematon Oy",
        }

    @blueprint.post("/control/revoke")
    def control_revoke() -> dict[str, bool]:
        books.revoke()
        return {"revoked": True}

    @blueprint.get("/control/records")
    def control_records() -> dict[str, Any]:
        return {"records": books.page(0, books.count())}

    @blueprint.post("/control/records")
    def control_hold() -> dict[str, Any]:
        books.hold(required_field(required_object(), "count", int))
        return {"count": books.count()}

    @blueprint.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        ids = required_field(required_object(), "ids", list)
        for ident in ids:
            books.touch(int(ident))
        return {"ids": ids}

    @blueprint.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        ids = required_field(required_object(), "ids", list)
        for ident in ids:
            books.remove(int(ident))
        return {"removed": ids}

    return blueprint
