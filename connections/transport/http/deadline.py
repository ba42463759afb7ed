"""Sockets that give up at one instant, however slowly the bytes come: a socket's own timeout starts anew with every byte."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_local = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything that this thread reads or sends by these sockets ends within `seconds`, or raises TimeoutError."""
    _local.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _local.until = None


def seconds_left() -> float | None:
    """Seconds left of the block, None outside of one. Raises TimeoutError when they are over."""
    until: float | None = getattr(_local, "until", None)
    if until is None:
        return None
    remaining = until - time.monotonic()
    if remaining <= 0:
        message = "timed out"
        raise TimeoutError(message)
    return remaining


def at_most(seconds: float | None) -> float | None:
    """`seconds`, or what is left where that is less. Raises TimeoutError."""
    remaining = seconds_left()
    return remaining if seconds is None else seconds if remaining is None else min(seconds, remaining)


class PlainSocket(socket.socket):
    """What reads a status line, headers or a body goes through `recv_into`."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(at_most(self.gettimeout()))
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(at_most(self.gettimeout()))
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(at_most(self.gettimeout()))
        super().sendall(*args, **kwargs)


class TLSSocket(ssl.SSLSocket):
    """The same over TLS, and the handshake. Made by the contexts of tls.py. What sends goes through `send`."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(at_most(self.gettimeout()))
        super().do_handshake(block)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(at_most(self.gettimeout()))
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(at_most(self.gettimeout()))
        return super().send(*args, **kwargs)


def connect(address: tuple[str, int], seconds: float | None) -> PlainSocket:
    """A connection to an address (no name). Raises OSError."""
    return with_deadline(socket.create_connection(address, timeout=at_most(seconds)))


def with_deadline(sock: socket.socket) -> PlainSocket:
    """The same connection with its timeout, as a socket that keeps the deadline."""
    timeout = sock.gettimeout()
    replacement = PlainSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    replacement.settimeout(timeout)
    return replacement
