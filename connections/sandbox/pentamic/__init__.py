"""Pentamic's stand-in: client credentials, self-signed certificates, customers in JSON that is none, and in XML."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Door, Kit, Running, Simulator
from connections.sandbox.pentamic.api import api
from connections.sandbox.pentamic.books import Books
from connections.sandbox.pentamic.control import add_control
from connections.sandbox.pentamic.identity import TOKEN_PATH, identity
from connections.sandbox.pentamic.office import COMPANIES, Office
from connections.sandbox.pentamic.pages import pages
from connections.sandbox.pentamic.schema import SCHEMA
from connections.sandbox.pentamic.switches import SWITCHES


def _open(kit: Kit) -> Running:
    office, books = Office(kit), Books(kit)
    blueprint = pages(office, books)
    add_control(blueprint, office, books)
    behind_both_doors = api(kit, office, books)

    def state() -> dict[str, Any]:
        return {
            "companies": [{"id": company, "name": name} for company, name in COMPANIES.items()],
            "fingerprints": office.fingerprints(),
            "live_access_tokens": office.living_tokens(),
            "live_refresh_tokens": 0,  # this grant has none
            **books.created(),
        }

    def reset() -> None:
        office.reset()
        books.reset()

    return Running(
        api=behind_both_doors,
        pages=blueprint,
        hosts={"api": "/api"},
        client=dict,  # a client is the customer's own
        reset=reset,
        state=state,
        others={"identity": identity(kit, office), "plain": behind_both_doors},
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
