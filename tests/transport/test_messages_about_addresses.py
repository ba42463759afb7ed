"""What is said of addresses: the host of a redirect and no more, and of customers' hosts nothing that maps our network."""

from __future__ import annotations

import socket
import time

import pytest

from connections.spec.errors import Blocked, CallFailed, Unavailable
from connections.spec.origins import origin_of
from connections.transport import clock
from connections.transport.models import Breaker, RequestLogEntry
from connections.vault.binding import Binding
from tests.roles import acting_as
from tests.transport.conftest import at_hosts
from tests.transport.test_client_sending import TOKEN, answering, client, quick_steps, send

__all__ = ["client", "quick_steps"]  # fixtures
pytestmark = pytest.mark.usefixtures("db")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://Thief.Example/take?code=1", "thief.example"),
        ("//other.example:8443/x", "other.example"),
        ("http://[::1]/", "::1"),
        ("/elsewhere?token=abc", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("///thief.example", ""),
        ("/\\thief.example", ""),
        ("https:/thief.example", ""),
        ("https:thief.example", ""),
        ("/\t/thief.example", "thief.example"),
        ("https://someone:pass@thief.example/", ""),
        ("https://thief_\x07.example/", ""),
        ("http://[::1", ""),
        (f"https://{TOKEN}.thief.example/", ""),
        (f"https://{'a.' * 130}example/", ""),
    ],
)
def test_of_a_redirect_the_host_is_kept_and_nothing_else(hostile, client, location, host):
    answering(hostile, (302, b"", {"Location": location}))
    with pytest.raises(CallFailed, match="redirected"):
        send(client)
    assert RequestLogEntry.objects.get(fault="redirected").leads_to == host


def test_what_is_no_redirect_leads_nowhere(hostile, client):
    answering(hostile, (201, {}, {"Location": "https://thief.example/"}))
    send(client)
    assert [entry.leads_to for entry in client.pending] == [""]


def looked_up(monkeypatch, found):
    """`found`: addresses, or the number of the resolver's error."""
    real = socket.getaddrinfo

    def look_up(host, port, *_, **__):
        if isinstance(found, int):
            raise socket.gaierror(found, "no")
        return [each for address in found for each in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def living(hostile, client):
    """With a token, so that it is the call that meets the address."""
    answering(hostile, (200, {}))
    send(client)
    client.pending.clear()
    RequestLogEntry.objects.all().delete()
    return client


def given_for(address):
    """What is stored was given for this address."""
    return lambda binding: {use: frozenset({origin_of(address)}) for use in binding.uses}


def told(client, *, given):
    """The error of a call to a host by its name, and what the request log says of its first attempt."""
    named = "https://server.example"
    at_hosts(client, api=named, token=named, from_customer=given, loopback=False)
    client.tokens.token = None
    with pytest.MonkeyPatch.context() as patched, pytest.raises(CallFailed) as caught:
        patched.setattr(Binding, "destinations", given_for(named))
        send(client)
    entry = RequestLogEntry.objects.get(attempt=1)  # how often it is tried again is a matter of the retry budget
    kept = {name: value for name, value in vars(entry).items() if name not in ("_state", "id", "at", "token_age_s")}
    RequestLogEntry.objects.all().delete()
    Breaker.objects.all().delete()
    return type(caught.value), caught.value.fault.code, kept


INSIDE = ["10.0.0.5"], ["93.184.216.34", "10.0.0.5"], ["127.0.0.1"], ["169.254.169.254"], ["fd00::1"]
TROUBLE = socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_AGAIN, socket.EAI_FAIL


@pytest.fixture
def waited(monkeypatch):
    """How long it would have been waited, in turn."""
    seconds = []
    monkeypatch.setattr(clock.time, "sleep", seconds.append)
    return seconds


def test_of_a_customers_host_nobody_learns_whether_the_name_exists_inside(living, monkeypatch, waited):
    looked_up(monkeypatch, socket.EAI_NONAME)
    unknown = told(living, given=True)
    assert unknown[:2] == (Unavailable, "no-server")
    assert (unknown[2]["outcome"], unknown[2]["duration_ms"]) == ("unreachable", 1000)
    for found in (*INSIDE, *TROUBLE):
        looked_up(monkeypatch, found)
        assert told(living, given=True) == unknown


def test_a_hidden_address_is_refused_after_whole_seconds(waited):
    for passed, whole in ((0.002, 1), (0.9, 1), (1.3, 2), (9.99, 10)):
        assert clock.wait_for_whole_second(time.monotonic() - passed) == whole
        assert abs(waited[-1] - (whole - passed)) < 0.01


@pytest.mark.parametrize("found", [["10.0.0.5"], socket.EAI_NONAME], ids=["inside", "unknown"])
def test_a_token_request_hides_in_the_same_way_whether_a_name_exists(client, monkeypatch, found, waited):
    looked_up(monkeypatch, found)
    assert told(client, given=True)[:2] == (Unavailable, "no-server")
    assert RequestLogEntry.objects.count() == 0
    assert any(abs(seconds - 1) < 0.5 for seconds in waited)


@pytest.mark.parametrize("found", [["10.0.0.5"], socket.EAI_NONAME], ids=["inside", "unknown"])
def test_a_look_at_certificates_hides_in_the_same_way_whether_a_name_exists(client, monkeypatch, found, waited):
    looked_up(monkeypatch, found)
    named = "https://server.example"
    at_hosts(client, api=named, token=named, from_customer=True, loopback=False)
    with acting_as("worker"), pytest.raises(Unavailable, match="no-server"):
        client.certificates()
    assert [round(seconds) for seconds in waited] == [1]


def test_an_address_itself_is_refused_in_one_way_whoever_listens_there(hostile, client):
    for url in (hostile.address, "https://10.0.0.5", "https://127.0.0.1"):
        at_hosts(client, api=url, token=url, from_customer=True, loopback=False)
        with pytest.raises(Blocked, match="blocked"):
            send(client)
    assert hostile.asked == []


def test_of_our_own_addresses_staff_learn_which_it_was(living, monkeypatch):
    looked_up(monkeypatch, ["10.0.0.5"])
    assert told(living, given=False)[:2] == (Blocked, "blocked")
    for trouble in TROUBLE:
        looked_up(monkeypatch, trouble)
        assert told(living, given=False)[:2] == (Unavailable, "no-answer")
