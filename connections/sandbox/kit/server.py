"""A small threaded WSGI server with real keep-alive, TLS, and connections that can be cut on purpose.

werkzeug's own server closes the connection after every answer and shakes TLS hands in its accept loop, where one
silent client stops all others; connection reuse is part of what is tested here.
"""

from __future__ import annotations

import errno
import io
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
BODY_LIMIT_BYTES = 2_000_000
HANDSHAKE_SECONDS = 10
IDLE_SECONDS = 60
_NO_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


class PortTaken(OSError):
    """Somebody else listens on this port; `port` says which."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken")
        self.port = port


class Listener:
    """One port on the loopback addresses (IPv4, and IPv6 where there is one), a thread per connection."""

    def __init__(self, port: int) -> None:
        self._sockets = _bind(port)
        self.port: int = self._sockets[0].getsockname()[1]
        self._links = _Links()

    def serve(self, application: WSGIApplication, context: ssl.SSLContext | None = None) -> None:
        """Answer from now on, in threads of its own."""
        for listening in self._sockets:
            threading.Thread(target=_accept, args=(listening, application, context, self._links), daemon=True).start()

    def hang_up(self) -> None:
        """End every connection that is open now; new ones are welcome."""
        self._links.end()

    def close(self) -> None:
        for listening in self._sockets:
            try:
                listening.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
            listening.close()


class _Links:
    """The connections of one port that are past their handshake."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def add(self, link: socket.socket) -> None:
        with self._lock:
            self._open.add(link)

    def drop(self, link: socket.socket) -> None:
        with self._lock:
            self._open.discard(link)

    def end(self) -> None:
        with self._lock:
            for link in self._open:
                try:
                    # The socket's own: that of a TLS socket would pull the TLS state from under its thread.
                    socket.socket.shutdown(link, socket.SHUT_RDWR)
                except OSError as error:
                    if error.errno != errno.ENOTCONN:
                        raise


def _bind(port: int) -> list[socket.socket]:
    for _ in range(20):
        bound: list[socket.socket] = []
        chosen = port
        try:
            for family, address in LOOPBACK:
                listening = socket.socket(family, socket.SOCK_STREAM)
                bound.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind((address, chosen))
                listening.listen(256)
                chosen = listening.getsockname()[1]
            return bound
        except OSError as refused:
            bound.pop().close()
            if refused.errno in _NO_IPV6 and bound:
                return bound
            for other in bound:
                other.close()
            if refused.errno != errno.EADDRINUSE:
                raise
            if port:
                raise PortTaken(port) from refused
        # Any free port was wanted and the one found for IPv4 was taken for IPv6: draw again.
    raise PortTaken(port)


def _accept(
    listening: socket.socket, application: WSGIApplication, context: ssl.SSLContext | None, links: _Links
) -> None:
    while True:
        try:
            link, address = listening.accept()
        except OSError:
            return  # closed: the sandbox is stopping
        threading.Thread(target=_converse, args=(link, address, application, context, links), daemon=True).start()


def _converse(
    link: socket.socket, address: Any, application: WSGIApplication, context: ssl.SSLContext | None, links: _Links
) -> None:
    try:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            link.settimeout(HANDSHAKE_SECONDS)
            link = context.wrap_socket(link, server_side=True)
        link.settimeout(IDLE_SECONDS)
        links.add(link)
        _Conversation(link, address, application, "http" if context is None else "https")
    except OSError:
        pass  # the other side hung up or spoke no TLS, which is its right; the next connection is not concerned
    finally:
        links.drop(link)
        link.close()


class _Conversation(BaseHTTPRequestHandler):
    """All requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""

    def __init__(self, link: socket.socket, address: Any, application: WSGIApplication, scheme: str) -> None:
        self._application = application
        self._scheme = scheme
        self._cut: str | None = None
        super().__init__(link, address, None)  # type: ignore[arg-type]  # nothing of a socketserver is used

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: a request line can hold what nobody should read."""

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > BODY_LIMIT_BYTES:
            self.close_connection = True
            self.send_error(411 if "Transfer-Encoding" in self.headers else 413)
            return
        environ = self._environ(self.rfile.read(int(length)))
        status, headers, body = self._run(environ)
        if self._cut in ("before", "after"):
            self.close_connection = True
            return
        lines = [f"{self.protocol_version} {status}", *(f"{name}: {value}" for name, value in headers)]
        if not any(name.lower() == "content-length" for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        lines.append(f"Date: {self.date_time_string()}")
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if self.command == "HEAD":
            body = b""
        if self._cut == "middle":
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(head + body)

    def _environ(self, body: bytes) -> WSGIEnvironment:
        path, _, query = self.path.partition("?")
        environ: WSGIEnvironment = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self._scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": "localhost",
            "SERVER_PORT": str(self.connection.getsockname()[1]),
            "SERVER_PROTOCOL": self.request_version,
            "sandbox.cut": self._order_cut,
        }
        for name, value in self.headers.items():
            if "_" not in name and name.lower() not in ("content-type", "content-length"):
                environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def _order_cut(self, where: str) -> None:
        self._cut = where

    def _run(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            begun.append((status, headers))
            return lambda data: None

        answer = self._application(environ, start_response)
        try:
            body = b"".join(answer)
        finally:
            if close := getattr(answer, "close", None):
                close()
        status, headers = begun[-1]
        return status, headers, body
