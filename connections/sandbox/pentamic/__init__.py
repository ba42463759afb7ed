"""Pentamic's stand-in: client credentials, self-signed certificates, customers in JSON that is none, and in XML."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Door, Kit, Running, Simulator
from connections.sandbox.pentamic.api import api
from connections.sandbox.pentamic.control import add_control
from connections.sandbox.pentamic.grants import COMPANIES, Grants
from connections.sandbox.pentamic.pages import pages
from connections.sandbox.pentamic.records import Records
from connections.sandbox.pentamic.schema import SCHEMA
from connections.sandbox.pentamic.switches import SWITCHES
from connections.sandbox.pentamic.tokens import TOKEN_PATH, identity


def _open(kit: Kit) -> Running:
    grants, records = Grants(kit), Records(kit)
    blueprint = pages(grants, records)
    add_control(blueprint, grants, records)
    behind_both_doors = api(kit, grants, records)

    def state() -> dict[str, Any]:
        return {
            "companies": [{"id": company, "name": name} for company, name in COMPANIES.items()],
            "fingerprints": grants.fingerprints(),
            "live_access_tokens": grants.count_live_tokens(),
            "live_refresh_tokens": 0,  # this grant has none
            **records.created(),
        }

    def reset() -> None:
        grants.reset()
        records.reset()

    return Running(
        api=behind_both_doors,
        pages=blueprint,
        hosts={"api": "/api"},
        client=dict,  # a client is the customer's own
        reset=reset,
        state=state,
        others={"identity": identity(kit, grants), "plain": behind_both_doors},
        elsewhere={"token": ("identity", TOKEN_PATH), "plain": ("plain", "/api")},
    )


SIMULATOR = Simulator(
    slug="pentamic",
    name="Pentamic",
    place=2,
    summary="An administrator who hands out clients; self-signed certificates; customers and their invoices.",
    schema=SCHEMA,
    switches=SWITCHES,
    open=_open,
    doors=(Door("api", "self-signed"), Door("identity", "self-signed"), Door("plain", "plain")),
)
