"""The operator's egress proxy: everything goes through it, to judged addresses, and its refusals are told apart."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from connections.spec.provider import Deadlines, Hosts
from connections.transport import certificates, egress, trust
from connections.transport.egress import LeadsInside, NotAllowed, NotSent
from tests.transport.test_egress import resolving

QUICK = Deadlines(connect=2, read=2, total=2)
SECRET = "s3cret-t0ken-value"


class Proxy:
    """Joins lines, as a proxy does for CONNECT. `answer` instead: what it says to whom; None lets the line through."""

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
                link.sendall(answer)
                return
            host, _, port = place.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port))) as behind:
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
def proxy(settings):
    egress._local.__dict__.clear()
    made = Proxy()
    settings.EGRESS_PROXY = made.address
    yield made
    made.close()
    egress._local.__dict__.clear()


@pytest.fixture
def hosts(hostile):
    return Hosts(api=hostile.address, token="", ca=hostile.ca, loopback=True, plain=True)


def send(hosts, url="", **more):
    url = url or f"{hosts.api}/"
    return egress.send(**{"hosts": hosts, "method": "GET", "url": url, "deadlines": QUICK, "total": 2, **more})


def test_every_call_goes_through_the_proxy_which_reads_nothing_of_it(hostile, hosts, proxy):
    for _ in range(2):
        assert send(hosts, headers={"Authorization": f"Bearer {SECRET}"}).status == 200
    place = f"127.0.0.1:{hostile.port}"
    assert proxy.heads == [f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()]
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
        assert send(hosts, f"http://127.0.0.1:{port}/").status == 204
    assert proxy.asked == [f"127.0.0.1:{port}"]


def test_names_are_judged_here_and_the_proxy_is_told_the_address(hostile, hosts, proxy, monkeypatch):
    resolving(monkeypatch, ["127.0.0.1"])
    with pytest.raises(LeadsInside):
        send(Hosts(api="", token="", given=True), f"https://localhost:{hostile.port}/")
    assert proxy.asked == []
    send(hosts, f"https://localhost:{hostile.port}/")
    assert proxy.asked == [f"127.0.0.1:{hostile.port}"]
    assert f"\r\nHost: localhost:{hostile.port}".encode() in hostile.asked[0].head


def test_an_address_behind_which_nobody_answers_is_passed_over(hostile, hosts, proxy, monkeypatch):
    resolving(monkeypatch, ["::1", "127.0.0.1"])
    proxy.answer = lambda place: b"HTTP/1.1 502 Bad Gateway\r\n\r\n" if place.startswith("[::1]") else None
    assert send(hosts, f"https://localhost:{hostile.port}/").status == 200
    assert proxy.asked == [f"[::1]:{hostile.port}", f"127.0.0.1:{hostile.port}"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", NotAllowed),
        (b"HTTP/1.1 407 Request Rejected by Proxy\r\nX-Smokescreen-Error: x\r\n\r\n", NotAllowed),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", NotSent),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://10.0.0.5/\r\n\r\n", NotSent),
        (b"SSH-2.0-x\r\n\r\n", NotSent),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", NotSent),
        (b"HTTP/1.1 200 OK\r\n", NotSent),
        (b"", NotSent),
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_what_the_proxy_refuses_and_what_it_cannot_reach(hostile, hosts, proxy, scheme, answer, told):
    proxy.answer = lambda _: answer
    with pytest.raises(told) as caught:
        send(hosts, f"{scheme}://127.0.0.1:{hostile.port}/", method="POST", form={"client_secret": SECRET})
    assert type(caught.value) is told
    assert hostile.asked == []
    assert SECRET.encode() not in b"".join(proxy.heads)


def test_a_proxy_that_says_nothing_holds_nobody_longer_than_the_deadline(hosts, proxy):
    proxy.answer = lambda _: time.sleep(3) or b""
    started = time.monotonic()
    with pytest.raises(NotSent):
        send(hosts, total=0.3)
    assert time.monotonic() - started < 2.5


def test_without_the_proxy_nothing_is_sent(hostile, hosts, settings):
    egress._local.__dict__.clear()
    with socket.create_server(("127.0.0.1", 0)) as gone:
        settings.EGRESS_PROXY = gone.getsockname()
    with pytest.raises(NotSent):
        send(hosts)
    assert hostile.asked == []


def test_certificates_are_looked_at_through_it(hostile, proxy):
    shown = certificates._shown(["127.0.0.1"], hostile.port, "127.0.0.1", trust.blind())
    assert shown
    assert proxy.asked == [f"127.0.0.1:{hostile.port}"]
