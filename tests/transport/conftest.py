"""What the tests of transport talk to when the sandbox is too polite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connections.providers import registry
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.http import session as http_session
from connections.transport.oauth.token import LoginCode
from connections.transport.oauth.tokens import TokenHolder
from connections.transport.request_context import RequestContext
from connections.vault.secret import Secret
from connections.vault.services import open_connection, register_client, store_credential
from portal.env import SandboxHosts
from tests.revealing import bound_for
from tests.roles import acting_as
from tests.transport.hostile import HostileServer

CLIENT_SECRET = "client-s3cret&canary"
API_KEY = "api-key-canary-0123456789"
OLD = {"access_token": "old-a", "refresh_token": "old-r", "expires_in": 3600, "token_type": "Bearer"}


@pytest.fixture(scope="session")
def hostile_process(tmp_path_factory):
    server = HostileServer(tmp_path_factory.mktemp("hostile"))
    yield server
    server.close()


@pytest.fixture
def hostile(hostile_process):
    # A connection left open by another test would bring its behaviour along.
    http_session._local.__dict__.clear()
    hostile_process.reset()
    return hostile_process


@pytest.fixture
def uncanny(hostile, system_key, aamu, settings):
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


@pytest.fixture
def consented(hostile, system_key, aamu, settings):
    """A connection of Aamu Oy to SmartBusiness, allowed by a person: the pair is `old-a` and `old-r`."""
    settings.SANDBOX_HOSTS = {"smartbusiness": SandboxHosts(api=hostile.address, ca=hostile.ca)}
    register_client(
        provider="smartbusiness", environment="sandbox", client_id="client-1", client_secret=Secret(CLIENT_SECRET)
    )
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="smartbusiness", environment="sandbox", actor=SYSTEM)
    connect(hostile, opened)
    return opened


def at_hosts(client, **changes):
    """From now on the client finds its provider at other hosts, or under other rules."""
    vars(client.context)["hosts"] = replace(client.context.hosts, **changes)


def connect(hostile, connection):
    """A person consents, and the code is exchanged."""
    behave = hostile.behave
    hostile.behave = lambda line: line.answer(200, OLD)
    code = LoginCode(
        bound_for(connection, "code-1"), bound_for(connection, "verifier-1"), "https://portal.example/callback"
    )
    with acting_as("worker"):
        TokenHolder(RequestContext(connection, registry.find(connection.provider))).exchange_code(code)
    hostile.behave = behave
    hostile.asked.clear()


@pytest.fixture
def committed_person(committed_db, consented):
    with acting_as("worker"):
        yield consented


@pytest.fixture
def person(db, consented):
    with acting_as("worker"):
        yield consented


@pytest.fixture
def customer(db, uncanny):
    """With credentials of its own instead of a consent."""
    with acting_as("worker"):
        yield uncanny
