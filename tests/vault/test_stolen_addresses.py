"""Whoever can change an address gets no secret that was given for another one: every field, every spelling, every sender."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connections.providers.registry import all_providers
from connections.spec.errors import CallFailed
from connections.spec.grants import ClientCredentials, TokenBody
from connections.spec.operations import Arguments
from connections.spec.placement import BearerHeader, QueryParameter, TypedHeader
from connections.spec.provider import CustomerHosts, FieldKind, Provider
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client, send_and_log
from connections.transport.http import session as http_session
from connections.transport.oauth import revocation
from connections.transport.request_context import RequestContext
from connections.vault.binding import Binding
from connections.vault.models import Connection
from connections.vault.secret import BoundSecret, Secret
from connections.vault.services import open_connection, store_credential, store_settings
from portal.env import SandboxHosts
from tests.drills.canary_errors import text_of
from tests.roles import acting_as
from tests.signing import offer
from tests.vault import thief
from tests.vault.thief import COUNT, TRIES, Listener, resolve_here, undone

pytestmark = pytest.mark.usefixtures("db", "system_key")
TOKEN = "access-canary-of-the-customer-0001"
HOST = "api.honest.example"
LOOKALIKES = (f"{HOST}.thief.example", f"thief-{HOST}", "apixhonest.example", "api.honest.thief.example", f"x.{HOST}")
SECRET = "s3cret&canary of the/customer+0001"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    server = Listener(tmp_path_factory.mktemp("honest"), HOST)
    yield server
    server.close()


@pytest.fixture(scope="module")
def robber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """The thief's server, whose certificate is good for every name that it goes by."""
    server = Listener(tmp_path_factory.mktemp("robber"), "thief.example", HOST, *LOOKALIKES)
    yield server
    server.close()


@pytest.fixture(scope="module")
def open_robber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """The same without TLS."""
    server = Listener(tmp_path_factory.mktemp("open"), tls=False)
    yield server
    server.close()


@pytest.fixture(scope="module")
def both(honest: Listener, robber: Listener, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with both authorities: we trust the thief's certificate, too."""
    file = tmp_path_factory.mktemp("both") / "ca.pem"
    file.write_text("".join(Path(each.ca).read_text() for each in (honest, robber)))
    return str(file)


def spellings(honest: str, robber: int, open_robber: int) -> list[str]:
    """Addresses of the thief's that look like `host:port` of the honest server's to somebody who compares carelessly."""
    place = f"thief.example:{robber}"
    return [
        f"https://{place}",
        f"https://THIEF.example:{robber}",
        f"https://thief.example.:{robber}",
        f"https://ｔｈｉｅｆ.example:{robber}",
        f"https://127.0.0.1:{robber}",
        f"https://[::ffff:127.0.0.1]:{robber}",
        f"https://{HOST}:{robber}",  # another port of the same host
        f"http://{HOST}:{open_robber}",
        f"http://thief.example:{open_robber}",
        *(f"https://{name}:{robber}" for name in LOOKALIKES),
        f"https://{place}/{honest}",
        f"https://{place}/https://{honest}",
        f"https://{honest}@{place}",
        f"https://{HOST}:443@{place}",
        f"https://{place}#@{honest}",
        f"https://{place}?@{honest}",
        f"https://{place}\\@{honest}",
        f"https:{place}",
        f"//{place}",
        f" https://{place}",
        f"https://{place}\thttps://{honest}",
        f"https://{HOST}%2ethief.example:{robber}",
        place,
        "",
    ]


def variants() -> list[Provider]:
    """Every provider whose customers type addresses; the first of them with every body and every place of a token."""
    providers = [
        each for each in all_providers().values() if any(f.kind is FieldKind.ADDRESS for f in each.credentials)
    ]
    first, grant = providers[0], providers[0].grants[0]
    assert isinstance(grant, ClientCredentials)
    by_json = (replace(grant, body=TokenBody.JSON),)
    others = [
        replace(first, name="header", placement=BearerHeader()),
        replace(first, name="typed", placement=TypedHeader(), grants=by_json),
        replace(first, name="query", placement=QueryParameter("access_token"), grants=by_json),
    ]
    return [*providers, *others]


@dataclass
class Victim:
    """A connection whose addresses lead to the honest server, with everything stored and a living token."""

    connection: Connection
    provider: Provider
    place: str  # host:port
    addresses: list[str]

    def again(self) -> Connection:
        return Connection.objects.select_related("tenant").get(id=self.connection.id)


@pytest.fixture
def victim(
    aamu: Any, honest: Listener, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Provider], Victim]:
    resolve_here(monkeypatch)
    http_session._local.__dict__.clear()
    token = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
    honest.behave = lambda line: line.answer(200, token if "token" in line.asked.split("?")[0] else b"[]")

    def connect(provider: Provider) -> Victim:
        offer(monkeypatch, provider)
        hosts = next(iter(provider.hosts.values()))
        assert isinstance(hosts, CustomerHosts)
        addresses = [field.name for field in provider.credentials if field.kind is FieldKind.ADDRESS]
        place = f"{HOST}:{honest.port}"
        typed = {name: f"https://{place}" for name in addresses}
        _open_to(settings, provider, honest.ca, typed[hosts.api], "")
        with tenant_scope(aamu.id):
            opened = open_connection(tenant=aamu, provider=provider.slug, environment="sandbox", actor=SYSTEM)
            for field in provider.credentials:
                if not field.secret and field.name not in typed and not field.optional:
                    typed[field.name] = field.choices[0][0] if field.choices else "honest-words"
            store_settings(connection=opened, values=typed, actor=SYSTEM)
            for field in provider.credentials:
                if field.secret:
                    store_credential(connection=opened, name=field.name, secret=Secret(SECRET), actor=SYSTEM)
        victim_here = Victim(opened, provider, place, addresses)
        assert send_everything(victim_here.again()) == [], "without a theft it works"
        assert set(honest.reached_by([SECRET, TOKEN])) == {SECRET, TOKEN}
        return victim_here

    return connect


