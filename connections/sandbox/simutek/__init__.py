"""Simutek GKS4's stand-in: client credentials, one search, creations that answer nothing, and the pages behind them."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.simutek.api import TOKEN_PATH, api
from connections.sandbox.simutek.control import add_control
from connections.sandbox.simutek.grants import Grants
from connections.sandbox.simutek.orders import Orders
from connections.sandbox.simutek.pages import pages
from connections.sandbox.simutek.records import Customers
from connections.sandbox.simutek.schema import SCHEMA
from connections.sandbox.simutek.switches import SWITCHES


def _open(kit: Kit) -> Running:
    grants, customers, orders = Grants(kit), Customers(kit), Orders(kit)
    blueprint = pages(grants, customers, orders)
    add_control(blueprint, grants, customers, orders)

    def state() -> dict[str, Any]:
        return {
            "live_access_tokens": grants.count_live_tokens(),
            "live_refresh_tokens": 0,  # this grant has none
            "created": {"customers": customers.created, "salesorders": orders.count()},
        }

    def reset() -> None:
        grants.reset()
        customers.reset()
        orders.reset()

    return Running(
        api=api(kit, grants, customers, orders),
        pages=blueprint,
        hosts={"api": "", "token": TOKEN_PATH},
        client=dict,  # the client is the customer's own, registered for it by Simutek
        reset=reset,
        state=state,
    )


SIMULATOR = Simulator(
    slug="simutek",
    name="Simutek GKS4",
    place=3,
    summary="API clients from Simutek's service desk; customers and sales orders of a printing house over the API.",
    schema=SCHEMA,
    switches=SWITCHES,
    open=_open,
)
