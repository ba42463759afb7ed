"""Hesabit's stand-in: consent and tokens that travel in addresses, three collections, and the user panel in Persian."""

from __future__ import annotations

from typing import Any

from connections.sandbox.hesabit.accounts import Accounts
from connections.sandbox.hesabit.api import BASE, TOKEN_PATH, api
from connections.sandbox.hesabit.control import add_control
from connections.sandbox.hesabit.grants import PORTAL_CLIENT, Grants
from connections.sandbox.hesabit.pages import pages
from connections.sandbox.hesabit.quota import Quota
from connections.sandbox.hesabit.records import Records
from connections.sandbox.hesabit.schema import SCHEMA
from connections.sandbox.hesabit.switches import SWITCHES
from connections.sandbox.kit import Kit, Running, Simulator


def _open(kit: Kit) -> Running:
    accounts, grants, records, quota = Accounts(kit), Grants(kit), Records(kit), Quota(kit)
    blueprint = pages(kit, accounts, grants)
    add_control(blueprint, kit, accounts, grants, records, quota)

    def client() -> dict[str, str]:
        row = grants.client(PORTAL_CLIENT)
        secret = row["secret"] if row else ""
        return {"client_id": PORTAL_CLIENT, "client_secret": secret, "redirect_uri": kit.callback}

    def state() -> dict[str, Any]:
        return {
            "shops": [{"id": shop.id, "name": shop.name, "package": shop.package} for shop in accounts.all()],
            "live_access_tokens": grants.count_live("access"),
            "live_refresh_tokens": grants.count_live("refresh"),
            "created": records.created(),
            "budget": quota.usage(),
        }

    def reset() -> None:
        with kit.store.transaction():
            grants.forget()
            accounts.reset()
            records.reset()
            quota.reset()

    return Running(
        api=api(kit, accounts, grants, records, quota),
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
