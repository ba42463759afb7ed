"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, request

from connections.sandbox.kit import Kit
from connections.sandbox.kit.site import WrongOrder, required_field, required_object
from connections.sandbox.smartbusiness import authorization
from connections.sandbox.smartbusiness.accounts import EVERYTHING, Accounts, Refused
from connections.sandbox.smartbusiness.catalogue import STREAMS
from connections.sandbox.smartbusiness.errors import ApiError
from connections.sandbox.smartbusiness.grants import FOREIGN, OWN, PORTAL_CLIENT, SCOPES, Grants
from connections.sandbox.smartbusiness.quota import Quota
from connections.sandbox.smartbusiness.records import Records
from connections.sandbox.smartbusiness.sample_data import COMPANIES


def add_control(
    pages: Blueprint, kit: Kit, accounts: Accounts, grants: Grants, records: Records, quota: Quota
) -> None:
    """The part of `/smartbusiness/control/` that only this simulator has."""

    def company_of(body: Mapping[str, Any]) -> dict[str, Any]:
        number = str(body.get("company", COMPANIES[0]))
        company = accounts.company(int(number)) if number.isdecimal() else None
        if company is None:
            msg = f"there is no company {number[:20]}; there are {', '.join(map(str, COMPANIES))}"
            raise WrongOrder(msg)
        return company

    def user_of(body: Mapping[str, Any]) -> sqlite3.Row:
        """The one named, else the owner of the company named, else the first company's."""
        user = accounts.user(int(body.get("user", company_of(body)["id"])))
        if user is None:
            msg = "there is no such user"
            raise WrongOrder(msg)
        return user

    def stream_of(body: Mapping[str, Any], *but: str) -> str:
        name = str(body.get("stream"))
        if name not in STREAMS or name in but:
            msg = f"stream must be one of {', '.join(each for each in STREAMS if each not in but)}"
            raise WrongOrder(msg)
        return name

    def ids(body: Mapping[str, Any], company: dict[str, Any], name: str) -> list[int]:
        numbers: list[int] = required_field(body, "ids", list)
        if strange := set(numbers) - set(records.shelf(company["id"], name).by_id):
            msg = f"there is no record {min(map(str, strange))} among the {name} of company {company['id']}"
            raise WrongOrder(msg)
        return numbers

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        """A company ready for the API. `grant` = client_credentials (the default) registers the customer's own client;
        authorization_code needs nothing typed (the portal's client asks), or with `redirect_uri` one more client."""
        body = required_object()
        company, by = company_of(body), user_of(body)
        grant, scopes = body.get("grant", OWN), body.get("scopes", list(SCOPES))
        if grant not in (OWN, FOREIGN) or by["company_id"] != company["id"] or not isinstance(scopes, list):
            msg = f"grant must be {OWN} or {FOREIGN}, user one of the company, scopes a list"
            raise WrongOrder(msg)
        with kit.store.transaction():
            accounts.set_plan(company["id"], "full", None)
            accounts.set_rights(by["id"], body.get("rights", EVERYTHING))
            credentials = {}
            if grant == OWN or "redirect_uri" in body:
                name = body.get("name") or f"Client {secrets.token_hex(3)}"
                redirect_uri = str(body.get("redirect_uri", ""))
                client_id = grants.register(
                    company["id"],
                    user_id=by["id"],
                    name=name,
                    grant_type=grant,
                    redirect_uri=redirect_uri,
                    scopes=scopes,
                )
                client = grants.client(client_id)
                credentials = {"client_id": client_id, "client_secret": client["secret"] if client else ""}
        return {
            "credentials": credentials,
            "company_id": company["id"],
            "company": company["name"],
            "user_id": by["id"],
            "portal_client_id": PORTAL_CLIENT,
        }

    @pages.post("/control/consent")
    def control_consent() -> dict[str, Any]:
        """As if a person of `company` (or `user`) had answered the consent page at `url`."""
        body = required_object()
        query = dict(parse_qsl(urlsplit(required_field(body, "url", str)).query))
        try:
            question = authorization.read_request(kit, grants, query)
        except authorization.SentBack as sent_back:
            return {"location": sent_back.location}
        except ApiError as refused:
            raise WrongOrder(refused.message) from refused
        return {
            "location": authorization.redirect_address(
                kit, grants, question, user_of(body), approved=not body.get("deny", False)
            )
        }

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, Any]:
        body = required_object()
        grants.revoke_everything(company_of(body)["id"] if "company" in body else None)
        return {"revoked": True}

    @pages.get("/control/records")
    def control_records() -> Response:
        name, company = stream_of(request.args), company_of(request.args)
        entries = sorted(records.shelf(company["id"], name).entries, key=lambda entry: entry.id)
        body = b",".join(entry.encoded for entry in entries)
        return Response(b'{"records":[' + body + b"]}", content_type="application/json")

    @pages.post("/control/records")
    def control_resize() -> dict[str, Any]:
        body = required_object()
        name, count = stream_of(body, "payments"), required_field(body, "count", int)
        if not 0 <= count <= 100_000:
            msg = "count must be from 0 to 100000"
            raise WrongOrder(msg)
        records.resize(company_of(body)["id"], name, count)
        return {"count": count}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        body = required_object()
        company, name = company_of(body), stream_of(body)
        chosen = ids(body, company, name)
        records.touch(company["id"], name, chosen)
        return {"ids": chosen}

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        body = required_object()
        company, name = company_of(body), stream_of(body)
        chosen = ids(body, company, name)
        records.remove(company["id"], name, chosen)
        return {"ids": chosen}

    @pages.get("/control/find")
    def control_find() -> dict[str, Any]:
        """How often a thing with this number is there now, was created over the API, and was sent by e-mail."""
        companies = [company_of(request.args)["id"]] if "company" in request.args else list(COMPANIES)
        return records.find(companies, stream_of(request.args), request.args.get("number", ""))

    @pages.post("/control/rate")
    def control_rate() -> dict[str, int]:
        body = required_object()
        limit, seconds = required_field(body, "limit", int), required_field(body, "seconds", int)
        if limit < 0 or seconds < 1:
            msg = "limit must not be negative, seconds at least 1"
            raise WrongOrder(msg)
        quota.change(limit, seconds)
        return {"limit": limit, "seconds": seconds}

    @pages.post("/control/plan")
    def control_plan() -> dict[str, Any]:
        """`limit` "4001", "4002", "4003" or null: which limit is reached; `plan` full, basic or free."""
        body = required_object()
        company, limit = company_of(body), body.get("limit")
        if limit is not None and not str(limit).isdecimal():
            msg = "limit must be 4001, 4002, 4003 or null"
            raise WrongOrder(msg)
        accounts.set_plan(company["id"], body.get("plan", company["plan"]), None if limit is None else int(limit))
        return {"plan": body.get("plan", company["plan"]), "limit": limit}

    @pages.post("/control/rights")
    def control_rights() -> dict[str, Any]:
        """`rights` {area: none, view or edit} of the company's owner, or of `user`."""
        body = required_object()
        by = user_of(body)
        accounts.set_rights(by["id"], required_field(body, "rights", dict))
        return {"user_id": by["id"]}

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400
