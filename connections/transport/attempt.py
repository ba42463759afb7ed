"""Sends one request once and notes what came of it: in its entry of the request log, and at the circuit breaker."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connections.spec import provider as spec
from connections.spec.errors import Blocked, CallFailed, OutcomeUnknown, Unavailable, Unreadable
from connections.spec.faults import Fault
from connections.spec.operations import SAFE
from connections.spec.placement import Signed
from connections.spec.wire import Wire
from connections.tenancy.trace import trace_id
from connections.transport import clock, faults, stopwatch
from connections.transport.http import addresses, retry_after
from connections.transport.http import session as http_session
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.log import writer
from connections.transport.models import Outcome, RequestLogEntry
from connections.transport.request_context import RequestContext
from connections.vault.secret import WrongUse


class Signature(Protocol):
    """Secrets for one request; the classes are in oauth/signing.py."""

    def sign(self, url: str) -> Signed:
        """What joins the request to this address. Raises WrongUse where a secret was not given for it."""


def begin(
    context: RequestContext,
    *,
    operation: str,
    method: str,
    path_template: str,
    number: int = 1,
    token_issued_at: datetime | None = None,
) -> RequestLogEntry:
    """An entry that says nothing about the answer yet, and is not written. `number`: 1 for the first attempt."""
    now = clock.now()
    return RequestLogEntry(
        id=uuid.uuid4(),
        at=now,
        tenant_id=context.connection.tenant_id,
        connection_id=context.connection.id,
        run_id=context.run_id,
        checkpoint=context.checkpoint,
        provider=context.connection.provider,
        environment=context.connection.environment,
        api_version=context.api_version,
        operation=operation,
        method=method,
        path_template=path_template,
        outcome=Outcome.UNREACHABLE,
        attempt=number,
        duration_ms=0,
        trace_id=trace_id(),
        token_age_s=max(int((now - token_issued_at).total_seconds()), 0) if token_issued_at else None,
    )


@dataclass
class Exchange:
    """One request, and what came back. It asks the database nothing, so another thread may do it (background.py).

    Secrets come in by `signature` alone, and are placed right before the request leaves. `answer` is of any status; where
    there is none, `error` says why.
    """

    context: RequestContext
    entry: RequestLogEntry
    url: str
    total_seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    signature: Signature | None = None
    body: bytes | None = None
    wire: Wire = http_session.JSON
    started_at: float = field(default=0.0, init=False)  # by this process's clock
    answer: http_session.Answer | None = field(default=None, init=False)
    error: http_session.EgressError | WrongUse | None = field(default=None, init=False)

    def run(self) -> None:
        """Send once. The entry is told how long it took."""
        self.started_at = time.monotonic()
        try:
            self.answer = self._answer()
        except (http_session.EgressError, WrongUse) as error:
            self.error = error
        self.entry.duration_ms = _milliseconds_since(self.started_at)

    def _answer(self) -> http_session.Answer:
        signed = self.signature.sign(self.url) if self.signature else Signed({}, {})
        return http_session.send(
            hosts=self.context.hosts,
            method=self.entry.method,
            url=self.url,
            deadlines=self.context.provider.deadlines,
            total=self.total_seconds,
            headers={**self.headers, **signed.headers},
            query=self.query,
            hidden_query=signed.hidden_query,
            form=signed.form,
            body=self.body if signed.body is None else signed.body,
            wire=self.wire,
            keep=writer.request_id_headers(self.context.provider),
        )


def send(
    context: RequestContext,
    breaker: CircuitBreaker,
    entry: RequestLogEntry,
    *,
    url: str,
    total_seconds: float,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    signature: Signature | None = None,
    body: bytes | None = None,
    wire: Wire = http_session.JSON,
) -> http_session.Answer:
    """Send once and note what came of it, as `outcome` does."""
    exchange = Exchange(context, entry, url, total_seconds, headers or {}, query or {}, signature, body, wire)
    with stopwatch.measure(stopwatch.PROVIDER):
        exchange.run()
    return outcome(exchange, breaker)


def outcome(exchange: Exchange, breaker: CircuitBreaker) -> http_session.Answer:
    """What came of a request that was sent: its answer, of any status. Fills its entry in, and counts it at the breaker.

    Raises Blocked, Unreadable (too large, an odd encoding), Unavailable (nothing arrived there), OutcomeUnknown.
    """
    entry, answer, error = exchange.entry, exchange.answer, exchange.error
    if isinstance(error, WrongUse):
        entry.outcome = Outcome.BLOCKED
        raise Blocked(faults.WRONG_USE, entry_id=entry.id)
    if error is not None:
        raise _failure(exchange.context, breaker, entry, exchange.url, error, exchange.started_at)
    if answer is None:
        message = "a request that was not sent yet"
        raise RuntimeError(message)
    breaker.note(exchange.url, is_good=answer.status < 500)
    entry.status, entry.bytes_in = answer.status, len(answer.body)
    entry.provider_request_id = writer.request_id(exchange.context.provider, answer.headers)
    entry.quota_left = retry_after.quota_left(answer.headers)
    entry.leads_to = answer.leads_to
    return answer


def _failure(
    context: RequestContext,
    breaker: CircuitBreaker,
    entry: RequestLogEntry,
    url: str,
    error: http_session.EgressError,
    started: float,
) -> CallFailed:
    """The error for a missing answer; its outcome is noted in the entry and at the breaker."""
    if context.hosts.from_customer and isinstance(error, http_session.LeadsInside | http_session.NameNotFound):
        # Both look the same, the time they took included: whoever may name a host could explore our network by its names.
        entry.duration_ms = 1000 * clock.wait_for_whole_second(started)
        breaker.note(url, is_good=False)
        return Unavailable(faults.NO_SERVER, retry_at=clock.now(), entry_id=entry.id)
    if isinstance(error, http_session.NoProxy):
        return Unavailable(faults.NO_PROXY, retry_at=clock.now(), entry_id=entry.id)
    if isinstance(error, http_session.AddressNotAllowed):
        entry.outcome = Outcome.BLOCKED
        return Blocked(faults.BLOCKED, entry_id=entry.id)
    if isinstance(error, http_session.NotReadable):
        entry.outcome = Outcome.UNREADABLE
        unreadable = Unreadable(faults.UNREADABLE, entry_id=entry.id)
        unreadable.may_have_arrived = entry.method not in SAFE
        return unreadable
    if isinstance(error, http_session.NotTrusted):
        entry.outcome = Outcome.BLOCKED
        return Blocked(_certificate_fault(context, url, error), entry_id=entry.id)
    breaker.note(url, is_good=False)
    if isinstance(error, http_session.NotEncrypted):
        return Unavailable(faults.NOT_ENCRYPTED, retry_at=clock.now(), entry_id=entry.id)
    if isinstance(error, http_session.NotSent) or entry.method in SAFE:
        return Unavailable(faults.NO_ANSWER, retry_at=clock.now(), entry_id=entry.id)
    return OutcomeUnknown(faults.UNKNOWN_OUTCOME, entry_id=entry.id)


def _certificate_fault(context: RequestContext, url: str, error: http_session.NotTrusted) -> Fault:
    """Who must act on a certificate that is not trusted: where customers pin certificates, it may be the customer."""
    environment = spec.Environment(context.connection.environment)
    hosts = context.provider.hosts.get(environment) or next(iter(context.provider.hosts.values()), None)
    is_pinned = isinstance(hosts, spec.CustomerHosts) and hosts.pinned
    if not is_pinned:
        return faults.UNTRUSTED
    address = addresses.parse_address(url, context.hosts)
    if f"{address.host}:{address.port}" not in [host for host, _certificate in context.hosts.pins]:
        return faults.PIN_MISSING
    if error.has_ended:
        return faults.PIN_ENDED
    return faults.UNTRUSTED if error.is_unsound else faults.PIN_BROKEN


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
