"""The send loop: a living token, a place in the quota, the signed call, the log, the verdict."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

from connections.providers import registry
from connections.spec.errors import CallFailed, Unauthorized, Unavailable
from connections.spec.faults import Phase
from connections.spec.operations import SAFE, Operation
from connections.transport import clock, egress, ledger, limiter, retry, tokens, verdict
from connections.transport.caller import Caller
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.models import Connection

IN_PLACE = 8.0  # seconds a caller may wait for retries in all; beyond that the work is put down


@dataclass(frozen=True)
class Reply:
    """A good answer: its parsed body, the bytes it was parsed from, and where it stands in the request log."""

    status: int
    body: Any = field(repr=False)
    raw: bytes = field(repr=False)
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
        self._caller = Caller(connection, provider, self.hosts, run_id, checkpoint)

    @property
    def pending(self) -> list[RequestLogEntry]:
        """Entries of good answers that are not yet written."""
        return self._caller.pending

    def write_ledger(self) -> None:
        """Insert the pending entries in the caller's transaction and scope."""
        ledger.write(self.pending)
        self.pending.clear()

    def fresh_token(self) -> None:
        """A new token now, from the credentials as they are stored. Raises CallFailed."""
        tokens.fresh(self._caller)

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
        url = self.hosts.api + _filled(declared.path, path or {})
        waited, is_renewed = 0.0, False
        for attempt in itertools.count(1):
            token = tokens.living(self._caller)
            # Last, so that callers who waited for one token do not start their calls all at once.
            limiter.take(self.provider, self.connection, self._caller.client_id)
            entry = self._caller.begin(
                operation=declared.name, method=declared.method, path_template=declared.path, attempt=attempt
            )
            try:
                return self._attempt(declared, url, token, entry, query or {}, json)
            except Unauthorized:
                if is_renewed:
                    raise
                is_renewed = True
                tokens.renew(self._caller, spent=token.generation)
            except Unavailable as failed:
                pause = retry.delay(attempt, floor=(failed.retry_at - clock.now()).total_seconds())
                if not declared.may_retry or waited + pause > IN_PLACE:
                    failed.retry_at = clock.now() + timedelta(seconds=pause)
                    raise
                time.sleep(pause)
                waited += pause
        raise AssertionError  # the count has no end

    def _attempt(
        self,
        declared: Operation,
        url: str,
        token: tokens.Living,
        entry: RequestLogEntry,
        query: Mapping[str, str],
        json: Any,
    ) -> Reply:
        """Sign, send once, judge. Raises CallFailed, its entry written."""
        entry.token_age_s = max(int((entry.at - token.issued_at).total_seconds()), 0)
        headers: dict[str, str] = {}
        signed = dict(query)
        self.provider.placement.place(token.secret.reveal(), headers, signed)
        try:
            answer = self._caller.send(
                entry, url=url, total=self.provider.deadlines.total, headers=headers, query=signed, json=json
            )
            reply = self._judge(entry, answer)
        except CallFailed as failed:
            entry.fault = failed.fault.code
            ledger.write_now([entry])
            raise
        if declared.method in SAFE:
            self.pending.append(entry)
        else:
            ledger.write_now([entry])
        return reply

    def _judge(self, entry: RequestLogEntry, answer: egress.Answer) -> Reply:
        is_good = 200 <= answer.status < 300
        try:
            body = orjson.loads(answer.body) if answer.body else None
        except orjson.JSONDecodeError:
            body, is_good = None, False
        if not is_good:
            raise verdict.refusal(self.provider, Phase.CALL, entry, answer, body)
        entry.outcome = Outcome.ANSWERED
        return Reply(answer.status, body, answer.body, entry.id, entry.provider_request_id)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The path with its placeholders filled. Raises ValueError for a value that would lead to another path."""
    if any(str(value) in ("", ".", "..") for value in values.values()):
        message = f"a value that cannot stand in the path {template}"
        raise ValueError(message)
    return template.format(**{name: quote(str(value), safe="") for name, value in values.items()})
