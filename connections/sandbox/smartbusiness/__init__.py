"""SmartBusiness's stand-in: two OAuth grants with refresh tokens that work once, documents, and the pages of API V2."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.smartbusiness.access import PORTAL_CLIENT, Access
from connections.sandbox.smartbusiness.api import BASE, TOKENS, api
from connections.sandbox.smartbusiness.control import add_control
from connections.sandbox.smartbusiness.office import Office
from connections.sandbox.smartbusiness.pages import pages
from connections.sandbox.smartbusiness.rate import DEFAULT, Rate
from connections.sandbox.smartbusiness.records import Records
from connections.sandbox.smartbusiness.schema import SCHEMA
from connections.sandbox.smartbusiness.switches import SWITCHES


def _open(kit: Kit) -> Running:
    office = Office(kit)
    access, records, rate = Access(kit, office), Records(kit), Rate(kit)
    blueprint = pages(kit, office, access)
    add_control(blueprint, kit, office, access, records, rate)

    def client() -> dict[str, str]:
        held = access.client(PORTAL_CLIENT)
        secret = held["secret"] if held else ""
        return {"client_id": PORTAL_CLIENT, "client_secret": secret, "redirect_uri": kit.callback}

    def state() -> dict[str, Any]:
        return {
            "companies": [{"id": company["id"], "name": company["name"]} for company in office.companies()],
            "live_access_tokens": access.living("access"),
            "live_refresh_tokens": access.living("refresh"),
            "created": records.created(),
            "sent": records.sent(),
        }

    def reset() -> None:
        with kit.store.transaction():
            access.forget()
            office.close_down()
            office.found()
            records.reset()
        rate.change(**DEFAULT)

    return Running(
        api=api(kit, office, access, records, rate),
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
