"""What the tests of transport talk to when the sandbox is too polite."""

from __future__ import annotations

import pytest

from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport import egress
from connections.vault.secret import Secret
from connections.vault.services import open_connection, register_client, store_credential
from portal.env import SandboxHosts
from tests.transport.hostile import HostileServer

CLIENT_SECRET = "client-s3cret&canary"
API_KEY = "api-key-canary-0123456789"


@pytest.fixture(scope="session")
def hostile_process(tmp_path_factory):
    server = HostileServer(tmp_path_factory.mktemp("hostile"))
    yield server
    server.close()


@pytest.fixture
def hostile(hostile_process):
    # A connection left open by another test would bring its behaviour along.
    egress._local.__dict__.clear()
    hostile_process.reset()
    return hostile_process


@pytest.fixture
def uncanny(hostile, house_key, aamu, settings):
    """A connection of Aamu Oy whose provider is the hostile server, with everything stored that a token needs."""
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api=f"{hostile.address}/api", ca=hostile.ca)}
    register_client(
        provider="procountor",
        environment="sandbox",
        client_id="client-1",
        client_secret=Secret(CLIENT_SECRET),
        redirect_uri="https://portal.example/callback",
    )
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)
        store_credential(connection=opened, name="api_key", secret=Secret(API_KEY), actor=SYSTEM)
    return opened
