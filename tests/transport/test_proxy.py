"""The operator's egress proxy: everything goes through it, to judged addresses, and its refusals are told apart."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
from urllib3.util import connection as urllib3_connection

from connections.spec.errors import Unavailable
from connections.spec.provider import Deadlines, Hosts
from connections.transport.client import Client
from connections.transport.http import certificates, tls
from connections.transport.http import session as http_session
from connections.transport.http.session import AddressNotAllowed, LeadsInside, NoAnswer, NoProxy, NotSent, NotTrusted
from connections.transport.limits import retry
from connections.transport.models import Breaker
from tests.roles import acting_as
from tests.transport.test_session import resolving

PUBLIC = "93.184.216.34"
QUICK = Deadlines(connect=2, read=2, total=2)
SECRET = "s3cret-t0ken-value"


class Proxy:
    """Joins lines, as a proxy does for CONNECT, to the same port of this machine, whatever the address.

    `answer` instead: what it says to whom; None lets the line through.
    """

    def __init__(self):
        self.asked, self.heads, self.answer = [], [], lambda place: None
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = self.server.getsockname()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.server.accept()[0],), daemon=True).start()

    def _serve(self, link):
        head = b""
        while not head.endswith(b"\r\n\r\n") and (more := link.recv(1)):
            head += more
        self.heads.append(head)
        place = head.split()[1].decode()
        self.asked.append(place)
        answer = self.answer(place)
        with link, suppress(OSError):
            if answer is not None:
                for part in [answer] if isinstance(answer, bytes) else answer:
                    link.sendall(part)
                return
            with socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2]))) as behind:
                link.sendall(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
                back = threading.Thread(target=self._pump, args=(behind, link), daemon=True)
                back.start()
                self._pump(link, behind)
                back.join()

    @staticmethod
    def _pump(one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self):
        self.server.close()


@pytest.fixture
def proxy(settings, monkeypatch):
    resolving(monkeypatch, [PUBLIC])
    http_session._local.__dict__.clear()
    made = Proxy()
    settings.EGRESS_PROXY = made.address
    yield made
    made.close()
    http_session._local.__dict__.clear()


@pytest.fixture
def hosts(hostile):
    return Hosts(api=f"https://localhost:{hostile.port}", token="", ca=hostile.ca, from_customer=True, plain=True)


def send(hosts, url="", **more):
    url = url or f"{hosts.api}/"
    return http_session.send(**{"hosts": hosts, "method": "GET", "url": url, "deadlines": QUICK, "total": 2, **more})


def test_every_call_goes_through_the_proxy_which_reads_nothing_of_it(hostile, hosts, proxy):
    for _ in range(2):
        assert send(hosts, headers={"Authorization": f"Bearer {SECRET}"}).status == 200
    place = f"{PUBLIC}:{hostile.port}"
    assert proxy.heads == [f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()]
    assert f"\r\nHost: localhost:{hostile.port}".encode() in hostile.asked[0].head
    assert len(hostile.asked) == 2


def test_plain_http_goes_through_it_as_well(hosts, proxy):
    plain = socket.create_server(("127.0.0.1", 0))

    def answer():
        line, _ = plain.accept()
        line.recv(65536)
        line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        line.close()

    threading.Thread(target=answer, daemon=True).start()
    with plain:
        port = plain.getsockname()[1]
        assert send(hosts, f"http://localhost:{port}/").status == 204
    assert proxy.asked == [f"{PUBLIC}:{port}"]


def test_addresses_are_checked_here_and_not_by_the_proxy(hosts, proxy, monkeypatch):
    monkeypatch.undo()
    resolving(monkeypatch, [PUBLIC, "10.0.0.5"])
    with pytest.raises(LeadsInside):
        send(hosts)
    with pytest.raises(AddressNotAllowed):
        send(hosts, "https://10.0.0.5/")
    assert proxy.asked == []


def test_another_certificate_is_not_trusted_behind_it_either(hostile, hosts, proxy, monkeypatch):
    with pytest.raises(NotTrusted):
        send(hosts, f"https://other.example:{hostile.port}/")
    assert hostile.asked == []


def test_loopback_is_this_machine_and_not_the_proxys(hostile, proxy):
    own = Hosts(api=hostile.address, token="", ca=hostile.ca, loopback=True)
    assert send(own).status == 200
    assert proxy.asked == []


def test_an_address_behind_which_nobody_answers_is_passed_over(hostile, hosts, proxy, monkeypatch):
    monkeypatch.undo()
    resolving(monkeypatch, ["2606:2800:220:1::1", PUBLIC])
    proxy.answer = lambda place: b"HTTP/1.1 502 Bad Gateway\r\n\r\n" if place.startswith("[2606") else None
    assert send(hosts).status == 200
    assert proxy.asked == [f"[2606:2800:220:1::1]:{hostile.port}", f"{PUBLIC}:{hostile.port}"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", AddressNotAllowed),
        (b"HTTP/1.1 407 Request Rejected by Proxy\r\nX-Smokescreen-Error: x\r\n\r\n", AddressNotAllowed),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", NotSent),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://10.0.0.5/\r\n\r\n", NotSent),
        (b"SSH-2.0-x\r\n\r\n", NoProxy),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", NoProxy),
        (b"HTTP/1.1 200 OK\r\n", NoProxy),
        (b"", NoProxy),
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_what_the_proxy_refuses_and_what_it_cannot_reach(hostile, hosts, proxy, scheme, answer, told):
    proxy.answer = lambda _: answer
    with pytest.raises(told) as caught:
        send(hosts, f"{scheme}://localhost:{hostile.port}/", method="POST", form={"client_secret": SECRET})
    assert type(caught.value) is told
    assert hostile.asked == []
    assert SECRET.encode() not in b"".join(proxy.heads)


def dripping():
    for _ in itertools.count():
        yield b"H"
        time.sleep(0.1)


@pytest.mark.parametrize("said", [dripping, lambda: time.sleep(3) or b""], ids=["drips", "is silent"])
def test_a_proxy_that_does_not_answer_holds_nobody_longer_than_the_deadline(hosts, proxy, said):
    """One that drips would hold them for ever."""
    proxy.answer = lambda _: said()
    with pytest.raises(NotSent):
        send(hosts, total=0.5)


@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.example"])
def test_without_the_proxy_nothing_is_sent(hostile, hosts, proxy, settings, monkeypatch, host):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        settings.EGRESS_PROXY = (host, gone.getsockname()[1])
    monkeypatch.undo()
    resolving(monkeypatch, ["127.0.0.1"])
    monkeypatch.setattr(http_session.dns, "allowed_addresses", lambda *_: [ip_address(PUBLIC)])
    with pytest.raises(NoProxy):
        send(hosts)
    assert hostile.asked == []


def test_a_proxy_without_a_name_is_no_providers_trouble(uncanny, settings, monkeypatch):
    settings.EGRESS_PROXY = ("proxy.example", 3128)
    resolving(monkeypatch, [])
    monkeypatch.setattr(http_session.dns, "allowed_addresses", lambda *_: [ip_address(PUBLIC)])
    monkeypatch.setattr(retry, "LONGEST_RETRY_WAIT_SECONDS", 0.0)
    for _ in range(6):
        with acting_as("worker"), pytest.raises(Unavailable, match="no-proxy"):
            Client(connection=uncanny).send("session")
    assert not Breaker.objects.exists()


def test_certificates_are_looked_at_through_it(hostile, proxy):
    assert certificates._fetch_certificate([PUBLIC], hostile.port, "localhost", tls.blind())
    assert proxy.asked == [f"{PUBLIC}:{hostile.port}"]


# -- private networks, without a proxy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["10.0.0.5", "fd12:3456::9"])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_private_address_that_an_admin_allowed_is_really_called(hostile, hosts, monkeypatch, inside, scheme):
    """The connection is made to this machine instead, at the last moment."""
    real, dialled = urllib3_connection.create_connection, []

    def connect(address, *args, **more):
        dialled.append(address[0])
        return real(("127.0.0.1", address[1]), *args, **more)

    http_session._local.__dict__.clear()
    monkeypatch.setattr(urllib3_connection, "create_connection", connect)
    resolving(monkeypatch, [inside])
    allowed = replace(hosts, private=("10.0.0.5/32", "fd12:3456::8/125"))
    url = f"{scheme}://localhost:{hostile.port}/"
    if scheme == "https":
        assert send(allowed, url).status == 200
    else:  # the server speaks TLS alone, and was reached
        with pytest.raises(NoAnswer):
            send(allowed, url)
    assert dialled == [inside]
    with pytest.raises(LeadsInside):
        send(replace(allowed, private=("10.0.0.6/32",)), url)
    assert dialled == [inside]
