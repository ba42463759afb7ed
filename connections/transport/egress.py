"""The guarded session: every address judged at connect time, no redirects, deadlines, size caps, no help from the environment."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import urllib3
from requests.adapters import DEFAULT_POOLBLOCK
from requests.structures import CaseInsensitiveDict
from requests_hardened.ip_filter import get_ip_address
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.util.retry import Retry

from connections.spec.provider import Deadlines, Hosts
from connections.transport import deadline, trust

# Beyond what requests-hardened refuses (SECURITY 0.5).
ALSO_REFUSED = tuple(
    ipaddress.ip_network(text) for text in ("fec0::/10", "::/96", "::ffff:0:0:0/96", "100.64.0.0/10", "192.0.0.0/24")
)
KEPT_HEADERS = (
    "content-type",
    "retry-after",
    "date",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
)
CHUNK = 64 * 1024


class EgressError(Exception):
    """The call did not give an answer. The text is one fixed word; it never holds an address or a secret."""


class NotAllowed(EgressError):
    """Our own door refused the address."""


class NoAnswer(EgressError):
    """Refused, cut, timed out, or a TLS failure."""


class TooLarge(EgressError):
    """More bytes than the cap."""


@dataclass(frozen=True)
class Answer:
    """What came back: status, the headers on our list in lower case, the decoded body, and how long it took."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    duration_ms: int


class GuardedAdapter(IPFilterAdapter):
    """Connects to the one address it has judged; refuses unless every address of the name may be reached."""

    def __init__(self, *, hosts: Hosts, https: bool) -> None:
        self._context = trust.context(hosts.ca) if https else None
        super().__init__(is_https_proto=https, allow_loopback=hosts.loopback)
        self.max_retries = Retry(0, read=False, redirect=False)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **kw: Any) -> None:
        if self._context is not None:
            kw["ssl_context"] = self._context
        super().init_poolmanager(connections, maxsize, block, **kw)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context already holds whom we trust; requests would load its own bundle of authorities on top."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        address = _judged(host, parts.port or 443, self._allow_loopback)
        # The name is looked up once: what goes on from here is the address that was judged.
        literal = requests.PreparedRequest()
        literal.url = f"{parts.scheme}://{f'[{address}]' if address.version == 6 else address}:{parts.port or ''}"
        literal.headers = CaseInsensitiveDict()
        # `verify` is fixed: what the caller passes cannot loosen the context.
        host_params, pool = super().build_connection_pool_key_attributes(literal, True)
        request.headers["Host"] = parts.netloc
        pool.pop("assert_hostname", None)  # the context checks names itself; urllib3 would switch that off
        if self._context is not None:
            pool["server_hostname"] = host
        return host_params, pool


def _check(url: str) -> None:
    """Raises NotAllowed for an address that is more than scheme, host, port, path and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.username or parts.password or parts.fragment or not parts.hostname or len(parts.hostname) > 253:
        message = "the address is not allowed"
        raise NotAllowed(message)


def _judged(host: str, port: int, loopback: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address to connect to. Raises NotAllowed unless every address of the name may be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(address[0])) for *_, address in found]
    except (OSError, ValueError):
        message = "the name is not known"
        raise NoAnswer(message) from None
    allowed = [_allowed(ip, port, loopback) for ip in addresses]
    if not all(allowed):
        message = "the address is not allowed"
        raise NotAllowed(message)
    return addresses[0]


def _allowed(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, loopback: bool) -> bool:
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    if mapped.is_loopback:
        return loopback
    if not mapped.is_global or any(mapped in net for net in ALSO_REFUSED if net.version == mapped.version):
        return False
    try:
        get_ip_address(str(mapped), port, allow_loopback=loopback)
    except requests.RequestException:
        return False
    return True


_local = threading.local()


def _session(hosts: Hosts) -> requests.Session:
    """One per thread and trust, so that connections stay open from page to page."""
    sessions: dict[tuple[str, bool], requests.Session] = _local.__dict__.setdefault("sessions", {})
    key = (hosts.ca, hosts.loopback)
    if key not in sessions:
        session = requests.Session()
        session.trust_env = False
        # A session serves many tenants: what a provider sets for one must not be sent for another.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers = CaseInsensitiveDict(
            {"User-Agent": "Pilotage", "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        session.adapters.clear()
        session.mount("https://", GuardedAdapter(hosts=hosts, https=True))
        if hosts.loopback:
            session.mount("http://", GuardedAdapter(hosts=hosts, https=False))
        sessions[key] = session
    return sessions[key]


def send(
    *,
    hosts: Hosts,
    method: str,
    url: str,
    deadlines: Deadlines,
    total: float,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json: Any = None,
    keep: Sequence[str] = (),
) -> Answer:
    """One attempt, no retry, no redirect followed. `total`: seconds for everything; `keep`: more headers to hand on.

    Raises EgressError. TypeError for a `json` that is none.
    """
    _check(url)
    sent = dict(headers or {})
    data: Any = dict(form) if form is not None else None
    if json is not None:
        data = orjson.dumps(json)
        sent["Content-Type"] = "application/json"
    started = time.monotonic()
    try:
        with deadline.within(total):
            response = _session(hosts).request(
                method,
                url,
                params=dict(query or {}),
                data=data,
                headers=sent,
                allow_redirects=False,
                stream=True,
                timeout=(min(deadlines.connect, total), min(deadlines.read, total)),
            )
            with response:
                body = _read(response, deadlines.body_bytes)
    except EgressError:
        raise
    except (
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidURL,
    ):
        message = "the address is not allowed"
        raise NotAllowed(message) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise NoAnswer(_word(error)) from None
    names = {*KEPT_HEADERS, *(name.lower() for name in keep)}
    kept = {name: response.headers[name] for name in names if name in response.headers}
    return Answer(response.status_code, kept, body, round((time.monotonic() - started) * 1000))


def _word(error: BaseException) -> str:
    text = type(error).__name__.lower()
    if "timeout" in text:
        return "timed out"
    if "ssl" in text:
        return "the certificate is not trusted"
    return "no answer"


def _read(response: requests.Response, cap: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        deadline.left()
        chunk = response.raw.read1(CHUNK, decode_content=True)
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > cap:
            message = "the answer is too large"
            raise TooLarge(message)
        chunks.append(chunk)
