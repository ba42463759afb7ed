"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, request

from connections.sandbox.kit.site import WrongOrder, required_field, required_object
from connections.sandbox.procountor import rights
from connections.sandbox.procountor.accounts import MAIN_COMPANY, Accounts, Refused
from connections.sandbox.procountor.activation import Activations
from connections.sandbox.procountor.authorization import PURPOSES, Login, NoWayBack
from connections.sandbox.procountor.catalogue import STREAMS
from connections.sandbox.procountor.confirmations import Confirmations
from connections.sandbox.procountor.records import Records


@dataclass(frozen=True)
class Parts:
    """Everything behind the pages and the API."""

    accounts: Accounts
    records: Records
    login: Login
    activations: Activations
    confirmations: Confirmations


def add_control(pages: Blueprint, parts: Parts) -> None:
    """The part of `/procountor/control/` that only this simulator has."""
    _add_people(pages, parts)
    _add_records(pages, parts)
    _add_consent(pages, parts)

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400


def _company(parts: Parts, body: Mapping[str, Any]) -> sqlite3.Row:
    company = parts.accounts.company(int(body.get("company") or MAIN_COMPANY))
    if company is None:
        msg = "there is no such company"
        raise WrongOrder(msg)
    return company


def _add_people(pages: Blueprint, parts: Parts) -> None:
    accounts = parts.accounts

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        """Allow usage, make a technical user and a key; without `user` it may do everything, else what is told."""
        body = required_object()
        company, described = _company(parts, body), body.get("user") or {"preset": "everything"}
        levels = _levels(described)
        accounts.allow_usage(company["id"], bool(body.get("usage_allowed", True)))
        name, m2m_only = described.get("name", f"{company['name']} Portal API"), bool(described.get("m2m_only", True))
        user_id = accounts.add_user(company["id"], name=name, levels=levels, m2m_only=m2m_only)
        client_id = body.get("client_id") or accounts.clients()[0]["id"]
        api_key = accounts.add_key(company["id"], user_id=user_id, client_id=client_id)
        answer = {"company_id": company["id"], "company": company["name"], "user_id": user_id, "api_key": api_key}
        return {**answer, "credentials": {"api_key": api_key}}

    @pages.post("/control/key")
    def control_key() -> dict[str, Any]:
        body = required_object()
        company, client_id = _company(parts, body), body.get("client_id") or accounts.clients()[0]["id"]
        return {
            "api_key": accounts.add_key(
                company["id"], user_id=required_field(body, "user_id", int), client_id=client_id
            )
        }

    @pages.post("/control/usage")
    def control_usage() -> dict[str, Any]:
        body = required_object()
        accounts.allow_usage(_company(parts, body)["id"], required_field(body, "allowed", bool))
        return {"allowed": body["allowed"]}

    @pages.post("/control/user")
    def control_user() -> dict[str, Any]:
        """Change rights or the limitation to M2M, change the password, or remove the user."""
        body = required_object()
        company = _company(parts, body)
        user = accounts.user(company["id"], required_field(body, "user_id", int))
        if user is None:
            msg = "there is no such user in this company"
            raise WrongOrder(msg)
        if {"rights", "preset", "m2m_only"} & set(body):
            m2m_only = bool(body.get("m2m_only", user["m2m_only"]))
            levels = _levels(body) if {"rights", "preset"} & set(body) else accounts.levels(user)
            accounts.change_user(user, name=user["name"], levels=levels, role=user["role"], m2m_only=m2m_only)
        if body.get("password_changed"):
            accounts.change_password(user["id"])
        if body.get("removed"):
            accounts.remove_user(user["id"])
        return {"user_id": user["id"]}

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, Any]:
        """One `api_key`, or with an empty object everything that was granted to anybody."""
        body = required_object()
        if not body:
            accounts.revoke_everything()
            return {"revoked": True}
        key = accounts.key(required_field(body, "api_key", str))
        if key is None:
            msg = "there is no such API key"
            raise WrongOrder(msg)
        accounts.revoke_key(key["id"])
        return {"revoked": True}