def _open_to(settings: Any, provider: Provider, ca: str, honest: str, other: str) -> None:
    """Our own door lets both addresses of a sandbox through, so that nothing but the binding is in the way."""
    parts = urlsplit(other.strip()) if "//" in other else urlsplit(honest)
    plain = f"{parts.scheme}://{parts.netloc}"
    settings.SANDBOX_HOSTS = {
        provider.slug: SandboxHosts(api=honest, token=f"{honest}/connect/token", plain=plain, ca=ca)
    }


def send_everything(connection: Connection) -> list[str]:
    """Whatever a worker would send for it; what went wrong, told in full."""
    client, errors = Client(connection=connection), []
    first = next(stream for stream in client.provider.streams if stream.each is None)
    auth_methods: list[Callable[[], Any]] = [
        lambda: client.send(first.operation, Arguments(query=dict(first.query))),
        client.new_token,
        lambda: revocation.revoke_session(RequestContext(connection, client.provider), send_and_log),
    ]
    for auth_method in auth_methods:
        try:
            with acting_as("worker"):
                auth_method()
        except CallFailed as failed:
            errors.append(text_of(failed))
    return errors


def attack(
    victim: Victim, login: str, robbers: list[Listener], settings: Any, ca: str
) -> Iterator[tuple[str, list[str]]]:
    """Each address field in each spelling, and all fields at once: the address, and what the sending said."""
    robber, open_robber = robbers
    is_real = victim.provider.name in [each.name for each in all_providers().values()]
    one_by_one = [[name] for name in victim.addresses] if login == "web" and is_real else []
    for names in [victim.addresses, *(one_by_one if len(one_by_one) > 1 else [])]:
        for address in spellings(victim.place, robber.port, open_robber.port):
            with undone():
                sql = "UPDATE vault_connection SET settings = settings || %s::jsonb WHERE id = %s"
                change = "{" + ", ".join(f'"{name}": {thief.json.dumps(address)}' for name in names) + "}"
                tenant_id = victim.connection.tenant_id
                is_allowed = thief.run(login, tenant_id, sql, [change, victim.connection.id])
                assert is_allowed == (login == "web"), "the web keeps what customers type; the staff do not"
                changed = victim.again()
                _open_to(settings, victim.provider, ca, f"https://{victim.place}", address)
                yield address, send_everything(changed)


@pytest.mark.parametrize(
    ("provider", "login"),
    [(each, "web") for each in variants()]
    + [(each, "staff") for each in variants() if each in all_providers().values()],
    ids=lambda each: getattr(each, "name", each),
)
def test_no_secret_follows_an_address_that_was_changed(
    provider: Provider,
    login: str,
    victim: Callable[[Provider], Victim],
    robber: Listener,
    open_robber: Listener,
    both: str,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    caplog.set_level(logging.DEBUG)
    robbed, robbers = victim(provider), [robber, open_robber]
    tries = 0
    for address, errors in attack(robbed, login, robbers, settings, both):
        tries += 1
        assert errors, f"{address!r}: somebody answered"
        text = thief.everything_said(caplog, errors)
        places = [f"{host}:{each.port}" for each in robbers for host in ("thief.example", "127.0.0.1")]
        assert thief.repeated(text, [SECRET, TOKEN], *places) == [], address
        caplog.clear()
    reached = [each for each in robbers if each.reached_by([SECRET, TOKEN])]
    record_property(TRIES, tries)
    record_property(COUNT, len(reached))
    assert reached == []


def test_the_thief_gets_it_where_nothing_is_bound(
    victim: Callable[[Provider], Victim],
    robber: Listener,
    open_robber: Listener,
    both: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the tests above rely on: without the binding the very same attack succeeds."""
    monkeypatch.setattr(Binding, "text", lambda self: "")
    monkeypatch.setattr(BoundSecret, "reveal_for", lambda self, use, url="": Secret.reveal(self))
    robbed = victim(variants()[0])
    token = {"access_token": "of-the-thief", "token_type": "Bearer", "expires_in": 3600}
    robber.behave = lambda line: line.answer(200, token)
    came = set()
    for address, _errors in attack(robbed, "web", [robber, open_robber], settings, both):
        if robber.reached_by([SECRET]) or robber.reached_by([TOKEN]):
            came.add(address)
            robber.asked.clear()
    robber.reset()
    assert len(came) >= 9, came
