"""Twelve kinds of certificates against every way we may trust one, whatever the environment and the caller say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connections.spec.errors import Blocked, Unavailable
from connections.spec.provider import Deadlines, Hosts
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client
from connections.transport.http import certificates, tls
from connections.transport.http import session as http_session
from connections.transport.oauth import token_store
from connections.vault import services as vault
from connections.vault.models import Pin
from connections.vault.secret import Secret
from portal.env import SandboxHosts
from tests.roles import acting_as
from tests.transport import certificate_factory
from tests.transport.conftest import at_hosts
from tests.transport.hostile import HostileServer

QUICK = Deadlines(connect=5, read=5, total=5)
# Kind: accepted by a trusted authority, accepted where it is pinned itself.
KINDS = {
    "in order": (True, True),
    "expired": (False, False),
    "not yet valid": (False, False),
    "for another name": (False, True),
    "for no name": (False, True),
    "self-signed": (False, True),
    "self-signed authority": (False, True),
    "of an unknown authority": (False, True),
    "self-signed, expired": (False, False),
    "self-signed, not yet valid": (False, False),
    "weak key": (False, False),
    "weak key, self-signed": (False, False),
    "SHA-1": (False, True),
}


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    """Papers by kind, and the authority that is trusted."""
    folder = tmp_path_factory.mktemp("papers")
    authority = certificate_factory.made(folder, "authority", hosts=(), authority=True)
    stranger = certificate_factory.made(folder, "stranger", hosts=(), authority=True)
    made = {
        "authority": authority,
        "in order": {"signer": authority},
        "expired": {"signer": authority, "days": (-30, -1)},
        "not yet valid": {"signer": authority, "days": (1, 30)},
        "for another name": {"signer": authority, "hosts": ("another.example",)},
        "for no name": {"signer": authority, "hosts": ()},
        "self-signed": {},
        "self-signed authority": {"authority": True},
        "of an unknown authority": {"signer": stranger},
        "self-signed, expired": {"days": (-30, -1)},
        "self-signed, not yet valid": {"days": (1, 30)},
        "weak key": {"signer": authority, "weak": True},
        "weak key, self-signed": {"weak": True},
        "another": {},
    }
    found = {
        kind: how
        if isinstance(how, certificate_factory.Paper)
        else certificate_factory.made(folder, kind.replace(" ", "-"), **how)
        for kind, how in made.items()
    }
    return found | {"SHA-1": certificate_factory.old_hash(folder, "old", authority)}


@pytest.fixture
def ca(drawer, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text(drawer["authority"].pem)
    return str(file)


@pytest.fixture(params=["quiet", "bundle in the environment", "verify=False"])
def ask(request, hostile, drawer, ca, monkeypatch):
    """`ask(kind, *pinned)`: whether the request went out. The certificate is also all that the environment trusts."""

    def answered(kind, *pinned):
        http_session._local.__dict__.clear()
        hostile.show(drawer[kind].chain)
        asked = len(hostile.asked)
        place = f"127.0.0.1:{hostile.port}"
        hosts = Hosts(
            api=hostile.address,
            token="",
            ca=ca,
            loopback=True,
            pins=tuple((place, drawer[each].pem) for each in pinned),
        )
        if request.param == "bundle in the environment":
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
                monkeypatch.setenv(name, str(drawer[kind].chain))
        try:
            if request.param == "verify=False":
                session = http_session._session(hosts)
                assert session.get(hosts.api, verify=False).status_code == 200
            else:
                sent = http_session.send(hosts=hosts, method="GET", url=hosts.api, deadlines=QUICK, total=5)
                assert sent.status == 200
        except http_session.NotTrusted:
            assert len(hostile.asked) == asked
            return False
        return True

    return answered


@pytest.mark.parametrize("kind", KINDS)
def test_an_authority_vouches_for_what_is_in_order(ask, kind):
    assert ask(kind) is KINDS[kind][0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pin_vouches_for_itself_while_it_lasts(ask, kind):
    assert ask(kind, kind) is KINDS[kind][1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pin_vouches_for_nothing_else(ask, kind):
    """Not even for what a trusted authority signed."""
    assert ask(kind, "another") is False


@pytest.mark.parametrize("kind", KINDS)
def test_a_pinned_authority_vouches_for_none_of_its_certificates(ask, kind):
    assert ask(kind, "authority") is False


def test_a_pinned_certificate_that_can_sign_vouches_for_none_of_its_children(ask, drawer, tmp_path):
    drawer["child"] = certificate_factory.made(tmp_path, "child", signer=drawer["self-signed authority"])
    assert ask("child", "self-signed authority") is False


def test_two_pins_are_live_together(ask):
    assert ask("self-signed", "self-signed", "another") is True
    assert ask("another", "self-signed", "another") is True
    assert ask("in order", "self-signed", "another") is False


def test_a_pin_is_for_its_host_and_port_alone(hostile, drawer, ca):
    hostile.show(drawer["self-signed"].chain)
    pins = ((f"127.0.0.1:{hostile.port + 1}", drawer["self-signed"].pem), ("localhost:443", drawer["self-signed"].pem))
    hosts = Hosts(api=hostile.address, token="", ca=ca, loopback=True, pins=pins)
    with pytest.raises(http_session.NotTrusted):
        http_session.send(hosts=hosts, method="GET", url=hosts.api, deadlines=QUICK, total=5)


def test_one_changed_in_the_middle_stops_the_next_connection(hostile, drawer, ca):
    """An open connection is the one that was judged; the next one is judged anew."""
    hostile.show(drawer["self-signed"].chain)
    pins = ((f"127.0.0.1:{hostile.port}", drawer["self-signed"].pem),)
    hosts = Hosts(api=hostile.address, token="", ca=ca, loopback=True, pins=pins)
    assert http_session.send(hosts=hosts, method="GET", url=hosts.api, deadlines=QUICK, total=5).status == 200
    hostile.show(drawer["another"].chain)
    hostile.behave = lambda line: (line.answer(), line.hang_up())
    assert http_session.send(hosts=hosts, method="GET", url=hosts.api, deadlines=QUICK, total=5).status == 200
    with pytest.raises(http_session.NotTrusted):
        http_session.send(hosts=hosts, method="GET", url=hosts.api, deadlines=QUICK, total=5)


# -- looking, confirming, changing -----------------------------------------------------------------------------------


@pytest.fixture
def pinned(hostile, system_key, aamu, settings, ca, monkeypatch):
    """A connection of Aamu Oy to a customer's own server, whose certificates are confirmed by a person."""
    monkeypatch.setattr(token_store, "FAILURE_HOLDS_SECONDS", 0)  # what was refused is asked again at once
    settings.SANDBOX_HOSTS = {"pentamic": SandboxHosts(api=hostile.address, token=hostile.address, ca=ca)}
    typed = {"api_url": hostile.address, "auth_url": hostile.address, "client_id": "c", "scope": "s", "format": "json"}
    with tenant_scope(aamu.id):
        opened = vault.open_connection(tenant=aamu, provider="pentamic", environment="sandbox", actor=SYSTEM)
        vault.store_settings(connection=opened, values=typed, actor=SYSTEM)
        vault.store_credential(connection=opened, name="client_secret", secret=Secret("k" * 40), actor=SYSTEM)
    hostile.behave = lambda line: line.answer(
        200, {"access_token": "t", "token_type": "Bearer"} if line.asked.startswith("POST") else []
    )
    return opened