def _add_records(pages: Blueprint, parts: Parts) -> None:
    records = parts.records

    def stream_of(body: Mapping[str, Any]) -> str:
        name = str(body.get("stream"))
        if name not in STREAMS:
            msg = f"stream must be one of {', '.join(STREAMS)}"
            raise WrongOrder(msg)
        return name

    @pages.get("/control/records")
    def control_records() -> Response:
        """What the list call serves a user with all rights, by id; `active` = true (the default), false or all; `type`.

        Without `active` as {"records": [...]}, with it as a bare list.
        """
        company, name = _company(parts, request.args)["id"], stream_of(request.args)
        active, kind = request.args.get("active"), request.args.get("type")
        if kind is not None:
            entries = [e for e in records.all(company, name) if e.kind == kind]
        elif active in (None, "true"):
            entries = records.list_entries(company, name)
        else:
            entries = [e for e in records.all(company, name) if active == "all" or not e.active]
        content = b"[" + b",".join(e.encoded for e in entries) + b"]"
        return Response(content if active else b'{"records":' + content + b"}", content_type="application/json")

    @pages.post("/control/records")
    def control_resize() -> dict[str, Any]:
        """Afterwards the list holds `count` records."""
        body = required_object()
        name, count = stream_of(body), required_field(body, "count", int)
        if count < 0:
            msg = "count must not be negative"
            raise WrongOrder(msg)
        company = _company(parts, body)["id"]
        records.resize(company, name, count)
        return {"stream": name, "count": len(records.list_entries(company, name))}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        body = required_object()
        active = required_field(body, "active", bool) if "active" in body else None
        ids = required_field(body, "ids", list)
        return {
            "version": records.touch(_company(parts, body)["id"], stream_of(body), ids, active=active),
            "ids": ids,
        }

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        body = required_object()
        ids = required_field(body, "ids", list)
        records.remove(_company(parts, body)["id"], stream_of(body), ids)
        return {"removed": ids}


def _add_consent(pages: Blueprint, parts: Parts) -> None:
    @pages.post("/control/consent")
    def control_consent() -> dict[str, Any]:
        """A person answers the login or activation page at `url`.

        The person of the company signs in unless `user_id` says who else; a key is made for `key_user_id`, else for
        the company's newest technical user; `companies` are activated, else the first one (or `company`).
        """
        body = required_object()
        address = urlsplit(required_field(body, "url", str))
        page, query = address.path.rpartition("/")[2], dict(parse_qsl(address.query, keep_blank_values=True))
        company, deny = _company(parts, body), bool(body.get("deny"))
        users = parts.accounts.users(company["id"])
        person = next(user["id"] for user in users if user["person"])
        user_id = int(body.get("user_id") or person)
        try:
            if page in PURPOSES:
                return {"location": _answer_login(parts, page, query, body, users, user_id, deny=deny)}
            if page == "activate":
                return {"location": _answer_activation(parts, query, body, company, user_id, deny=deny)}
        except NoWayBack as why:
            raise WrongOrder(str(why)) from why
        msg = f"there is no page {page!r} to answer"
        raise WrongOrder(msg)

    @pages.post("/control/confirm")
    def control_confirm() -> dict[str, Any]:
        """The person answers in the Procountor Key app: `id`, else the newest that waits; `reject` says no."""
        body = required_object()
        newest = parts.confirmations.newest(_company(parts, body)["id"])
        waiting = [row["id"] for row in newest if parts.confirmations.state(row) == "waiting"]
        ident = body.get("id") or next(iter(waiting), "")
        state = parts.confirmations.decide(ident, confirmed=not body.get("reject"))
        return {"id": ident, "state": state}


def _answer_login(
    parts: Parts,
    page: str,
    query: Mapping[str, str],
    body: Mapping[str, Any],
    users: list[sqlite3.Row],
    user_id: int,
    *,
    deny: bool,
) -> str | None:
    if deny:
        return parts.login.deny(query)
    technical = [user["id"] for user in users if not user["person"]]
    key_user_id = body.get("key_user_id") or next(reversed(technical), None)
    if page == "keylogin" and key_user_id is None:
        msg = "this company has no technical user yet"
        raise WrongOrder(msg)
    return parts.login.approve(page, query, user_id=user_id, key_user_id=key_user_id)


def _answer_activation(
    parts: Parts,
    query: Mapping[str, str],
    body: Mapping[str, Any],
    company: sqlite3.Row,
    user_id: int,
    *,
    deny: bool,
) -> str:
    specification = parts.activations.specification(query.get("integrationId", ""))
    if specification is None:
        msg = "No integration has this id."
        raise NoWayBack(msg)
    if deny:
        return parts.activations.back(specification, {"error": "access_denied"})
    companies = {int(each): "" for each in body.get("companies") or [company["id"]]}
    return parts.activations.begin(specification, user_id=user_id, companies=companies)


def _levels(body: Mapping[str, Any]) -> rights.Levels:
    """A preset (all-needed unless told) with single rights on top."""
    try:
        return rights.merged(rights.preset(body.get("preset", "all-needed")), body.get("rights", {}))
    except (KeyError, ValueError) as unknown:
        msg = f"rights: {unknown}"
        raise WrongOrder(msg) from unknown
