"""The guarded session: every address judged at connect time, no redirects, deadlines, size caps, no help from the environment."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import DEFAULT_POOLBLOCK
from requests_hardened.ip_filter import get_ip_address
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.util.retry import Retry

from connections.spec.provider import Deadlines, Hosts
from connections.transport import trust

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
    headers: Mapping[str, str]
    body: bytes
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
        super().init_poolmanager(connections, maxsize, block, **kw)  # type: ignore[no-untyped-call]

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        parts = urlsplit(request.url)
        _judge(parts.hostname or "", parts.port or 443, self._allow_loopback)
        # `verify` is fixed: what the caller passes cannot loosen the context.
        host, pool = super().build_connection_pool_key_attributes(request, True, cert)
        pool.pop("ca_certs", None)
        pool.pop("ca_cert_dir", None)
        return host, pool


def _judge(host: str, port: int, loopback: bool) -> None:
    """Raises NotAllowed unless every address of the name may be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        message = "the name is not known"
        raise NoAnswer(message) from None
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).split("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        if loopback and mapped.is_loopback:
            continue
        if not mapped.is_global or any(mapped in net for net in ALSO_REFUSED if net.version == mapped.version):
            message = "the address is not allowed"
            raise NotAllowed(message)
        try:
            get_ip_address(str(mapped), port, allow_loopback=loopback)
        except requests.RequestException:
            message = "the address is not allowed"
            raise NotAllowed(message) from None


_local = threading.local()


def _session(hosts: Hosts) -> requests.Session:
    """One per thread and trust, so that connections stay open from page to page."""
    sessions: dict[tuple[str, bool], requests.Session] = _local.__dict__.setdefault("sessions", {})
    key = (hosts.ca, hosts.loopback)
    if key not in sessions:
        session = requests.Session()
        session.trust_env = False
        session.headers = requests.structures.CaseInsensitiveDict(
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
) -> Answer:
    """One attempt, no retry, no redirect followed. `total`: seconds for everything. Raises EgressError."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment or not parts.hostname or len(parts.hostname) > 253:
        message = "the address is not allowed"
        raise NotAllowed(message)
    started = time.monotonic()
    try:
        response = _session(hosts).request(
            method,
            url,
            params=dict(query or {}),
            data=dict(form) if form is not None else None,
            json=json,
            headers=dict(headers or {}),
            allow_redirects=False,
            stream=True,
            timeout=(min(deadlines.connect, total), min(deadlines.read, total)),
        )
        with response:
            body = _read(response, deadlines.body_bytes, started + total)
    except EgressError:
        raise
    except requests.exceptions.InvalidSchema:
        message = "the scheme is not allowed"
        raise NotAllowed(message) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise NoAnswer(_word(error)) from None
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    kept |= {name.lower(): value for name, value in response.headers.items() if name.lower().endswith("request-id")}
    return Answer(response.status_code, kept, body, round((time.monotonic() - started) * 1000))


def _word(error: BaseException) -> str:
    text = type(error).__name__.lower()
    if "timeout" in text:
        return "timed out"
    if "ssl" in text:
        return "the certificate is not trusted"
    return "no answer"


def _read(response: requests.Response, cap: int, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk = response.raw.read1(CHUNK, decode_content=True)
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > cap:
            message = "the answer is too large"
            raise TooLarge(message)
        if time.monotonic() > deadline:
            message = "timed out"
            raise NoAnswer(message)
        chunks.append(chunk)
