"""Plain HTTP for one connection: an admin's leave, with a reason, in the audit trail; and what support sees of a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.providers import registry
from connections.spec.provider import CredentialField, CustomerHosts, Environment, FieldKind
from connections.tenancy.models import AuditEvent
from connections.transport.models import AttemptState, AuthorizationAttempt
from connections.vault.models import Connection, NetworkExemption, Pin
from connections.vault.services import exemptions_of
from tests.signing import offer
from tests.support.conftest import House, log_entry


@pytest.fixture
def addressed(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The connection's provider lets each customer type in where it is."""
    provider = registry.all_providers()["procountor"]
    address = CredentialField("api_address", "API address", secret=False, kind=FieldKind.ADDRESS)
    hosts = {Environment.PRODUCTION: CustomerHosts("api_address")}
    offer(monkeypatch, replace(provider, hosts=hosts, credentials=(*provider.credentials, address)))
    Connection.objects.update(settings={"api_address": "https://books.example/api"}, auth_method="m2m")
    return house


def button(house: House) -> str:
    return reverse("admin:vault_connection_plain_http", args=[house.connection.id])


def page(house: House, client: Any) -> str:
    answer = client.get(reverse("admin:vault_connection_change", args=[house.connection.id]))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_admin_switches_it_on_and_off_and_says_why(addressed: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    admins = sign_in(ada)
    assert "Allow plain HTTP" in page(addressed, admins)
    answer = admins.post(button(addressed), {"allow": "yes", "reason": "Ticket 12: no TLS there"}, follow=True)
    assert "Plain HTTP is allowed now." in answer.content.decode()
    assert exemptions_of(Connection.objects.get()).plain_http
    event = AuditEvent.objects.get(action="connection.plain_http_allowed")
    assert (event.actor_name, event.details) == ("ada@pilotage.example", {"reason": "Ticket 12: no TLS there"})
    assert "Switch plain HTTP off" in page(addressed, admins)
    admins.post(button(addressed), {"reason": "They have TLS now"})
    assert not exemptions_of(Connection.objects.get()).plain_http
    assert AuditEvent.objects.filter(action="connection.plain_http_forbidden").count() == 1
    [exemption] = NetworkExemption.objects.all()
    assert (exemption.actor_name, exemption.reason, exemption.ended_at is None) == (
        "ada@pilotage.example",
        "Ticket 12: no TLS there",
        False,
    )


def test_what_was_allowed_for_one_server_is_not_for_the_next(
    addressed: House, ada: Any, sign_in: Callable[..., Any]
) -> None:
    sign_in(ada).post(button(addressed), {"allow": "yes", "reason": "Ticket 12: no TLS there"})
    Connection.objects.update(moved_at=timezone.now())
    assert not exemptions_of(Connection.objects.get()).plain_http


def test_an_admin_allows_a_private_network_and_takes_it_back(
    addressed: House, ada: Any, sign_in: Callable[..., Any]
) -> None:
    admins, there = sign_in(ada), reverse("admin:vault_connection_private_networks", args=[addressed.connection.id])
    answer = admins.post(
        there, {"networks": "10.1.2.3, 10.1.3.0/24", "reason": "Ticket 13: on their site"}, follow=True
    )
    assert "Allowed now: 10.1.2.3/32, 10.1.3.0/24." in answer.content.decode()
    assert exemptions_of(Connection.objects.get()).private_networks == ("10.1.2.3/32", "10.1.3.0/24")
    event = AuditEvent.objects.get(action="connection.private_networks_changed")
    assert event.details == {"reason": "Ticket 13: on their site", "networks": "10.1.2.3/32, 10.1.3.0/24"}
    for refused in ({"networks": "127.0.0.1", "reason": "because"}, {"networks": "10.1.2.4", "reason": " "}):
        admins.post(there, refused)
        assert exemptions_of(Connection.objects.get()).private_networks == ("10.1.2.3/32", "10.1.3.0/24")
    assert "10.1.2.3/32, 10.1.3.0/24" in page(addressed, admins)
    admins.post(there, {"networks": "", "reason": "They moved"})
    assert exemptions_of(Connection.objects.get()).private_networks == ()


def test_support_may_not_allow_a_private_network(addressed: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    there = reverse("admin:vault_connection_private_networks", args=[addressed.connection.id])
    assert sign_in(dana).post(there, {"networks": "10.1.2.3", "reason": "because"}).status_code == 403
    assert exemptions_of(Connection.objects.get()).private_networks == ()


def test_without_a_reason_nothing_changes(addressed: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    answer = sign_in(ada).post(button(addressed), {"allow": "yes", "reason": "  "}, follow=True).content.decode()
    assert "Say why" in answer
    assert not exemptions_of(Connection.objects.get()).plain_http
    assert not AuditEvent.objects.filter(action__startswith="connection.plain_http").exists()


def test_support_sees_no_switch_and_may_not_press_it(addressed: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    support = sign_in(dana)
    assert "plain-http" not in page(addressed, support)
    assert support.post(button(addressed), {"allow": "yes", "reason": "because"}).status_code == 403
    assert not exemptions_of(Connection.objects.get()).plain_http


def test_where_the_address_is_fixed_there_is_no_switch(house: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    assert "plain-http" not in page(house, sign_in(ada))


def test_support_sees_way_settings_pins_and_logins(addressed: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    connection = addressed.connection
    Pin(
        tenant=addressed.tenant, connection=connection, host="books.example:443", certificate="PEM-canary",
        sha256="AB:CD", ends_at=timezone.now() + timedelta(days=9), seen_at=timezone.now(),
    ).save(force_insert=True)  # fmt: skip
    AuthorizationAttempt(
        tenant=addressed.tenant, connection=connection, login="code", checkpoint="api-key", state_digest="d" * 64,
        session_digest="s" * 64, actor_name="alice@aamu.example", redirect_uri="https://portal.example/callback/x/",
        token_address="https://books.example/token", state=AttemptState.DENIED, reason_code="access_denied",
    ).save(force_insert=True)  # fmt: skip
    text = page(addressed, sign_in(dana))
    for words in ("m2m", "API address", "https://books.example/api", "books.example:443", "AB:CD", "access_denied"):
        assert words in text
    assert "PEM-canary" not in text
    assert "d" * 64 not in text
    assert "s" * 64 not in text


def test_an_entry_without_a_connection_can_be_looked_at(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    entry = log_entry(house.tenant, house.connection, connection_id=None, operation="integration.show")
    support = sign_in(dana)
    answer = support.get(reverse("admin:transport_requestlogentry_change", args=[entry.id]))
    assert answer.status_code == 200
    assert support.get(reverse("admin:transport_requestlogentry_changelist")).status_code == 200
