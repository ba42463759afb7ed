"""A provider to sign in at, and the walk of a member who does."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection
from connections.vault.secret import Secret
from connections.vault.services import bind_company, mark_healthy, register_client
from portal.env import SandboxHosts
from portal.onboarding import services
from portal.onboarding.models import Mark
from tests.signing import House, offer, signing_provider
from tests.transport.conftest import hostile, hostile_process  # noqa: F401  (the server that answers as it is told)

CLIENT_SECRET = "client-s3cret&canary"


@pytest.fixture
def signing(hostile: Any, system_key: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> House:  # noqa: F811
    """The portal pointed at a provider with logins, registered there."""
    offer(monkeypatch, signing_provider())
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api=f"{hostile.address}/api", ca=hostile.ca)}
    register_client(
        provider="procountor", environment="sandbox", client_id="client-1", client_secret=Secret(CLIENT_SECRET)
    )
    house = House(hostile)
    hostile.behave = house
    return house


class Signer:
    """A member who presses Connect, goes to the provider, and comes back."""

    def __init__(self, client: Any, work_off: Callable[..., int], connection: Connection, step: str, login: str):
        self.client, self.work_off, self.connection, self.step, self.login = client, work_off, connection, step, login
        self.checklist = f"/t/aamu/c/{connection.id}/checklist/"

    def press(self) -> Any:
        return self.client.post(f"{self.checklist}{self.step}/connect/{self.login}/")

    def address(self) -> str:
        """Where the link of our own page leads."""
        page = self.press().content.decode()
        match = re.search(r'id="go-to-provider" href="([^"]+)"', page)
        assert match, page
        return html.unescape(match[1])

    def come_back(self, **brought: str) -> Any:
        return self.client.get("/callback/procountor/", brought)

    def page(self) -> str:
        answer = self.client.get(f"{self.checklist}{self.step}/")
        assert answer.status_code == 200
        return str(answer.content.decode())


def mark(signer: Signer) -> str:
    """The state of the mark that the login is for."""
    return str(Mark.objects.get(onboarding__connection=signer.connection, checkpoint=signer.step).state)


def opened(tenant: Any, actor: Any, auth_method: str) -> Connection:
    with tenant_scope(tenant.id):
        begun = services.begin(
            tenant=tenant, provider="procountor", environment="sandbox", auth_method=auth_method, actor=actor
        )
        return begun.connection


@pytest.fixture
def signer(signing: House, aamu: Any, alice: Any, sign_in: Any, work_off: Callable[..., int]) -> Signer:
    """Alice, whose new connection gets its session by a login."""
    return Signer(sign_in(alice), work_off, opened(aamu, alice.actor, "code"), "login", "code")


@pytest.fixture
def key_signer(signing: House, aamu: Any, alice: Any, sign_in: Any, work_off: Callable[..., int]) -> Signer:
    """Alice, whose new connection gets its API key by a login."""
    return Signer(sign_in(alice), work_off, opened(aamu, alice.actor, "m2m"), "api-key", "key-login")


@pytest.fixture
def bound(signer: Signer) -> Signer:
    """The same, connected to company 101."""
    with tenant_scope(signer.connection.tenant_id):
        bind_company(connection=signer.connection, company_id="101", company_name="Aamun Kirjat Oy")
        mark_healthy(connection=signer.connection)
    return signer
