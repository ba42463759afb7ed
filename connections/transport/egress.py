"""The guarded session: every address judged at connect time, no redirects, deadlines, size caps, no help from the environment."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.adapters import DEFAULT_POOLBLOCK
from requests.structures import CaseInsensitiveDict
from requests_hardened.ip_filter import get_ip_address
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.util.retry import Retry

from connections.spec.provider import Deadlines, Hosts
from connections.spec.wire import Wire
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
MOST_SESSIONS = 64
JSON = Wire()
BEFORE_SENDING = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    requests.exceptions.ConnectTimeout,
)


class EgressError(Exception):
    """The call did not give an answer. The text is one fixed word; it never holds an address or a secret."""


class NotAllowed(EgressError):
    """Our own door refused the address."""


class NoAnswer(EgressError):
    """Refused, cut, timed out, or a TLS failure."""


class NotSent(NoAnswer):
    """No answer, and surely nothing of the request arrived: the name, the connection or the TLS handshake failed."""


class NotTrusted(NotSent):
    """The host's certificate is not one that we trust."""


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
        self._pins = dict(hosts.pins)
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
        address = judged(host, parts.port or 443, self._allow_loopback)
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
            if (pin := self._pins.get(f"{host}:{parts.port or 443}")) is not None:
                # This certificate and no other; its names do not matter, as self-signed ones are often made without.
                pool["ssl_context"] = trust.pinned(pin)
                pool["assert_fingerprint"] = trust.fingerprint(pin)
        return host_params, pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """A token that must travel in the address joins it here, below everything that keeps or tells an address."""
        url = str(super().request_url(request, proxies))
        if hidden := getattr(request, "hidden_query", None):
            url += f"{'&' if '?' in url else '?'}{urlencode(hidden)}"
        return url


def _check(url: str) -> None:
    """Raises NotAllowed for an address that is more than scheme, host, port, path and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.username or parts.password or parts.fragment or not parts.hostname or len(parts.hostname) > 253:
        message = "the address is not allowed"
        raise NotAllowed(message)


def judged(host: str, port: int, loopback: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address to connect to. Raises NotAllowed unless every address of the name may be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(address[0])) for *_, address in found]
    except (OSError, ValueError):
        message = "the name is not known"
        raise NotSent(message) from None
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
    sessions: dict[object, requests.Session] = _local.__dict__.setdefault("sessions", {})
    key = (hosts.ca, hosts.loopback, hosts.plain, hosts.pins)
    if key not in sessions:
        if len(sessions) >= MOST_SESSIONS:  # pins differ from customer to customer
            sessions.pop(next(iter(sessions))).close()
        session = requests.Session()
        session.trust_env = False
        # A session serves many tenants: what a provider sets for one must not be sent for another.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers = CaseInsensitiveDict({"User-Agent": "Pilotage", "Accept-Encoding": "identity"})
        session.adapters.clear()
        session.mount("https://", GuardedAdapter(hosts=hosts, https=True))
        if hosts.plain:
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
    hidden_query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    wire: Wire = JSON,
    keep: Sequence[str] = (),
) -> Answer:
    """One attempt, no retry, no redirect followed. `total`: seconds for everything; `keep`: more headers to hand on.

    `hidden_query` joins the address where nothing keeps it. Raises EgressError.
    """
    _check(url)
    sent = {"Accept": wire.accept, **(headers or {})}
    if body is not None or (wire.on_reads and form is None):
        sent["Content-Type"] = wire.content_type
    started = time.monotonic()
    try:
        with deadline.within(total):
            session = _session(hosts)
            data = dict(form) if form is not None else body
            prepared = session.prepare_request(
                requests.Request(method, url, headers=sent, params=dict(query or {}), data=data)
            )
            prepared.hidden_query = dict(hidden_query or {})  # type: ignore[attr-defined]  # read by the adapter
            timeout = (min(deadlines.connect, total), min(deadlines.read, total))
            response = session.send(prepared, allow_redirects=False, stream=True, timeout=timeout, verify=True)
            with response:
                content = _read(response, deadlines.body_bytes)
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
        raise _named(error) from None
    names = {*KEPT_HEADERS, *(name.lower() for name in keep)}
    kept = {name: response.headers[name] for name in names if name in response.headers}
    return Answer(response.status_code, kept, content, round((time.monotonic() - started) * 1000))


def _named(error: BaseException) -> NoAnswer:
    """What became of the request, as far as the library tells."""
    reasons = _reasons(error)
    if any(
        isinstance(each, ssl.SSLError | urllib3.exceptions.SSLError | requests.exceptions.SSLError) for each in reasons
    ):
        return NotTrusted("the certificate is not trusted")
    word = "timed out" if any("timeout" in type(each).__name__.lower() for each in reasons) else "no answer"
    if any(isinstance(each, BEFORE_SENDING) for each in reasons):
        return NotSent(word)
    return NoAnswer(word)


def _reasons(error: BaseException) -> list[BaseException]:
    """The error and what it wraps."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 10:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__cause__, getattr(each, "reason", None), *each.args]
    return found


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
