"""A small server that answers exactly what a test tells it, byte by byte, over real TLS or plain."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import trustme

Behaviour = Callable[["Line"], None]


class Line:
    """One open connection, after one request was read from it."""

    def __init__(self, sock: socket.socket, head: bytes, body: bytes) -> None:
        self.sock, self.head, self.body = sock, head, body
        self.is_kept = True

    @property
    def asked(self) -> str:
        """`GET /path?query`"""
        return self.head.split(b" HTTP/")[0].decode()

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, status: int = 200, body: Any = b"{}", **headers: str) -> None:
        """A whole answer; keyword `X_Request_Id` becomes the header `X-Request-Id`."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(payload)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload)

    def hang_up(self) -> None:
        self.is_kept = False

    def reset(self) -> None:
        """Cut the connection as a crashed machine does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.is_kept = False

    def stall(self, most: float = 30) -> None:
        """Say nothing more until the other side leaves."""
        self.sock.settimeout(most)
        with suppress(OSError):
            self.sock.recv(1)
        self.is_kept = False

    def drip(self, data: bytes, every: float, most: float) -> None:
        """One byte at a time, for at most `most` seconds."""
        until = time.monotonic() + most
        for byte in data:
            if time.monotonic() > until:
                return
            self.write(bytes([byte]))
            time.sleep(every)


class HostileServer:
    """`behave` gets each request, `greet` each connection before its handshake, and may end it; `asked` keeps what came,
    `handshakes` counts connections. `tls=False` speaks plain HTTP.
    """

    def __init__(self, folder: Path, *, tls: bool = True) -> None:
        self._tls = tls
        authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca)
        self._context = self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.reset()
        threading.Thread(target=self._listen, daemon=True).start()

    def reset(self) -> None:
        self.behave: Behaviour = Line.answer
        self.greet: Callable[[socket.socket], bool] | None = None
        self.asked: list[Line] = []
        self.handshakes = 0
        self._context = self._own

    def show(self, chain: Path) -> None:
        """Another certificate from now on, with its key (PEM); weak ones, too."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_ciphers("DEFAULT@SECLEVEL=0")
        self._context.load_cert_chain(chain)

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain:
            plain.settimeout(30)
            if self.greet is not None and not self.greet(plain):
                return
            if not self._tls:
                self._talk(plain)
                return
            with self._context.wrap_socket(plain, server_side=True) as sock:
                self.handshakes += 1
                self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                data = sock.recv(65536)
                if not data:
                    return
                waiting += data
            head, waiting = waiting.split(b"\r\n\r\n", 1)
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(waiting) < length:
                waiting += sock.recv(65536)
            line = Line(sock, head, waiting[:length])
            waiting = waiting[length:]
            self.asked.append(line)
            self.behave(line)
            if not line.is_kept:
                return
