"""Procountor's stand-in: both ways in, activation, lists, writes, payments, and the pages a customer walks."""

from __future__ import annotations

from typing import Any

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.procountor.accounts import COMPANIES, FIRST_CLIENT, Accounts
from connections.sandbox.procountor.activation import FIRST_SPECIFICATION, Activations, add_activation
from connections.sandbox.procountor.api import api
from connections.sandbox.procountor.authorization import Login, add_login
from connections.sandbox.procountor.confirmations import Confirmations
from connections.sandbox.procountor.control import Parts, add_control
from connections.sandbox.procountor.grants import Grants
from connections.sandbox.procountor.pages import pages
from connections.sandbox.procountor.payments import payment_deeds
from connections.sandbox.procountor.records import Records
from connections.sandbox.procountor.schema import SCHEMA
from connections.sandbox.procountor.switches import SWITCHES
from connections.sandbox.procountor.webhooks import Webhooks


def _open(kit: Kit) -> Running:
    accounts = Accounts(kit)
    grants, records, webhooks = Grants(kit, accounts), Records(kit), Webhooks(kit)
    confirmations = Confirmations(kit, webhooks, payment_deeds(records))
    activations = Activations(kit, accounts)
    activations.prepare()
    login = Login(kit, accounts, grants)
    blueprint = pages(accounts, confirmations)
    add_login(blueprint, login)
    add_activation(blueprint, activations)
    add_control(blueprint, Parts(accounts, records, login, activations, confirmations))

    def client() -> dict[str, str]:
        first = accounts.client(FIRST_CLIENT) or accounts.clients()[0]
        credentials = {
            "client_id": first["id"],
            "client_secret": first["secret"],
            "redirect_uri": first["redirect_uri"],
        }
        # Below the pages of this simulator: the link that the vendor is given for its customers.
        return {**credentials, "activation_path": f"/activate?integrationId={FIRST_SPECIFICATION}"}

    def state() -> dict[str, Any]:
        return {
            "companies": [{"id": company, "name": name} for company, name, *_ in COMPANIES],
            **grants.count_live(),
            **records.created(),
            "webhook_deliveries": webhooks.deliveries(),
            "integration_id": FIRST_SPECIFICATION,
        }

    def reset() -> None:
        activations.reset()
        confirmations.reset()
        webhooks.reset()
        accounts.reset()
        records.reset()

    return Running(
        api=api(kit, accounts, grants, records, confirmations, activations),
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
