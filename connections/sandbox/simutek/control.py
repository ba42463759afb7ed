"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from connections.sandbox.kit.site import WrongOrder, required_field, required_object
from connections.sandbox.simutek.grants import RESOURCES, Grants, Refused
from connections.sandbox.simutek.orders import Orders
from connections.sandbox.simutek.records import Customers, UnknownCustomer

STREAM = "customers"
MOST_RECORDS = 20_000


def add_control(pages: Blueprint, grants: Grants, customers: Customers, orders: Orders) -> None:
    """The part of `/simutek/control/` that only this simulator has; `ids` of customers are their numbers."""

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        """A client as Simutek hands it out; `name` and `resources` (customers, salesorders) may be told."""
        body = required_object()
        name, resources = body.get("name", "Customer portal"), body.get("resources", list(RESOURCES))
        client_id, secret = grants.register(name=str(name), resources=list(map(str, resources)))
        return {"credentials": {"client_id": client_id, "client_secret": secret}, **grants.addresses}

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, Any]:
        """Disable every client, or the one of `client_id`, and end its access tokens."""
        body = required_object()
        existing = [client["id"] for client in grants.clients()]
        chosen = [required_field(body, "client_id", str)] if "client_id" in body else existing
        for client_id in chosen:
            if client_id not in existing:
                msg = "there is no such client"
                raise WrongOrder(msg)
            grants.disable(client_id)
            grants.end_tokens(client_id)
        return {"revoked": chosen}

    @pages.get("/control/records")
    def control_records() -> Response:
        """What the search serves in all its pages, in its order."""
        _stream(request.args)
        body = b",".join(customer.encoded for customer in customers.all())
        return Response(b'{"records":[' + body + b"]}", content_type="application/json")

    @pages.post("/control/records")
    def control_resize() -> dict[str, Any]:
        body = required_object()
        _stream(body)
        count = required_field(body, "count", int)
        if not 0 <= count <= MOST_RECORDS:
            msg = f"count must be 0 to {MOST_RECORDS}"
            raise WrongOrder(msg)
        customers.resize(count)
        return {"count": len(customers.all())}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        numbers = _numbers()
        customers.touch(numbers)
        return {"ids": numbers}

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        numbers = _numbers()
        customers.remove(numbers)
        return {"ids": numbers}

    @pages.get("/control/orders")
    def control_orders() -> dict[str, Any]:
        """Every order received, newest first, or those with this `purchaseOrderNumber`, and how many they are."""
        matches = orders.all(request.args.get("purchaseOrderNumber"))
        return {"count": len(matches), "orders": matches}

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400

    @pages.errorhandler(UnknownCustomer)
    def unknown(error: UnknownCustomer) -> tuple[dict[str, str], int]:
        return {"error": str(error)}, 400


def _stream(body: Mapping[str, Any]) -> None:
    if body.get("stream") != STREAM:
        msg = f"stream must be {STREAM}"
        raise WrongOrder(msg)


def _numbers() -> list[str]:
    body = required_object()
    _stream(body)
    return [str(number) for number in required_field(body, "ids", list)]
