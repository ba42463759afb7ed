"""Connecting again and again, as people do: what we were given before is given back first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.providers.smartbusiness.checklist import SCOPES
from connections.spec.checklist import MarkState
from connections.sync.models import RunState, SyncRun, Trigger
from connections.tenancy.scope import tenant_scope
from connections.transport.models import RequestLogEntry
from portal.onboarding.models import Evidence, Mark
from portal.onboarding.progress import sentence
from tests.contract.auth_methods import AuthMethod, auth_methods
from tests.contract.customers import Customer

BY_PERSON = next(
    auth_method
    for auth_method in auth_methods()
    if auth_method.slug == "procountor" and auth_method.grant == auth_method.login
)
TIMES = 8  # a token that is left behind is seen after the second


def test_reconnecting_leaves_no_refresh_tokens_behind(arrive: Callable[[AuthMethod], Customer]) -> None:
    """Procountor lets 100 live of one user and client, and then the oldest dies unannounced, another connection's perhaps."""
    customer = arrive(BY_PERSON).connect()
    with tenant_scope(customer.tenant.id):
        # Each new sign-in is followed by a run; this one stands for all of them, which say nothing here.
        tomorrow = timezone.now() + timedelta(days=1)
        SyncRun.objects.create(
            tenant=customer.tenant,
            connection=customer.connection,
            trigger=Trigger.HAND,
            state=RunState.WAITING,
            waiting_until=tomorrow,
        )
    living = []
    for _ in range(TIMES - 1):
        assert customer.sign_in().state == "exchanged"
        living.append(customer.simulator.control("state")["live_refresh_tokens_of_first_client"])
    assert max(living) == 1, living
    assert customer.ask().status == 200
    traded = RequestLogEntry.objects.filter(connection=customer.connection, operation="token.code")
    assert traded.count() == TIMES


NARROWER = {
    # The way, what the provider gives narrower than before, and the checkpoint that says so with its name.
    "procountor-m2m": (
        {"user": {"preset": "all-needed", "rights": {"sales.salesInvoiceSearch": "NO_ACCESS"}}},
        "rights",
        "Sales invoice search (Sales)",
    ),
    "smartbusiness-own-client": ({"scopes": [scope for scope in SCOPES if scope != "invoice"]}, "scopes", "invoice"),
}


@pytest.mark.parametrize("way", NARROWER)
def test_reconnecting_with_less_than_before_is_not_green_and_says_what_is_missing(
    way: str, arrive: Callable[[AuthMethod], Customer]
) -> None:
    auth_method = next(each for each in auth_methods() if str(each) == way)
    customer = arrive(auth_method)
    states = customer.walk()
    assert all(MarkState(state).passes for state in states.values()), states
    order, slug, thing = NARROWER[way]
    handed = customer.simulator.control("setup", order)
    given = {**handed, **handed["credentials"]}
    fresh = {name: str(given[name]) for name in customer.given if given.get(name)}
    customer.type_anew(**fresh)
    customer.work_off()
    mark = Mark.objects.get(onboarding=customer.onboarding, checkpoint=slug)
    assert not MarkState(mark.state).passes
    evidence = Evidence.objects.filter(mark=mark).first()
    assert evidence is not None
    assert thing in sentence(customer.provider, evidence.code, evidence.values)
