"""The guarded session: addresses checked when connecting, no redirects, deadlines, size caps, nothing from the environment."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.util.retry import Retry

from connections.spec.provider import Deadlines, Hosts
from connections.spec.wire import Wire
from connections.transport.http import addresses, bodies, charsets, deadline, dns, retry_after, tls
from connections.transport.http import pool as pools
from connections.transport.http.addresses import USUAL_PORTS
from connections.transport.http.errors import (
    AddressNotAllowed,
    EgressError,
    LeadsInside,
    NameNotFound,
    NoAnswer,
    NoProxy,
    NotEncrypted,
    NotReadable,
    NotSent,
    NotTrusted,
    TooLarge,
)
from connections.transport.log.redaction import holds_live

__all__ = [
    "AddressNotAllowed",
    "Answer",
    "EgressError",
    "LeadsInside",
    "NameNotFound",
    "NoAnswer",
    "NoProxy",
    "NotEncrypted",
    "NotReadable",
    "NotSent",
    "NotTrusted",
    "TooLarge",
    "send",
]

RETURNED_HEADERS = (
    "content-type",
    "date",
    "link",
    "x-total-count",
    "x-rate-limit-limit",
    *retry_after.HEADERS,
)
MOST_SESSIONS = 64
JSON = Wire()
ERRORS_BEFORE_SENDING = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    requests.exceptions.ConnectTimeout,
)


@dataclass(frozen=True)
class Answer:
    """What came back: status, the headers on our list in lower case, the decoded body in UTF-8, and how long it took.

    The body of a redirect is not read, nor is one over the cap of an answer that is no success: its status says enough.
    `leads_to`: the host that a redirect names, '' for what is none or cannot be read.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    duration_ms: int
    leads_to: str = ""


class GuardedSession(requests.Session):
    """Follows no redirect."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere. requests reads the whole body of a redirect, without a cap, to see where it would lead."""