def look(connection):
    with acting_as("worker"):
        (seen,) = Client(connection=connection).certificates()
    return seen


def confirm(connection):
    with acting_as("web"), tenant_scope(connection.tenant_id):
        shown = [pin.compared for pin in Pin.objects.filter(connection_id=connection.id, confirmed_at=None)]
        return vault.confirm_pins(connection=connection, compared=shown, actor=SYSTEM)


def call(connection):
    http_session._local.__dict__.clear()
    with acting_as("worker"):
        return Client(connection=connection).send("customers.list").status


def live(connection):
    with tenant_scope(connection.tenant_id):
        return {pin.sha256 for pin in vault.live_pins(connection)}


def later(connection, days):
    with tenant_scope(connection.tenant_id):
        for pin in Pin.objects.filter(connection_id=connection.id, confirmed_at__isnull=False):
            Pin.objects.filter(id=pin.id).update(confirmed_at=pin.confirmed_at - timedelta(days=days))


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_is_seen_and_never_trusted_by_that(pinned, hostile, drawer, kind):
    hostile.show(drawer[kind].chain)
    seen = look(pinned)
    assert seen.sha256 == tls.fingerprint(drawer[kind].pem)
    assert seen.ends_at == drawer[kind].certificate.not_valid_after_utc
    assert (seen.is_public, seen.is_confirmed, seen.is_changed) == (KINDS[kind][0], False, False)
    assert hostile.asked == []
    if not KINDS[kind][0]:
        with pytest.raises(Blocked) as stopped:
            call(pinned)
        assert stopped.value.fault.code == "pin-missing"
        assert confirm(pinned) == [seen.host]
    if KINDS[kind][1]:
        assert call(pinned) == 200
    else:
        with pytest.raises(Blocked) as stopped:
            call(pinned)
        is_public_and_ended = kind in ("expired", "self-signed, expired")
        assert stopped.value.fault.code == ("pin-ended" if is_public_and_ended else "untrusted")


@pytest.mark.usefixtures("committed_db")
def test_a_changed_certificate_stops_calls_until_a_person_confirms_it(pinned, hostile, drawer):
    hostile.show(drawer["self-signed"].chain)
    look(pinned)
    confirm(pinned)
    assert call(pinned) == 200
    hostile.show(drawer["another"].chain)
    asked = len(hostile.asked)
    with pytest.raises(Blocked) as stopped:
        call(pinned)
    assert (stopped.value.fault.code, stopped.value.fault.checkpoint) == ("pin-broken", "certificate")
    assert len(hostile.asked) == asked
    seen = look(pinned)
    assert (seen.is_confirmed, seen.is_changed) == (False, True)
    with pytest.raises(Blocked):
        call(pinned)
    confirm(pinned)
    assert call(pinned) == 200


