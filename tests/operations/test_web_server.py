"""The web process's server: who holds a socket holds no thread, and what no middleware sees is answered in words."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from encodings import aliases
from typing import Any

import pytest
from django.conf import settings as django_settings

from portal.operations import entry, headers, web_server
from portal.operations.entry import Application, is_utf_8
from portal.operations.health import ADDRESSES, LIVE
from portal.operations.web_server import Server
from tests.roles import acting_as

HEADERS = ("Content-Security-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "X-Content-Type-Options")


@contextmanager
def serving(application: Callable[..., Any], *, threads: int = 2, proxies: int = 0) -> Iterator[Server]:
    server = Server(application, host="127.0.0.1", port=0, proxies=proxies, threads=threads)
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    try:
        yield server
    finally:
        server.stop()
        running.join(30)
        assert not running.is_alive()


def ask(server: Server, path: str = "/", **head: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        line.request("GET", path, headers=head)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read() or environ["PATH_INFO"].encode()]


def half_open(server: Server, first: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    line.sendall(first)
    return line


def endless(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return _Endless(environ["PATH_INFO"])


class _Endless:
    """A download that never ends; which of them were closed."""

    closed: list[str] = []

    def __init__(self, path: str) -> None:
        self.path = path

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    def close(self) -> None:
        self.closed.append(self.path)


# -- sockets and threads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: a", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"],
    ids=["silent", "half a line", "half a head", "half a body"],
)  # fmt: skip
def test_who_sends_half_a_request_keeps_nobody_waiting(first: bytes) -> None:
    with serving(echo, threads=1) as server:
        lines = [half_open(server, first) for _ in range(20)]
        assert ask(server, "/page") == (200, b"/page")
        if first.endswith(b"\r\n\r\na"):
            lines[0].sendall(b"bcdefghi")
            answer = b""
            while not answer.endswith(b"\r\n\r\nabcdefghi"):
                part = lines[0].recv(4096)
                assert part, answer
                answer += part
        for line in lines:
            line.close()


def test_a_request_that_takes_too_long_to_come_is_put_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "RECEIVE_SECONDS", 0.2)
    monkeypatch.setattr(web_server, "LOOP_SECONDS", 0.05)
    with serving(echo) as server:
        for first in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"):
            with half_open(server, first) as line:
                assert line.recv(1) == b"", first


def test_an_idle_connection_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "RECEIVE_SECONDS", 0.2)
    monkeypatch.setattr(web_server, "LOOP_SECONDS", 0.05)
    with serving(echo) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(2):
            line.request("GET", "/again")
            assert line.getresponse().read() == b"/again"
            time.sleep(0.5)
        line.close()


@pytest.mark.parametrize("path", ADDRESSES)
def test_health_is_answered_while_every_thread_is_busy(path: str) -> None:
    free = threading.Event()
    busy = threading.Barrier(3)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            busy.wait(30)
            free.wait(30)
        return echo(environ, start_response)

    with serving(application, threads=2) as server:
        askers = [threading.Thread(target=ask, args=(server, "/slow")) for _ in range(2)]
        for asker in askers:
            asker.start()
        busy.wait(30)
        assert ask(server, path) == (200, path.encode())
        free.set()
        for asker in askers:
            asker.join(30)


def test_what_is_being_answered_is_answered_before_the_end() -> None:
    begun, stop_requests = threading.Event(), []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.set()
        time.sleep(0.5)
        return echo(environ, start_response)

    with serving(application) as server:
        asker = threading.Thread(target=lambda: stop_requests.append(ask(server, "/last")))
        asker.start()
        begun.wait(30)
    asker.join(30)
    assert stop_requests == [(200, b"/last")]


@pytest.mark.parametrize(("proxies", "expected"), [(0, b""), (1, b"https 192.0.2.7")])
def test_forwarding_is_heard_from_proxies_alone(proxies: int, expected: bytes) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        headers = (environ.get(f"HTTP_X_FORWARDED_{name}", "") for name in ("PROTO", "FOR"))
        return [" ".join(headers).strip().encode()]

    with serving(application, proxies=proxies) as server:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
        assert ask(server, **headers) == (200, expected)


def test_what_is_too_long_is_refused() -> None:
    with serving(echo) as server:
        assert ask(server, **{"X-Long": "a" * 40_000})[0] == 431
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        line.putrequest("POST", "/")
        line.putheader("Content-Length", str(4 * 1024 * 1024))
        line.endheaders()
        assert line.getresponse().status == 413
        line.close()


def test_a_place_that_is_no_address_is_refused_in_one_line() -> None:
    from django.core.management import CommandError, call_command

    for place in ("localhost:8000", "127.0.0.1", "127.0.0.1:99999", ":8000"):
        with pytest.raises(CommandError, match="--listen is an address and a port"):
            call_command("serve", listen=place)


# -- what no middleware sees -------------------------------------------------------------------------------------------


def answered(
    path: str = "/account/login/", query: str = "", content_type: str = "", method: str = "GET"
) -> tuple[str, dict[str, str], bytes]:
    body = b"a=%ff"
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
    }
    responses: list[Any] = []
    with acting_as("web"):
        parts = Application()(environ, lambda status, head, exc_info=None: responses.append((status, dict(head))))
        text = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
    [(status, head)] = responses
    return status, head, text


CHARSETS = sorted(
    {name for name in aliases.aliases.values() if name.endswith("_codec") or name in ("rot_13", "cp037", "latin_1")}
    | {"utf-7", "utf-16", "idna", "punycode", "undefined", "unicode_escape", "a\0b", "nonsense", "é", "u" * 3000, "utf-8-sig"}
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_charset_but_ours_is_refused_in_words_with_every_header(
    db: None, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    for charset in CHARSETS:
        content_type = f"application/x-www-form-urlencoded; charset={charset}"
        status, head, text = answered(query="q=+AGE-&b=%80", content_type=content_type, method=method)
        assert status == "400 Bad Request", charset
        assert b"This request could not be read" in text
        assert all(name in head for name in HEADERS)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("content_type", "is_read"),
    [
        ("", True),
        ("text/plain", True),
        ("application/x-www-form-urlencoded; charset=UTF-8", True),
        ('text/plain; charset="utf8"', True),
        ("text/plain; charset=utf-8; charset=utf-7", False),
        ("text/plain; charset*=rot13''%ff", False),
        ("text/plain; charset*=utf-8''rot13", False),
        ("text/plain; charset=a\0b", False),
    ],
)
def test_a_charset_is_read_as_django_reads_it(content_type: str, is_read: bool) -> None:
    assert is_utf_8(content_type) is is_read


@pytest.mark.parametrize("query", ["&".join(["a=1"] * 1001), "a=%ff&b=%00"])
@pytest.mark.parametrize("path", ["/account/login/", "/", LIVE, "/static/css/portal.css"])
def test_an_odd_query_has_an_answer_with_every_header(db: None, query: str, path: str) -> None:
    status, head, _ = answered(path, query=query)
    assert status[:3] in ("200", "302", "400")
    assert all(name in head for name in HEADERS)


def test_what_gets_past_django_is_one_line_without_values(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any, request: Any) -> Any:
        message = "the-value-of-something"
        raise RuntimeError(message)

    monkeypatch.setattr(Application, "get_response", broken)
    status, head, text = answered()
    assert status == "500 Internal Server Error"
    assert b"Something broke on our side" in text
    assert all(name in head for name in HEADERS)
    [record] = [each for each in caplog.records if each.name == entry.__name__]
    assert record.levelno == logging.ERROR
    assert "RuntimeError at " in record.getMessage()
    assert "the-value-of-something" not in caplog.text


# -- headers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIVE, "/static/css/portal.css", "/account/login/", "/nowhere/", "/admin/login/"])
def test_every_answer_has_every_header(client: Any, db: None, path: str) -> None:
    answer = client.get(path)
    answer.close()
    assert {name: bool(answer.headers.get(name)) for name in HEADERS} == dict.fromkeys(HEADERS, True)
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_health_is_answered_without_tls(client: Any, db: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(LIVE).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something new"])
@pytest.mark.parametrize("path", ["/account/login/", "/admin/login/", "/account/logout/"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_what_another_site_sends_is_refused_in_words(client: Any, db: None, method: str, path: str, site: str) -> None:
    answer = getattr(client, method)(path, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "This form came from another site" in answer.content.decode()


@pytest.mark.parametrize(
    ("method", "site"), [("get", "cross-site"), ("head", "cross-site"), ("post", "same-origin"), ("post", "none"), ("post", "")]
)  # fmt: skip
def test_what_our_pages_send_and_links_from_elsewhere_are_taken(client: Any, db: None, method: str, site: str) -> None:
    arguments = {"headers": {"Sec-Fetch-Site": site}} if site else {}
    assert getattr(client, method)("/account/login/", **arguments).status_code == 200


def test_the_refusal_stands_before_djangos_own_and_behind_the_headers() -> None:
    order = django_settings.MIDDLEWARE
    assert order[0] == f"{headers.__name__}.HeadersMiddleware"
    refusal, csrf = f"{headers.__name__}.CrossSiteMiddleware", "django.middleware.csrf.CsrfViewMiddleware"
    assert order.index(refusal) < order.index(csrf)


# -- downloads ---------------------------------------------------------------------------------------------------------


def test_who_stops_reading_a_download_gives_its_thread_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "STALLED_SECONDS", 0.5)
    with serving(endless, threads=1) as server:
        line = half_open(server, b"GET /stalled HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(10)
        _wait_until_closed("/stalled")
        line.close()


def test_who_reads_for_ever_is_ended_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "ANSWER_SECONDS", 0.5)
    with serving(endless, threads=1) as server:
        line = half_open(server, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError):
            while line.recv(65536):
                pass
        _wait_until_closed("/slow")
        line.close()


def _wait_until_closed(path: str) -> None:
    for _ in range(600):
        if path in _Endless.closed:
            return
        time.sleep(0.05)
    pytest.fail("the thread still answers")
