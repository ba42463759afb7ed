"""One request at a provider about an activation, signed with our own registration: there is no connection yet."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

from connections.spec.errors import Blocked, CallFailed, Forbidden, Unauthorized
from connections.spec.faults import Phase
from connections.spec.provider import Provider
from connections.spec.uses import Use
from connections.tenancy.scope import tenant_scope
from connections.transport import attempt, error_mapping, faults
from connections.transport.http import parsing
from connections.transport.limits import rate_limiter
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.log import writer
from connections.transport.models import ActivationRequest, Outcome
from connections.transport.oauth.signing import HttpBasic
from connections.transport.request_context import RequestContext
from connections.vault import sealing
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Connection
from connections.vault.secret import BoundSecret, WrongUse
from connections.vault.services import open_registration

PLACEHOLDER = re.compile(r"\{\w+\}")
REASON_OF_STATUS = {410: "expired", 404: "unknown-request"}


class NoSuchRequest(Exception):
    """The provider has no such request (any more); `reason_code` says which."""

    def __init__(self, reason_code: str, entry_id: UUID) -> None:
        super().__init__(reason_code)
        self.reason_code, self.entry_id = reason_code, entry_id


def call(row: ActivationRequest, provider: Provider, operation: str, body: Any = None) -> Any:
    """The parsed body of a good answer; the entry is written. Raises CallFailed, NoSuchRequest."""
    declared = provider.operation(operation)
    # A connection that is never stored stands for the one there is not yet, and the entry names none.
    unsaved = Connection(tenant_id=row.tenant_id, provider=row.provider, environment=row.environment)
    unsaved.auth_method = provider.activation.auth_method if provider.activation else ""
    context = RequestContext(unsaved, provider)
    client_id, secret, request_id = _open_secrets(row)
    try:
        request_part = quote(request_id.reveal_for(Use.PATH, context.hosts.api), safe="")
    except WrongUse:
        raise Blocked(faults.WRONG_USE) from None
    path = PLACEHOLDER.sub(lambda _match: request_part, declared.path)
    rate_limiter.wait_for_quota(provider, unsaved, client_id)
    entry = attempt.begin(context, operation=declared.name, method=declared.method, path_template=declared.path)
    entry.connection_id = None
    wire = context.wire
    try:
        answer = attempt.send(
            context,
            CircuitBreaker(unsaved),
            entry,
            url=context.hosts.api + path,
            total_seconds=provider.deadlines.total,
            signature=HttpBasic(client_id, secret),
            body=None if body is None else wire.encode(body, {}) if wire.encode else orjson.dumps(body),
            wire=wire,
        )
        try:
            values = parsing.read(answer.body, wire)
        except ValueError:
            values = None
        if answer.status in REASON_OF_STATUS:
            entry.outcome = Outcome.REFUSED
            raise NoSuchRequest(REASON_OF_STATUS[answer.status], entry.id)
        if not 200 <= answer.status < 300 or values is None or provider.faults.in_good(values):
            raise error_mapping.refusal(provider, Phase.CALL, entry, answer, values)
        entry.outcome = Outcome.ANSWERED
    except CallFailed as failure:
        entry.fault = failure.fault.code
        raise
    finally:
        writer.write_now([entry])
    return values


def reason_of(error: Exception) -> tuple[str, UUID | None]:
    """The reason code of what `call`, or the reading of its answer, raised; and the entry that shows it."""
    if isinstance(error, NoSuchRequest):
        return error.reason_code, error.entry_id
    if not isinstance(error, CallFailed):
        return faults.UNREADABLE.code, None
    is_ours = faults.find(error.fault.code) is not None
    if isinstance(error, Unauthorized | Forbidden) and not is_ours:
        # The provider's catalogue speaks of a customer's session, which this is not.
        return "registration-refused", error.entry_id
    return error.fault.code, error.entry_id


def _open_secrets(row: ActivationRequest) -> tuple[str, BoundSecret, BoundSecret]:
    """Our client id and secret, and the request id. Raises Unauthorized."""
    with tenant_scope(row.tenant_id):
        try:
            client_id, secret, _redirect = open_registration(row.provider, row.environment)
            request_id = sealing.unseal(row, "request_ciphertext")
        except (sealing.Unopenable, KeyUnavailable):
            raise Unauthorized(faults.NO_KEY) from None
    if not client_id or secret is None:
        raise Unauthorized(faults.NO_REGISTRATION)
    return client_id, secret, request_id
