"""Hesabit's stand-in: consent and tokens that travel in addresses, three collections, and the user panel in Persian."""

from __future__ import annotations

from typing import Any

from connections.sandbox.hesabit.access import PORTAL_CLIENT, Access
from connections.sandbox.hesabit.api import BASE, TOKEN_PATH, api
from connections.sandbox.hesabit.budget import Budget
from connections.sandbox.hesabit.control import add_control
from connections.sandbox.hesabit.pages import pages
from connections.sandbox.hesabit.records import Records
from connections.sandbox.hesabit.schema import SCHEMA
from connections.sandbox.hesabit.shops import Shops
from connections.sandbox.hesabit.switches import SWITCHES
from connections.sandbox.kit import Kit, Running, Simulator


def _open(kit: Kit) -> Running:
    shops, access, records, budget = Shops(kit), Access(kit), Records(kit), Budget(kit)
    blueprint = pages(kit, shops, access)
    add_control(blueprint, kit, shops, access, records, budget)

    def client() -> dict[str, str]:
        held = access.client(PORTAL_CLIENT)
        secret = held["secret"] if held else ""
        return {"client_id": PORTAL_CLIENT, "client_secret": secret, "redirect_uri": kit.callback}

    def state() -> dict[str, Any]:
        return {
            "shops": [{"id": shop.id, "name": shop.name, "package": shop.package} for shop in shops.all()],
            "live_access_tokens": access.living("access"),
            "live_refresh_tokens": access.living("refresh"),
            "created": records.created(),
            "budget": budget.told(),
        }

    def reset() -> None:
        with kit.store.transaction():
            access.forget()
            shops.reset()
            records.reset()
            budget.reset()

    return Running(
        api=api(kit, shops, access, records, budget),
        pages=blueprint,
        hosts={"api": BASE, "token": TOKEN_PATH},
        client=client,
        reset=reset,
        state=state,
    )


SIMULATOR = Simulator(
    slug="hesabit",
    name="Hesabit",
    place=4,
    summary="Clients and consent in Persian, a token in every address; customers, invoices and items over the API.",
    schema=SCHEMA,
    switches=SWITCHES,
    open=_open,
)
