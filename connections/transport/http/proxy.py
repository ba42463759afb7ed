"""The operator's egress proxy, where there is one: every connection goes through it, to the address that was judged."""

from __future__ import annotations

import http.client
import ipaddress
import socket

from django.conf import settings
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connections.transport.http import deadline, dns
from connections.transport.http.errors import EgressError, NameNotFound, NoProxy, NotAllowed
from connections.transport.http.response import Heard

REFUSED = (403, 407)  # 407 is Smokescreen's word for an address that it does not let through


def connected(address: tuple[str, int], seconds: float | None) -> deadline.PlainSocket:
    """A connection to an address (no name), through the proxy if there is one.

    Raises NotAllowed (by the proxy), NoProxy, OSError (nobody answers at the address).
    """
    proxy = _proxy_to(address[0])
    if proxy is None:
        return deadline.connected(address, seconds)
    link = _linked(proxy, seconds)
    try:
        _ask(link, address)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        link.close()
        raise
    return link


def dialled(link: HTTPConnection) -> deadline.PlainSocket | None:
    """The same for a link of urllib3, with its errors. None where it needs no proxy."""
    host = link.host.strip("[]")
    if _proxy_to(host) is None:
        return None
    try:
        return connected((host, int(link.port or 0)), link.timeout)
    except TimeoutError:
        raise ConnectTimeoutError(link, "timed out") from None
    except OSError:
        raise NewConnectionError(link, "no answer") from None


def _proxy_to(host: str) -> tuple[str, int] | None:
    """Loopback is this machine, and not the proxy's."""
    proxy: tuple[str, int] | None = settings.EGRESS_PROXY
    return None if ipaddress.ip_address(host).is_loopback else proxy


def _linked(proxy: tuple[str, int], seconds: float | None) -> deadline.PlainSocket:
    host, port = proxy
    try:
        found = dns.looked_up(host, port)
    except NameNotFound:
        raise NoProxy from None
    for ip in found:
        try:
            return deadline.connected((str(ip), port), seconds)
        except OSError:
            if ip == found[-1]:
                raise NoProxy from None
    raise AssertionError  # the last address returns or raises


def _ask(link: deadline.PlainSocket, address: tuple[str, int]) -> None:
    """Raises as `connected` does."""
    host, port = address
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    answer = Heard(link, method="CONNECT")
    try:
        link.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
        answer.begin()
    except TimeoutError:
        raise  # it may wait for the address itself
    except (http.client.HTTPException, EgressError, OSError):
        raise NoProxy from None
    finally:
        answer.close()
    if answer.status in REFUSED:
        raise NotAllowed
    if not 200 <= answer.status < 300:
        message = f"the proxy answered {answer.status}"
        raise OSError(message)
