"""The operator's egress proxy, where there is one: every connection goes through it, to the address that was judged."""

from __future__ import annotations

import http.client
import socket

from django.conf import settings
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connections.transport import deadline
from connections.transport.egress_errors import EgressError, NotAllowed
from connections.transport.heads import Heard

REFUSED = (403, 407)  # 407 is Smokescreen's word for an address that it does not let through


def connected(address: tuple[str, int], seconds: float | None) -> deadline.PlainSocket:
    """A connection to an address (no name), through the proxy if there is one. Raises NotAllowed, OSError."""
    if not settings.EGRESS_PROXY:
        return deadline.connected(address, seconds)
    link = deadline.connected(settings.EGRESS_PROXY, seconds)
    try:
        _ask(link, address)
    except BaseException:
        link.close()
        raise
    return link


def dialled(link: HTTPConnection) -> deadline.PlainSocket | None:
    """The same for a link of urllib3, with its errors. None where there is no proxy."""
    if not settings.EGRESS_PROXY:
        return None
    try:
        sock = connected((link.host.strip("[]"), int(link.port or 0)), link.timeout)
    except TimeoutError:
        raise ConnectTimeoutError(link, "timed out") from None
    except OSError:
        raise NewConnectionError(link, "no answer") from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _ask(link: deadline.PlainSocket, address: tuple[str, int]) -> None:
    """Raises NotAllowed where the proxy does not let it through, OSError where nobody answers behind it."""
    host, port = address
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    link.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
    answer = Heard(link, method="CONNECT")
    try:
        answer.begin()
    except (http.client.HTTPException, EgressError):
        message = "the proxy's answer cannot be read"
        raise OSError(message) from None
    finally:
        answer.close()
    if answer.status in REFUSED:
        raise NotAllowed
    if not 200 <= answer.status < 300:
        message = f"the proxy answered {answer.status}"
        raise OSError(message)
