"""Dossiers for the providers' support desks: every fact that their documents ask for, no secret, the same bytes twice."""

# ruff: noqa: F811  (pytest's fixtures are arguments with the names of what is imported)

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from connections.providers.registry import all_providers
from connections.spec.dossiers import Fact
from connections.tenancy.scope import tenant_scope
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from portal.onboarding.models import Evidence, Mark, Onboarding
from tests.support.conftest import API_KEY, CLIENT_SECRET, WRITTEN, House, house, log_entry  # noqa: F401  (a fixture)

AT = datetime(2026, 11, 30, 9, 8, 7, 654321, timezone.utc)
# What each provider's own text names, read once more by whoever wrote this test.
ASKED_FOR = {
    "hesabit": {Fact.CLIENT_ID, Fact.ENDPOINT, Fact.TIME, Fact.SCOPE},
    "pentamic": {Fact.SERVER, Fact.CLIENT_ID, Fact.SCOPE, Fact.ENDPOINT, Fact.TIME},
    "procountor": {
        Fact.CLIENT_ID, Fact.ENDPOINT, Fact.REQUEST_BODY, Fact.RESPONSE_BODY, Fact.SERVER, Fact.API_VERSION, Fact.TIME,
        Fact.COMPANY_ID, Fact.USER_ID,
    },
    "simutek": {Fact.SERVER, Fact.CLIENT_ID, Fact.ENDPOINT, Fact.TIME},
    "smartbusiness": {Fact.REQUEST_ID, Fact.ENDPOINT, Fact.TIME},
}  # fmt: skip


def test_every_provider_has_one_with_what_its_text_asks_for() -> None:
    assert set(ASKED_FOR) == set(all_providers())
    for slug, provider in all_providers().items():
        assert provider.dossier is not None
        assert ASKED_FOR[slug] <= {each.fact for each in provider.dossier.fields}, slug


def entry_of(house: House, slug: str) -> RequestLogEntry:
    typed = {"client_id": "their-client", "scope": "their-scope", "api": "https://books.example"}
    with tenant_scope(house.tenant.id):
        connection = house.connection
        if slug != "procountor":
            connection = Connection(
                tenant=house.tenant, provider=slug, environment="production", auth_method="", company_id="88",
                settings=typed,
            )  # fmt: skip
            connection.save(force_insert=True)
        return log_entry(
            house.tenant, connection, at=AT, provider_request_id="req-9", api_version="latest", environment="test",
            status=422, outcome="refused",
        )  # fmt: skip


@pytest.mark.parametrize("slug", sorted(ASKED_FOR))
def test_same_bytes_twice_and_no_secret(
    house: House,
    dana: Any,
    sign_in: Callable[..., Any],
    slug: str,
) -> None:
    entry, client = entry_of(house, slug), sign_in(dana)
    first, second = (client.get(reverse("admin:dossier_text", args=[entry.id])).content for _time in range(2))
    page = unescape(client.get(reverse("admin:dossier", args=[entry.id])).content.decode())
    assert first == second
    text = first.decode()
    provider = all_providers()[slug]
    assert provider.dossier is not None
    assert [line.partition(": ")[0] for line in text.splitlines()][:-1] == [
        each.label for each in provider.dossier.fields
    ]
    assert f"Our id of the request: {entry.id}" in text
    assert "2026-11-30T09:08:07.654+00:00" in text
    for canary in (API_KEY, CLIENT_SECRET, WRITTEN, "canary"):
        assert canary not in text
        assert canary not in page
    assert all(each.label in page for each in provider.dossier.fields)
    if Fact.REQUEST_ID in ASKED_FOR[slug]:
        assert "X-Request-Id: req-9\n" in text
    if slug != "procountor":
        assert "their-client" in text


def test_what_a_certified_desk_asks_for(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    entry = entry_of(house, "procountor")
    client = sign_in(dana)
    with tenant_scope(house.tenant.id):
        mark = Mark(tenant=house.tenant, onboarding=Onboarding.objects.get(), checkpoint="its-user")
        mark.save(force_insert=True)
        evidence = Evidence(
            tenant=house.tenant, mark=mark, state="verified", code="user-meant", values={"user_id": "991"}
        )
        evidence.save(force_insert=True)
    text = client.get(reverse("admin:dossier_text", args=[entry.id])).content.decode()
    assert text == (
        "Integration (API client ID): pilotage-test\n"
        "API endpoint: GET /invoices\n"
        "JSON of the API request: not kept: the request log holds no bodies\n"
        "JSON of the API response: not kept: the request log holds no bodies\n"
        "Server (production or testing): test, pts-api.procountor.com\n"
        "API version: latest\n"
        "Time stamp: 2026-11-30T09:08:07.654+00:00\n"
        "Session's companyId: 4711\n"
        "Session's userId: 991\n"
        "HTTP status: 422 (refused)\n"
        f"Our id of the request: {entry.id}\n"
    )


def test_an_entry_leads_to_its_dossier(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    page = sign_in(dana).get(reverse("admin:transport_requestlogentry_change", args=[house.entry.id])).content.decode()
    assert reverse("admin:dossier", args=[house.entry.id]) in page
