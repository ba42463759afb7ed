"""The send loop: a place in the quota, a living token, the signed call, the log, the verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
from django.db import transaction

from connections.providers import registry
from connections.spec.errors import (
    Blocked,
    CallFailed,
    Forbidden,
    QuotaExhausted,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from connections.spec.faults import Phase
from connections.spec.operations import SAFE, Operation
from connections.transport import clock, egress, faults, ledger, limiter, retry, tokens
from connections.transport.entries import Noted
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.models import ClientRegistration, Connection

IN_PLACE = 8.0  # seconds a caller may wait for retries in all; beyond that the work is put down


@dataclass(frozen=True)
class Reply:
    """A good answer: its parsed body, the bytes it was parsed from, and where it stands in the request log."""

    status: int
    body: Any
    raw: bytes
    entry_id: UUID
    provider_request_id: str


class Client:
    """Talks to one connection's provider, in a worker, outside transactions and scopes."""

    def __init__(self, *, connection: Connection, run_id: UUID | None = None, checkpoint: str = "") -> None:
        provider = registry.find(connection.provider)
        if provider is None:
            message = f"no provider called {connection.provider}"
            raise LookupError(message)
        self.connection = connection
        self.provider = provider
        self.hosts = registry.hosts_of(provider, connection.environment)
        self.noted = Noted(connection, provider, run_id, checkpoint)
        self._context = tokens.Context(connection, provider, self.hosts, self.noted)
        self._client_id: str | None = None

    @property
    def pending(self) -> list[RequestLogEntry]:
        return self.noted.pending

    def write_ledger(self) -> None:
        """Insert the entries not yet written, in the caller's transaction and scope."""
        ledger.write(self.noted.pending)
        self.noted.pending.clear()

    def fresh_token(self) -> None:
        """A new token now, from the credentials as they are stored. Raises CallFailed."""
        spent = tokens.generation(self.connection)
        tokens.renew(self._context, spent=spent, forced=True)

    def send(
        self,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        path: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Reply:
        """One operation, retried where that is safe. Raises the errors of connections/spec/errors.py.

        Entries of good answers wait in `pending`; those of failures and of anything but reads are written at once.
        """
        declared = self.provider.operation(operation)
        waited = 0.0
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            limiter.take(self.provider, self.connection, self._registered())
            token = tokens.living(self._context)
            entry = self.noted.begin(
                operation=declared.name, method=declared.method, path_template=declared.path, attempt=attempt
            )
            entry.token_age_s = max(int((entry.at - token.issued_at).total_seconds()), 0)
            outcome = self._attempt(declared, token, entry, query or {}, path or {}, json)
            if isinstance(outcome, Reply):
                self._note(declared, entry)
                return outcome
            answer, failed = outcome
            entry.fault = failed.fault.code
            ledger.write_now([entry])
            if isinstance(failed, Unauthorized) and not renewed:
                renewed = True
                tokens.renew(self._context, spent=token.generation)
                continue
            headers = answer.headers if answer is not None else {}
            pause = retry.delay(attempt, headers, clock.now())
            if not isinstance(failed, Unavailable):
                raise failed
            if not declared.may_retry or waited + pause > IN_PLACE:
                failed.retry_at = clock.now() + timedelta(seconds=pause)
                raise failed
            time.sleep(pause)
            waited += pause

    def _attempt(
        self,
        declared: Operation,
        token: tokens.Living,
        entry: RequestLogEntry,
        query: Mapping[str, str],
        path: Mapping[str, str],
        json: Any,
    ) -> Reply | tuple[egress.Answer | None, CallFailed]:
        """Send once and judge: a reply, or the failure with the answer it was read from."""
        headers: dict[str, str] = {}
        signed = dict(query)
        self.provider.placement.place(token.secret.reveal(), headers, signed)
        filled = declared.path.format(**{name: quote(str(value), safe="") for name, value in path.items()})
        try:
            answer = egress.send(
                hosts=self.hosts,
                method=declared.method,
                url=self.hosts.api + filled,
                deadlines=self.provider.deadlines,
                total=self.provider.deadlines.total,
                headers=headers,
                query=signed,
                json=json,
                keep=self.provider.request_id_headers,
            )
        except egress.NotAllowed:
            entry.outcome = Outcome.BLOCKED
            return None, Blocked(faults.BLOCKED, entry_id=entry.id)
        except egress.TooLarge:
            entry.outcome = Outcome.UNREADABLE
            return None, Unreadable(faults.UNREADABLE, entry_id=entry.id)
        except egress.EgressError:
            return None, Unavailable(faults.NO_ANSWER, retry_at=clock.now(), entry_id=entry.id)
        entry.status, entry.duration_ms, entry.bytes_in = answer.status, answer.duration_ms, len(answer.body)
        entry.provider_request_id = ledger.request_id(self.provider, dict(answer.headers))
        entry.quota_left = _whole(answer.headers.get("x-rate-limit-remaining", ""))
        return self._judge(entry, answer)

    def _judge(self, entry: RequestLogEntry, answer: egress.Answer) -> Reply | tuple[egress.Answer | None, CallFailed]:
        status = answer.status
        entry_id, request_id = entry.id, entry.provider_request_id
        if 300 <= status < 400:
            entry.outcome = Outcome.REFUSED
            return answer, Rejected(faults.REDIRECTED, entry_id=entry_id, provider_request_id=request_id)
        try:
            body = orjson.loads(answer.body) if answer.body else None
        except orjson.JSONDecodeError:
            body = None
            if status < 300:
                entry.outcome = Outcome.UNREADABLE
                return answer, Unreadable(faults.UNREADABLE, entry_id=entry_id, provider_request_id=request_id)
        if status < 300:
            entry.outcome = Outcome.ANSWERED
            return Reply(status, body, answer.body, entry.id, entry.provider_request_id)
        fault = self.provider.faults.judge(Phase.CALL, status, body)
        entry.outcome = Outcome.TROUBLED if status >= 500 else Outcome.REFUSED
        if status == 401:
            return answer, Unauthorized(fault, entry_id=entry_id, provider_request_id=request_id)
        if status == 403:
            return answer, Forbidden(fault, entry_id=entry_id, provider_request_id=request_id)
        if status == 429 or status >= 500:
            kind = QuotaExhausted if status == 429 else Unavailable
            return answer, kind(fault, retry_at=clock.now(), entry_id=entry_id, provider_request_id=request_id)
        return answer, Rejected(fault, entry_id=entry_id, provider_request_id=request_id)

    def _note(self, declared: Operation, entry: RequestLogEntry) -> None:
        if declared.method in SAFE:
            self.noted.pending.append(entry)
        else:
            ledger.write_now([entry])

    def _registered(self) -> str:
        """Our client id: part of what a provider counts calls by."""
        if self._client_id is None:
            with transaction.atomic():
                found = ClientRegistration.objects.filter(
                    provider=self.connection.provider, environment=self.connection.environment
                )
                self._client_id = found.values_list("client_id", flat=True).first() or ""
        return self._client_id


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
