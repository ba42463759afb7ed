"""The operator's egress proxy, where there is one: every connection goes through it, to the address that was checked."""

from __future__ import annotations

import http.client
import ipaddress
import socket

from django.conf import settings
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connections.transport.http import deadline, dns
from connections.transport.http.errors import AddressNotAllowed, EgressError, NameNotFound, NoProxy
from connections.transport.http.response import BoundedResponse

REFUSED = (403, 407)  # 407 is what Smokescreen answers for an address that it does not let through


def connect(address: tuple[str, int], seconds: float | None) -> deadline.PlainSocket:
    """A connection to an address (no name), through the proxy if there is one.

    Raises AddressNotAllowed (by the proxy), NoProxy, OSError (nobody answers at the address).
    """
    proxy = _proxy_to(address[0])
    if proxy is None:
        return deadline.connect(address, seconds)
    connection = _connect_to_proxy(proxy, seconds)
    try:
        _request_tunnel(connection, address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_through_proxy(connection: HTTPConnection) -> deadline.PlainSocket | None:
    """The same for a connection of urllib3, with its errors. None where it needs no proxy."""
    host = connection.host.strip("[]")
    if _proxy_to(host) is None:
        return None
    try:
        return connect((host, int(connection.port or 0)), connection.timeout)
    except TimeoutError:
        raise ConnectTimeoutError(connection, "timed out") from None
    except OSError:
        raise NewConnectionError(connection, "no answer") from None


def _proxy_to(host: str) -> tuple[str, int] | None:
    """The proxy for a host, None where there is none or the host is this machine."""
    proxy: tuple[str, int] | None = settings.EGRESS_PROXY
    return None if ipaddress.ip_address(host).is_loopback else proxy


def _connect_to_proxy(proxy: tuple[str, int], seconds: float | None) -> deadline.PlainSocket:
    host, port = proxy
    try:
        ips = dns.look_up(host, port)
    except NameNotFound:
        raise NoProxy from None
    for ip in ips:
        try:
            return deadline.connect((str(ip), port), seconds)
        except OSError:
            if ip == ips[-1]:
                raise NoProxy from None
    raise AssertionError  # the last address returns or raises


def _request_tunnel(connection: deadline.PlainSocket, address: tuple[str, int]) -> None:
    """Raises as `connected` does."""
    host, port = address
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    answer = BoundedResponse(connection, method="CONNECT")
    try:
        connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
        answer.begin()
    except TimeoutError:
        raise  # it may wait for the address itself
    except (http.client.HTTPException, EgressError, OSError):
        raise NoProxy from None
    finally:
        answer.close()
    if answer.status in REFUSED:
        raise AddressNotAllowed
    if not 200 <= answer.status < 300:
        message = f"the proxy answered {answer.status}"
        raise OSError(message)
