"""SmartBusiness's stand-in: two OAuth grants with refresh tokens that work once, documents, and the pages of API V2."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.smartbusiness.accounts import Accounts
from connections.sandbox.smartbusiness.api import BASE, TOKENS, api
from connections.sandbox.smartbusiness.control import add_control
from connections.sandbox.smartbusiness.grants import PORTAL_CLIENT, Grants
from connections.sandbox.smartbusiness.pages import pages
from connections.sandbox.smartbusiness.quota import DEFAULT, Quota
from connections.sandbox.smartbusiness.records import Records
from connections.sandbox.smartbusiness.schema import SCHEMA
from connections.sandbox.smartbusiness.switches import SWITCHES


def _open(kit: Kit) -> Running:
    accounts = Accounts(kit)
    grants, records, quota = Grants(kit, accounts), Records(kit), Quota(kit)
    blueprint = pages(kit, accounts, grants)
    add_control(blueprint, kit, accounts, grants, records, quota)

    def client() -> dict[str, str]:
        row = grants.client(PORTAL_CLIENT)
        secret = row["secret"] if row else ""
        return {"client_id": PORTAL_CLIENT, "client_secret": secret, "redirect_uri": kit.callback}

    def state() -> dict[str, Any]:
        return {
            "companies": [{"id": company["id"], "name": company["name"]} for company in accounts.companies()],
            "live_access_tokens": grants.count_live("access"),
            "live_refresh_tokens": grants.count_live("refresh"),
            "created": records.created(),
            "sent": records.sent_mails(),
        }

    def reset() -> None:
        with kit.store.transaction():
            grants.forget()
            accounts.close_down()
            accounts.create_companies()
            records.reset()
        quota.change(**DEFAULT)

    return Running(
        api=api(kit, accounts, grants, records, quota),
        pages=blueprint,
        hosts={"api": BASE, "token": BASE + TOKENS},
        client=client,
        reset=reset,
        state=state,
    )


SIMULATOR = Simulator(
    slug="smartbusiness",
    name="SmartBusiness",
    place=1,
    summary="Own clients and consent, refresh tokens that work once; contacts, documents and articles over the API.",
    schema=SCHEMA,
    switches=SWITCHES,
    open=_open,
)
