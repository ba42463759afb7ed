"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, request

from connections.sandbox.hesabit import authorization
from connections.sandbox.hesabit.accounts import FIRST, NAMES, Accounts, Shop
from connections.sandbox.hesabit.errors import TokenError
from connections.sandbox.hesabit.grants import PORTAL_CLIENT, Grants, Refused
from connections.sandbox.hesabit.quota import Quota
from connections.sandbox.hesabit.records import Records
from connections.sandbox.hesabit.sample_data import MADE_FROM, STREAMS
from connections.sandbox.hesabit.serializers import style
from connections.sandbox.kit import Kit
from connections.sandbox.kit.site import WrongOrder, required_field, required_object


def add_control(
    pages: Blueprint, kit: Kit, accounts: Accounts, grants: Grants, records: Records, quota: Quota
) -> None:
    """The part of `/hesabit/control/` that only this simulator has; `shop` is the first one unless told."""

    def shop(wanted: Mapping[str, Any]) -> Shop:
        asked = str(wanted.get("shop", FIRST))
        found = accounts.shop(int(asked)) if asked.isdecimal() else None
        if found is None:
            msg = f"there is no such shop; there are {', '.join(map(str, NAMES))}"
            raise WrongOrder(msg)
        return found

    def stream(wanted: Mapping[str, Any]) -> str:
        name = str(wanted.get("stream"))
        if name not in STREAMS:
            msg = f"stream must be one of {', '.join(STREAMS)}"
            raise WrongOrder(msg)
        return name

    def ids(wanted: Mapping[str, Any], held: Shop, name: str) -> list[int]:
        """Numbers, or the texts as which they may be served."""
        asked = required_field(wanted, "ids", list)
        known = records.shelf(held.id, name).by_id
        chosen = [int(each) if str(each).isdecimal() else -1 for each in asked]
        if set(chosen) - set(known):
            msg = f"some of the ids are none of the {name} of shop {held.id}"
            raise WrongOrder(msg)
        return chosen

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        """A shop that can be connected, with an active package unless `package` is false. Nothing is typed into the
        portal, as its own client asks; with `redirect_uri` a client of the shop's own is made, whose id and secret are."""
        wanted = required_object()
        held, credentials = shop(wanted), {}
        accounts.set_package(held.id, bool(wanted.get("package", True)))
        if "redirect_uri" in wanted:
            name, redirect_uri = str(wanted.get("name", "Own client")), required_field(wanted, "redirect_uri", str)
            client = grants.client(grants.register(held.id, name=name, redirect_uri=redirect_uri))
            credentials = {"client_id": client["id"], "client_secret": client["secret"]} if client else {}
        return {
            "credentials": credentials,
            "account": held.name,
            "shop": held.id,
            "portal_client_id": PORTAL_CLIENT,
        }

    @pages.post("/control/consent")
    def control_consent() -> dict[str, str]:
        """As if somebody of `shop` had answered the consent page at `url`."""
        wanted = required_object()
        held, asked = shop(wanted), dict(parse_qsl(urlsplit(required_field(wanted, "url", str)).query))
        try:
            question = authorization.read_request(kit, grants, asked)
        except authorization.SentBack as told:
            return {"location": told.location}
        except TokenError as refused:
            raise WrongOrder(refused.description) from refused
        return {
            "location": authorization.redirect_address(
                kit, grants, question, held.id, approved=not wanted.get("deny", False)
            )
        }

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, bool]:
        """Of one `shop`, or of all."""
        wanted = required_object()
        grants.revoke_everything(shop(wanted).id if "shop" in wanted else None)
        return {"revoked": True}

    @pages.get("/control/records")
    def control_records() -> Response:
        entries = records.shelf(shop(request.args).id, stream(request.args)).entries
        chosen = style(kit)
        body = b",".join(entry.encoded(chosen) for entry in entries)
        return Response(b'{"records":[' + body + b"]}", content_type="application/json")

    @pages.post("/control/records")
    def control_resize() -> dict[str, int]:
        wanted = required_object()
        held, name, count = shop(wanted), stream(wanted), required_field(wanted, "count", int)
        if not 0 <= count <= MADE_FROM // 5:
            msg = f"count must be from 0 to {MADE_FROM // 5}"
            raise WrongOrder(msg)
        records.resize(held.id, name, count)
        return {"count": count}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        wanted = required_object()
        held, name = shop(wanted), stream(wanted)
        chosen = ids(wanted, held, name)
        records.touch(held.id, name, chosen)
        return {"ids": chosen}

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        wanted = required_object()
        held, name = shop(wanted), stream(wanted)
        chosen = ids(wanted, held, name)
        records.remove(held.id, name, chosen)
        return {"ids": chosen}

    @pages.get("/control/find")
    def control_find() -> dict[str, Any]:
        """`?stream=invoices&field=number&value=A-1`: {"count", "ids"} of now, and "created" over the API."""
        asked = request.args
        found = records.find(shop(asked).id, stream(asked), asked.get("field", "number"), asked.get("value", ""))
        return found

    @pages.post("/control/budget")
    def control_budget() -> dict[str, Any]:
        """`limit`: how many calls a client has from now on each day; what was counted today stays counted."""
        limit = required_field(required_object(), "limit", int)
        if limit < 0:
            msg = "limit must not be negative"
            raise WrongOrder(msg)
        quota.change(limit)
        return quota.usage()

    @pages.post("/control/package")
    def control_package() -> dict[str, Any]:
        wanted = required_object()
        held, active = shop(wanted), required_field(wanted, "active", bool)
        accounts.set_package(held.id, active)
        return {"shop": held.id, "active": active}

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400