class GuardedAdapter(IPFilterAdapter):
    """Connects to addresses it has checked, one after the other; refuses unless every one of the name may be reached."""

    def __init__(self, *, hosts: Hosts, https: bool) -> None:
        self._hosts = hosts
        self._context = tls.context(hosts.ca) if https else None
        self._pins: dict[str, tuple[str, ...]] = {}
        for place, certificate in hosts.pins:
            self._pins[place] = (*self._pins.get(place, ()), certificate)
        super().__init__(is_https_proto=https, allow_loopback=hosts.loopback)
        self.max_retries = Retry(0, read=False, redirect=False)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **kw: Any) -> None:
        if self._context is not None:
            kw["ssl_context"] = self._context
        super().init_poolmanager(connections, maxsize, block, **kw)
        self.poolmanager.pool_classes_by_scheme = {"http": pools.PlainPool, "https": pools.TLSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context already holds whom we trust; requests would load its own bundle of authorities on top."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """An address where nobody listens is passed over. `verify` and `cert` are ignored: nothing loosens the context."""
        host, port = _place(str(request.url))
        connect, read = timeout or (None, None)
        ips = dns.allowed_addresses(host, port, self._hosts)
        for ip in ips:
            request.checked_ip = ip  # type: ignore[attr-defined]  # read below
            timeouts = (deadline.at_most(connect), deadline.at_most(read))
            try:
                answer: requests.Response = super().send(request, stream, timeouts, verify=True)
            except requests.ConnectionError as error:
                if ip == ips[-1] or not any(
                    isinstance(each, ERRORS_BEFORE_SENDING) for each in _wrapped_errors(error)
                ):
                    raise
            else:
                return answer
        raise AssertionError  # the last address returns or raises

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        parts = urlsplit(request.url)
        host, port = _place(request.url)
        # The name is looked up once: what goes on from here is the address that was checked.
        literal = requests.PreparedRequest()
        literal.url = f"{parts.scheme}://{_bracketed(str(request.checked_ip))}:{parts.port or ''}"
        literal.headers = CaseInsensitiveDict()
        # The library checks it once more, and knows nothing of private networks that an admin has named, nor that behind
        # a translator stands an address that was checked.
        ip = request.checked_ip
        is_known_to_us = addresses.is_allowed_private(ip, self._hosts) or addresses.behind_translator(ip) is not None
        adapter: Any = HTTPAdapter if is_known_to_us else IPFilterAdapter
        host_params, pool = adapter.build_connection_pool_key_attributes(self, literal, verify)
        request.headers["Host"] = parts.netloc
        pool.pop("assert_hostname", None)  # the context checks names itself; urllib3 would switch that off
        if self._context is not None:
            pool["server_hostname"] = host
            if (pins := self._pins.get(f"{host}:{port}")) is not None:
                pool["ssl_context"] = tls.pinned(pins)
                pool["assert_hostname"] = False
        return host_params, pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """A token that must travel in the address joins it here, below everything that stores or shows an address."""
        url = str(super().request_url(request, proxies))
        if secret_query := getattr(request, "hidden_query", None):
            url += f"{'&' if '?' in url else '?'}{urlencode(secret_query)}"
        return url


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or USUAL_PORTS[parts.scheme]


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


_local = threading.local()


def _session(hosts: Hosts) -> requests.Session:
    """One per thread and trust, so that connections stay open from page to page."""
    sessions: dict[object, requests.Session] = _local.__dict__.setdefault("sessions", {})
    key = (hosts.ca, hosts.loopback, hosts.plain, hosts.pins, hosts.from_customer, hosts.private)
    if key not in sessions:
        if len(sessions) >= MOST_SESSIONS:  # pins differ from customer to customer
            sessions.pop(next(iter(sessions))).close()
        session = GuardedSession()
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
    """One attempt, no retry, no redirect followed. `total`: seconds for everything; `keep`: more headers to return.

    `hidden_query` joins the address where nothing stores it. Raises EgressError.
    """
    address = addresses.parse_address(url, hosts)
    sent = {"Accept": wire.accept, **(headers or {})}
    if body is not None or (wire.on_reads and form is None):
        sent["Content-Type"] = wire.content_type
    started = time.monotonic()
    try:
        with deadline.within(total):
            session = _session(hosts)
            data = dict(form) if form is not None else body
            prepared = session.prepare_request(
                requests.Request(method, address.url, headers=sent, params=dict(query or {}), data=data)
            )
            if _place(str(prepared.url)) != (address.host, address.port):
                raise AddressNotAllowed  # two parsers that disagree
            prepared.hidden_query = dict(hidden_query or {})  # type: ignore[attr-defined]  # read by the adapter
            timeout = (min(deadlines.connect, total), min(deadlines.read, total))
            response = session.send(prepared, allow_redirects=False, stream=True, timeout=timeout, verify=True)
            with response:
                content = _read_body(response, deadlines.body_bytes)
    except EgressError:
        raise
    except (
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidURL,
    ):
        raise AddressNotAllowed from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise _no_answer(error) from None
    returned_names = {*RETURNED_HEADERS, *(name.lower() for name in keep)}
    returned = {name: response.headers[name] for name in returned_names if name in response.headers}
    duration_ms = round((time.monotonic() - started) * 1000)
    return Answer(response.status_code, returned, content, duration_ms, _leads_to(response, address.host))


def _leads_to(response: requests.Response, host: str) -> str:
    location = response.headers.get("location", "")
    if not 300 <= response.status_code < 400 or holds_live(location):
        return ""
    return addresses.host_of(location, host)


def _read_body(response: requests.Response, cap: int) -> bytes:
    if 300 <= response.status_code < 400:
        return b""
    try:
        body = bodies.read(response.raw, response.headers.get("content-encoding", ""), cap)
    except NotReadable:
        if response.ok:
            raise
        return b""
    return charsets.as_utf8(body, response.headers.get("content-type", ""))


def _no_answer(error: BaseException) -> NoAnswer:
    """NotSent where the request surely did not arrive, else NoAnswer."""
    errors = _wrapped_errors(error)
    text = "timed out" if any("timeout" in type(each).__name__.lower() for each in errors) else "no answer"
    if any(isinstance(each, ERRORS_BEFORE_SENDING) for each in errors):
        return NotSent(text)
    return NoAnswer(text)


def _wrapped_errors(error: BaseException) -> list[BaseException]:
    """The error and what it wraps, ten at most."""
    errors: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(errors) < 10:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in errors:
            errors.append(each)
            waiting += [each.__cause__, getattr(each, "reason", None), *each.args]
    return errors
