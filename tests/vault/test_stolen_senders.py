"""Every place from which a secret leaves, aimed at another server than it should be: a sender that errs gives nothing away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from connections.jobs.services import claim, enqueue
from connections.spec.errors import CallFailed
from connections.spec.grants import TokenBody
from connections.spec.placement import BearerHeader, QueryParameter, TypedHeader
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client, send_and_log
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.models import ActivationRequest, ActivationState
from connections.transport.oauth import activation, revocation, token_endpoint
from connections.transport.oauth.token import LoginCode
from connections.transport.request_context import RequestContext
from connections.vault import sealing
from connections.vault.models import Connection, Grant
from connections.vault.secret import BoundSecret, Secret
from connections.vault.services import open_connection, register_client, store_credential
from portal.env import SandboxHosts
from tests.drills.canary_errors import text_of
from tests.revealing import bound_for
from tests.roles import acting_as
from tests.signing import CODE, KEY_LOGIN, House, offer, signing_provider
from tests.transport.conftest import hostile, hostile_process  # noqa: F401  (the server that answers as it is told)
from tests.transport.hostile import HostileServer
from tests.vault import thief
from tests.vault.thief import COUNT, TRIES

pytestmark = pytest.mark.usefixtures("db")
SECRETS = {
    "client_secret": "client-s3cret&canary",
    "api_key": "api-key-canary-0123456789",
    "code": "code-canary-0123456789",
    "verifier": "verifier-canary-0123456789",
    "access": "access-canary-0001",
    "refresh": "refresh-canary-0001",
    "request": "request-canary-0001",
}


class World:
    """A connection of a provider with every way to send a secret."""

    def __init__(self, connection: Connection, provider: Any) -> None:
        self.connection, self.provider = connection, provider

    def code(self) -> LoginCode:
        ciphertexts = {name: bound_for(self.connection, SECRETS[name]) for name in ("code", "verifier")}
        return LoginCode(ciphertexts["code"], ciphertexts["verifier"], "https://portal.example/callback")

    def caller(self) -> RequestContext:
        return RequestContext(self.connection, self.provider)

    def refresh(self) -> BoundSecret:
        return bound_for(self.connection, SECRETS["refresh"])

    def activate(self, state: ActivationState, job: Callable[[Any], Any], kind: str) -> None:
        row = ActivationRequest(tenant_id=self.connection.tenant_id, provider="procountor", environment="sandbox")
        row.state, row.approved = state, []  # to reject all needs nobody's consent, and is sent in the same way
        row.proposal = {"companies": [["101", "Books"]]}
        with acting_as("web"), tenant_scope(self.connection.tenant_id):
            sealing.seal(row, "request_ciphertext", Secret(SECRETS["request"]))
            row.save(force_insert=True)
            job_id = enqueue(kind=kind, subject=row.id, tenant_id=row.tenant_id)
        job(claim(job_id))
        with tenant_scope(self.connection.tenant_id):
            row.refresh_from_db()
        if row.state == ActivationState.FAILED:
            raise Failed(row.reason_code)


class Failed(Exception):
    """An activation that says why it came to nothing."""


def token(world: World) -> None:
    token_endpoint.request_token(world.caller(), CircuitBreaker(world.connection))


def consent(world: World, **what: Any) -> None:
    world.connection.auth_method = "code"
    token_endpoint.request_token(world.caller(), CircuitBreaker(world.connection), **what)


def leave(world: World) -> None:
    world.connection.auth_method = "code"
    revocation.revoke_session(world.caller(), send_and_log)


SENDERS: dict[str, tuple[dict[str, Any], Callable[[World], None], set[str]]] = {
    "token request, form": ({}, token, {"client_secret", "api_key"}),
    "token request, JSON": ({"body": TokenBody.JSON}, token, {"client_secret", "api_key"}),
    "code": ({}, lambda world: consent(world, code=world.code()), {"client_secret", "code", "verifier"}),
    "code, JSON": (
        {"body": TokenBody.JSON},
        lambda world: consent(world, code=world.code()),
        {"client_secret", "code", "verifier"},
    ),
    "refresh": ({}, lambda world: consent(world, refresh=world.refresh()), {"client_secret", "refresh"}),
    "key login": (
        {},
        lambda world: token_endpoint.request_key(world.caller(), KEY_LOGIN, world.code()),
        {"client_secret", "code", "verifier"},
    ),
    "header": (
        {"placement": BearerHeader()},
        lambda world: Client(connection=world.connection).send("session"),
        {"access"},
    ),
    "header by type": (
        {"placement": TypedHeader()},
        lambda world: Client(connection=world.connection).send("session"),
        {"access"},
    ),
    "query": (
        {"placement": QueryParameter("access_token")},
        lambda world: Client(connection=world.connection).send("session"),
        {"access"},
    ),
    "logout": ({}, leave, {"access"}),
    "activation, look": (
        {},
        lambda world: world.activate(ActivationState.ASKED, activation.show, activation.SHOW),
        {"client_secret", "request"},
    ),
    "activation, word": (
        {},
        lambda world: world.activate(ActivationState.DECIDING, activation.carry_out, activation.DECIDE),
        {"client_secret", "request"},
    ),
}


@pytest.fixture
def world(
    hostile: HostileServer,  # noqa: F811
    aamu: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., World]:
    """`world(placement=..., body=...)`: everything is stored, and a token is living."""

    def make(body: TokenBody | None = None, **changes: Any) -> World:
        provider = signing_provider(**changes)
        if body is not None:
            grants = (replace(provider.grants[0], body=body), replace(CODE, body=body))
            provider = replace(provider, grants=grants)
        offer(monkeypatch, provider)
        hostile.behave = House(hostile)
        settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api=f"{hostile.address}/api", ca=hostile.ca)}
        register_client(
            provider="procountor",
            environment="sandbox",
            client_id="one",
            client_secret=Secret(SECRETS["client_secret"]),
        )
        with tenant_scope(aamu.id):
            opened = open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)
            store_credential(connection=opened, name="api_key", secret=Secret(SECRETS["api_key"]), actor=SYSTEM)
        with acting_as("worker"):
            Client(connection=opened).send("session")
        with tenant_scope(aamu.id):
            grant = Grant.objects.select_related("connection").get(connection=opened)
            sealed = sealing.seal(grant, "refresh_ciphertext", Secret(SECRETS["refresh"]))
            Grant.objects.filter(id=grant.id).update(**sealed, client_id="one")
        return World(opened, provider)

    return make


@pytest.fixture
def elsewhere(hostile: HostileServer, tmp_path: Any) -> Any:  # noqa: F811
    server = HostileServer(tmp_path)
    server.behave = lambda line: line.answer(200, {"access_token": "x", "token_type": "bearer"})
    yield server
    server.close()


def aim(monkeypatch: pytest.MonkeyPatch, server: HostileServer) -> None:
    """A sender that errs: whatever the connection says, it sends there."""
    real = RequestContext.hosts.func  # type: ignore[attr-defined]

    def hosts(caller: RequestContext) -> Any:
        api, place = f"{server.address}/api", f"{server.address}/api/oauth/token"
        return replace(real(caller), api=api, token=place, ca=server.ca)

    monkeypatch.setattr(RequestContext, "hosts", property(hosts))


@pytest.mark.parametrize("sender", SENDERS)
def test_a_sender_that_is_aimed_elsewhere_gives_nothing_away(
    sender: str,
    world: Callable[..., World],
    elsewhere: HostileServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    changes, send, _carries = SENDERS[sender]
    victim = world(**changes)
    aim(monkeypatch, elsewhere)
    caplog.set_level(logging.DEBUG)
    with acting_as("worker"), pytest.raises((CallFailed, Failed)) as caught:
        send(victim)
    assert "wrong-use" in str(getattr(caught.value, "fault", caught.value))
    assert elsewhere.handshakes == 0, "nothing leaves, not even a greeting"
    text = thief.everything_said(caplog, [text_of(caught.value)])
    assert thief.repeated(text, SECRETS.values(), elsewhere.address) == []
    record_property(TRIES, 1)
    record_property(COUNT, elsewhere.handshakes)


@pytest.mark.parametrize("sender", SENDERS)
def test_it_would_where_its_use_is_not_asked_for(
    sender: str, world: Callable[..., World], elsewhere: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above relies on: each of these senders really has the secrets in its hands."""
    changes, send, carries = SENDERS[sender]
    victim = world(**changes)
    aim(monkeypatch, elsewhere)
    monkeypatch.setattr(BoundSecret, "reveal_for", lambda self, use, url="": Secret.reveal(self))
    with acting_as("worker"):
        with suppress(CallFailed, Failed, KeyError):  # the thief answers as thieves do
            send(victim)
    traffic = b"\n".join(line.head + line.body for line in elsewhere.asked)
    assert {name for name in carries if any(form in traffic for form in thief.forms(SECRETS[name]))} == carries
