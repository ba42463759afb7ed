"""Procountor's stand-in: both ways in, activation, lists, writes, payments, and the pages a customer walks."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.procountor.activation import FIRST_SPECIFICATION, Activations, add_activation
from connections.sandbox.procountor.api import api
from connections.sandbox.procountor.confirmations import Confirmations
from connections.sandbox.procountor.control import House, add_control
from connections.sandbox.procountor.login import Login, add_login
from connections.sandbox.procountor.office import COMPANIES, FIRST_CLIENT, Office
from connections.sandbox.procountor.pages import pages
from connections.sandbox.procountor.paying import payment_deeds
from connections.sandbox.procountor.schema import SCHEMA
from connections.sandbox.procountor.sessions import Sessions
from connections.sandbox.procountor.streams import Records
from connections.sandbox.procountor.switches import SWITCHES
from connections.sandbox.procountor.webhooks import Webhooks


def _open(kit: Kit) -> Running:
    office = Office(kit)
    sessions, records, webhooks = Sessions(kit, office), Records(kit), Webhooks(kit)
    confirmations = Confirmations(kit, webhooks, payment_deeds(records))
    activations = Activations(kit, office)
    activations.prepare()
    login = Login(kit, office, sessions)
    blueprint = pages(office, confirmations)
    add_login(blueprint, login)
    add_activation(blueprint, activations)
    add_control(blueprint, House(office, records, login, activations, confirmations))

    def client() -> dict[str, str]:
        first = office.client(FIRST_CLIENT) or office.clients()[0]
        found = {"client_id": first["id"], "client_secret": first["secret"], "redirect_uri": first["redirect_uri"]}
        # Below the pages of this simulator: the link that the vendor is given for its customers.
        return {**found, "activation_path": f"/activate?integrationId={FIRST_SPECIFICATION}"}

    def state() -> dict[str, Any]:
        return {
            "companies": [{"id": company, "name": name} for company, name, *_ in COMPANIES],
            **sessions.living(),
            **records.created(),
            "webhook_deliveries": webhooks.deliveries(),
            "integration_id": FIRST_SPECIFICATION,
        }

    def reset() -> None:
        activations.reset()
        confirmations.reset()
        webhooks.reset()
        office.reset()
        records.reset()

    return Running(
        api=api(kit, office, sessions, records, confirmations, activations),
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
    summary="Usage settings, users, API keys, login and activation pages; invoices, partners, ledger and payments.",
    schema=SCHEMA,
    switches=SWITCHES,
    open=_open,
)
