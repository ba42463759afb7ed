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

    def shop_of(body: Mapping[str, Any]) -> Shop:
        number = str(body.get("shop", FIRST))
        shop = accounts.shop(int(number)) if number.isdecimal() else None
        if shop is None:
            msg = f"there is no such shop; there are {', '.join(map(str, NAMES))}"
            raise WrongOrder(msg)
        return shop

    def stream_of(body: Mapping[str, Any]) -> str:
        name = str(body.get("stream"))
        if name not in STREAMS:
            msg = f"stream must be one of {', '.join(STREAMS)}"
            raise WrongOrder(msg)
        return name

    def ids(body: Mapping[str, Any], shop: Shop, name: str) -> list[int]:
        """Numbers, or the texts as which they may be served."""
        numbers = required_field(body, "ids", list)
        by_id = records.shelf(shop.id, name).by_id
        chosen = [int(each) if str(each).isdecimal() else -1 for each in numbers]
        if set(chosen) - set(by_id):
            msg = f"some of the ids are none of the {name} of shop {shop.id}"
            raise WrongOrder(msg)
        return chosen

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        """A shop that can be connected, with an active package unless `package` is false. Nothing is typed into the
        portal, as its own client asks; with `redirect_uri` a client of the shop's own is made, whose id and secret are."""
        body = required_object()
        shop, credentials = shop_of(body), {}
        accounts.set_package(shop.id, bool(body.get("package", True)))
        if "redirect_uri" in body:
            name, redirect_uri = str(body.get("name", "Own client")), required_field(body, "redirect_uri", str)
            client = grants.client(grants.register(shop.id, name=name, redirect_uri=redirect_uri))
            credentials = {"client_id": client["id"], "client_secret": client["secret"]} if client else {}
        return {
            "credentials": credentials,
            "account": shop.name,
            "shop": shop.id,
            "portal_client_id": PORTAL_CLIENT,
        }

    @pages.post("/control/consent")
    def control_consent() -> dict[str, str]:
        """As if somebody of `shop` had answered the consent page at `url`."""
        body = required_object()
        shop, query = shop_of(body), dict(parse_qsl(urlsplit(required_field(body, "url", str)).query))
        try:
            question = authorization.read_request(kit, grants, query)
        except authorization.SentBack as sent_back:
            return {"location": sent_back.location}
        except TokenError as refused:
            raise WrongOrder(refused.description) from refused
        return {
            "location": authorization.redirect_address(
                kit, grants, question, shop.id, approved=not body.get("deny", False)
            )
        }

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, bool]:
        """Of one `shop`, or of all."""
        body = required_object()
        grants.revoke_everything(shop_of(body).id if "shop" in body else None)
        return {"revoked": True}

    @pages.get("/control/records")
    def control_records() -> Response:
        entries = records.shelf(shop_of(request.args).id, stream_of(request.args)).entries
        chosen = style(kit)
        body = b",".join(entry.encoded(chosen) for entry in entries)
        return Response(b'{"records":[' + body + b"]}", content_type="application/json")

    @pages.post("/control/records")
    def control_resize() -> dict[str, int]:
        body = required_object()
        shop, name, count = shop_of(body), stream_of(body), required_field(body, "count", int)
        if not 0 <= count <= MADE_FROM // 5:
            msg = f"count must be from 0 to {MADE_FROM // 5}"
            raise WrongOrder(msg)
        records.resize(shop.id, name, count)
        return {"count": count}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        body = required_object()
        shop, name = shop_of(body), stream_of(body)
        chosen = ids(body, shop, name)
        records.touch(shop.id, name, chosen)
        return {"ids": chosen}

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        body = required_object()
        shop, name = shop_of(body), stream_of(body)
        chosen = ids(body, shop, name)
        records.remove(shop.id, name, chosen)
        return {"ids": chosen}

    @pages.get("/control/find")
    def control_find() -> dict[str, Any]:
        """`?stream=invoices&field=number&value=A-1`: {"count", "ids"} of now, and "created" over the API."""
        query = request.args
        count = records.find(shop_of(query).id, stream_of(query), query.get("field", "number"), query.get("value", ""))
        return count

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
        body = required_object()
        shop, active = shop_of(body), required_field(body, "active", bool)
        accounts.set_package(shop.id, active)
        return {"shop": shop.id, "active": active}

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400
