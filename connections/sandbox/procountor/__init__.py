"""Procountor's stand-in: the M2M flow with an API key, partners and invoices, and the pages a customer walks."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.procountor.api import api
from connections.sandbox.procountor.control import add_control
from connections.sandbox.procountor.office import COMPANIES, Office
from connections.sandbox.procountor.pages import pages
from connections.sandbox.procountor.schema import SCHEMA
from connections.sandbox.procountor.streams import Records
from connections.sandbox.procountor.switches import SWITCHES


def _open(kit: Kit) -> Running:
    office = Office(kit)
    records = Records(kit)
    blueprint = pages(office)
    add_control(blueprint, office, records)

    def client() -> dict[str, str]:
        first = office.clients()[0]
        return {"client_id": first["id"], "client_secret": first["secret"], "redirect_uri": first["redirect_uri"]}

    def state() -> dict[str, Any]:
        companies = [{"id": company, "name": name} for company, name, *_ in COMPANIES]
        return {"companies": companies, "living_tokens": office.living_tokens()}

    def reset() -> None:
        office.reset()
        records.reset()

    return Running(
        api=api(kit, office, records),
        pages=blueprint,
        hosts={"api": "/api"},
        client=client,
        reset=reset,
        state=state,
    )


SIMULATOR = Simulator(
    slug="procountor",
    name="Procountor",
    place=0,
    summary="Usage settings, technical users, API client keys; business partners and invoices over the API.",
    schema=SCHEMA,
    switches=SWITCHES,
    open=_open,
)