@pytest.mark.usefixtures("committed_db")
def test_one_met_after_the_page_was_read_is_not_confirmed_by_it(pinned, hostile, drawer):
    """Another check meets a man in the middle, while somebody compares what the first one was shown."""
    hostile.show(drawer["self-signed"].chain)
    compared = f"127.0.0.1:{hostile.port}={look(pinned).sha256}"
    hostile.show(drawer["another"].chain)
    met = look(pinned)
    for shown in ([compared], [compared, f"{met.host}={met.sha256}"], []):
        with (
            acting_as("web"),
            tenant_scope(pinned.tenant_id),
            pytest.raises(vault.ActionRefused, match="Compare again"),
        ):
            vault.confirm_pins(connection=pinned, compared=shown, actor=SYSTEM)
    assert live(pinned) == set()
    hostile.show(drawer["self-signed"].chain)
    look(pinned)
    with acting_as("web"), tenant_scope(pinned.tenant_id):
        assert vault.confirm_pins(connection=pinned, compared=[compared], actor=SYSTEM) == [met.host]
    assert call(pinned) == 200, "it shows again what was compared"


@pytest.mark.usefixtures("committed_db")
def test_a_replaced_certificate_is_live_for_the_change_over(pinned, hostile, drawer):
    prints = {kind: tls.fingerprint(drawer[kind].pem) for kind in ("self-signed", "another", "for no name")}
    for kind in ("self-signed", "another"):
        hostile.show(drawer[kind].chain)
        look(pinned)
        confirm(pinned)
    assert live(pinned) == {prints["self-signed"], prints["another"]}
    hostile.show(drawer["self-signed"].chain)
    assert call(pinned) == 200
    later(pinned, vault.OLD_PIN_LIFETIME.days + 1)
    assert live(pinned) == {prints["another"]}
    with pytest.raises(Blocked):
        call(pinned)
    seen = look(pinned)  # it came back: a person must say so again
    assert (seen.is_confirmed, seen.is_changed) == (False, True)
    confirm(pinned)
    assert live(pinned) == {prints["self-signed"], prints["another"]}
    hostile.show(drawer["for no name"].chain)
    look(pinned)
    confirm(pinned)
    assert live(pinned) == {prints["self-signed"], prints["for no name"]}  # never three


@pytest.mark.usefixtures("committed_db")
def test_no_certificate_is_fetched_from_an_internal_address(pinned):
    client = Client(connection=pinned)
    at_hosts(client, loopback=False)
    with acting_as("worker"), pytest.raises(Blocked):
        client.certificates()


@pytest.mark.usefixtures("committed_db")
def test_a_host_that_never_finishes_its_handshake_is_given_up(pinned, hostile, monkeypatch):
    monkeypatch.setattr(certificates, "TIMEOUT_SECONDS", 0.3)
    hostile.greet = lambda sock: sock.recv(65536) and sock.recv(1) and False
    with acting_as("worker"), pytest.raises(Unavailable):
        Client(connection=pinned).certificates()


@pytest.mark.usefixtures("committed_db")
def test_a_certificate_of_a_version_that_nobody_reads_is_left(pinned, hostile, drawer, tmp_path):
    hostile.show(certificate_factory.of_version_two(drawer["self-signed"], tmp_path))
    with acting_as("worker"), pytest.raises(Unavailable) as left:
        Client(connection=pinned).certificates()
    assert left.value.fault.code == "no-answer"
    assert not live(pinned)


@pytest.mark.usefixtures("committed_db")
def test_plain_http_where_tls_is_expected_is_told_as_that(pinned, settings, ca, tmp_path):
    """Not as a server that does not answer: there is something to compare."""
    bare = HostileServer(tmp_path, tls=False)
    bare.greet = lambda sock: bool(sock.recv(65536)) and sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n") is not None
    place = bare.address.replace("http:", "https:")
    settings.SANDBOX_HOSTS = {"pentamic": SandboxHosts(api=place, token=place, ca=ca)}
    with tenant_scope(pinned.tenant_id):
        vault.store_settings(connection=pinned, values={"api_url": place, "auth_url": place}, actor=SYSTEM)
        vault.store_credential(connection=pinned, name="client_secret", secret=Secret("k" * 40), actor=SYSTEM)
    with acting_as("worker"):
        for what in (Client(connection=pinned).certificates, Client(connection=pinned).new_token):
            with pytest.raises(Unavailable) as told:
                what()
            assert (told.value.fault.code, told.value.fault.responsible.value) == ("not-encrypted", "provider")
    assert bare.asked == []
    bare.close()
