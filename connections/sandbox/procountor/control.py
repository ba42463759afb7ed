"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from connections.sandbox.kit.site import WrongOrder, needed, wanted_object
from connections.sandbox.procountor import rights
from connections.sandbox.procountor.office import MAIN_COMPANY, Office, Refused
from connections.sandbox.procountor.streams import STREAMS, Records


def add_control(pages: Blueprint, office: Office, records: Records) -> None:
    """The part of `/procountor/control/` that only this simulator has."""

    def company(wanted: Mapping[str, Any]) -> sqlite3.Row:
        found = office.company(int(wanted.get("company", MAIN_COMPANY)))
        if found is None:
            msg = "there is no such company"
            raise WrongOrder(msg)
        return found

    def stream(wanted: Mapping[str, Any]) -> str:
        name = str(wanted.get("stream"))
        if name not in STREAMS:
            msg = f"stream must be one of {', '.join(STREAMS)}"
            raise WrongOrder(msg)
        return name

    @pages.get("/control/records")
    def control_records() -> Response:
        """What the list call serves a user with all rights, by id; `active` = true (the default), false or all."""
        active = request.args.get("active", "true")
        found = records.all(company(request.args)["id"], stream(request.args))
        body = b",".join(e.encoded for e in found if active == "all" or e.active == (active == "true"))
        return Response(b"[" + body + b"]", content_type="application/json")

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        wanted = wanted_object()
        held, described = company(wanted), wanted.get("user", {})
        levels = _levels(described)
        office.allow_usage(held["id"], bool(wanted.get("usage_allowed", True)))
        name, m2m_only = described.get("name", f"{held['name']} Portal API"), bool(described.get("m2m_only", True))
        user_id = office.add_user(held["id"], name=name, levels=levels, m2m_only=m2m_only)
        api_key = office.add_key(
            held["id"], user_id=user_id, client_id=wanted.get("client_id") or office.clients()[0]["id"]
        )
        return {"company_id": held["id"], "user_id": user_id, "api_key": api_key}

    @pages.post("/control/key")
    def control_key() -> dict[str, Any]:
        wanted = wanted_object()
        client_id = wanted.get("client_id") or office.clients()[0]["id"]
        return {
            "api_key": office.add_key(
                company(wanted)["id"], user_id=needed(wanted, "user_id", int), client_id=client_id
            )
        }

    @pages.post("/control/usage")
    def control_usage() -> dict[str, Any]:
        wanted = wanted_object()
        office.allow_usage(company(wanted)["id"], needed(wanted, "allowed", bool))
        return {"allowed": wanted["allowed"]}

    @pages.post("/control/user")
    def control_user() -> dict[str, Any]:
        """Change rights, change the password, or remove the user."""
        wanted = wanted_object()
        held = company(wanted)
        user = office.user(held["id"], needed(wanted, "user_id", int))
        if user is None:
            msg = "there is no such user in this company"
            raise WrongOrder(msg)
        if "rights" in wanted or "preset" in wanted:
            m2m_only = bool(wanted.get("m2m_only", user["m2m_only"]))
            office.change_user(user, name=user["name"], levels=_levels(wanted), role=user["role"], m2m_only=m2m_only)
        if wanted.get("password_changed"):
            office.change_password(user["id"])
        if wanted.get("removed"):
            office.remove_user(user["id"])
        return {"user_id": user["id"]}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        wanted = wanted_object()
        active = needed(wanted, "active", bool) if "active" in wanted else None
        ids = needed(wanted, "ids", list)
        return {"version": records.touch(company(wanted)["id"], stream(wanted), ids, active=active), "ids": ids}

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, Any]:
        key = office.key(needed(wanted_object(), "api_key", str))
        if key is None:
            msg = "there is no such API key"
            raise WrongOrder(msg)
        office.revoke_key(key["id"])
        return {"revoked": True}

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400


def _levels(wanted: Mapping[str, Any]) -> rights.Levels:
    """A preset (all-needed unless told) with single rights on top."""
    try:
        return rights.merged(rights.preset(wanted.get("preset", "all-needed")), wanted.get("rights", {}))
    except (KeyError, ValueError) as unknown:
        msg = f"rights: {unknown}"
        raise WrongOrder(msg) from unknown
