"""The story of a call: a valid token, a place in the quota, the signed request, the log, and what the answer means."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from connections.providers import registry
from connections.spec import json_numbers
from connections.spec.checklist import SeenCertificate
from connections.spec.errors import (
    CallFailed,
    Forbidden,
    OutcomeUnknown,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from connections.spec.faults import Phase
from connections.spec.grants import AuthorizationCode
from connections.spec.operations import Arguments, Operation
from connections.tenancy.scope import tenant_scope
from connections.transport import attempt, background, clock, error_mapping, faults, stopwatch
from connections.transport.attempt import Exchange
from connections.transport.doubtful_refusals import raise_if_doubtful
from connections.transport.http import certificates, parsing
from connections.transport.http.parsing import Parsed
from connections.transport.http.session import Answer
from connections.transport.limits import rate_limiter, retry
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.log import writer
from connections.transport.log.recording import Conversation, Recorder
from connections.transport.log.redaction import without_live
from connections.transport.models import Outcome, RequestLogEntry
from connections.transport.oauth.signing import TokenSignature
from connections.transport.oauth.token import AccessToken
from connections.transport.oauth.tokens import TokenHolder, stored_pair
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection

NO_ARGUMENTS = Arguments()
CONSENT_IS_NEW_FOR = timedelta(minutes=1)
TOKEN_SPREADS_SECONDS = 5.0  # by then every server of a provider knows a token that one of them has given
PART_OF_SHORT_LIFE = 0.8  # of a token that lives for seconds is waited for its servers; the rest is left for the call
MOST_FIELDS, LONGEST_FIELD_TEXT = 100, 4000  # of what a provider says about single fields of a body


@dataclass(frozen=True)
class Reply:
    """A good answer: its parsed body, the same as JSON text, and where it stands in the request log.

    `is_mended`: characters that no database stores were replaced in both (parsing.py). `headers`: those on the list of
    http/session.py, in lower case. `exact` returns the body with the digits of every number, to be shown.
    """

    status: int
    body: Any = field(repr=False)
    document: bytes = field(repr=False)
    entry_id: UUID
    provider_request_id: str
    is_mended: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    exact: Callable[[], Any] = field(default=lambda: None, repr=False)


@dataclass
class _Call:
    """One operation that is being sent, over all of its attempts."""

    operation: Operation
    url: str
    arguments: Arguments
    body: bytes | None
    is_token_renewed: bool = False  # since the last pause
    has_waited_for_servers: bool = False  # to know the new token


@dataclass
class _Attempt:
    """One send of a call: what leaves, and the body of what comes back, parsed. `thread`: where it is made, if elsewhere."""

    call: _Call
    token: AccessToken
    exchange: Exchange
    parsed: Parsed | None = None  # None where the answer cannot be read
    thread: Future[None] | None = None

    def make(self) -> None:
        """Send once and read the body."""
        self.exchange.run()
        if self.exchange.answer is not None:
            with suppress(ValueError):
                self.parsed = parsing.parse(self.exchange.answer.body, self.exchange.wire)

    def wait(self) -> None:
        """Until it is made: here, or where it was begun."""
        with stopwatch.measure(stopwatch.PROVIDER):
            if self.thread is None:
                self.make()
            else:
                self.thread.result()


class Client:
    """Sends operations to one connection's provider, in a worker, outside transactions and scopes."""

    def __init__(
        self, *, connection: Connection, run_id: UUID | None = None, checkpoint: str = "", is_batch: bool = False
    ) -> None:
        provider = registry.find(connection.provider)
        if provider is None:
            message = f"no provider called {connection.provider}"
            raise LookupError(message)
        self.connection = connection
        self.provider = provider
        self.context = RequestContext(connection, provider, run_id, checkpoint, is_batch)
        self.pending: list[RequestLogEntry] = []  # entries of good answers that are not yet written
        self._breaker = CircuitBreaker(connection)
        self.tokens = TokenHolder(self.context, self._breaker)
        self._refusals = self.tokens.refusals
        self._recorder = Recorder(connection, provider)
        self._ahead: deque[_Attempt] = deque()

    def write_pending(self) -> None:
        """Insert the pending entries in the caller's transaction and scope."""
        writer.write(self.pending)
        self.pending.clear()

    def new_token(self) -> None:
        """Get a new token now, from the credentials as they are stored. Raises CallFailed."""
        self.tokens.new_token()

    @property
    def has_new_consent(self) -> bool:
        """Whether a person's consent brought the token a moment ago: a refresh would only use its refresh token up."""
        token, _has_refresh = stored_pair(self.connection)
        is_new = token is not None and clock.now() - token.issued_at < CONSENT_IS_NEW_FOR
        return is_new and isinstance(self.context.grant, AuthorizationCode)

    @property
    def generation(self) -> int | None:
        """The generation of the token that was used last; None where none was."""
        return self.tokens.token.generation if self.tokens.token else None

    def certificates(self) -> Sequence[SeenCertificate]:
        """What the connection's hosts show now; new ones are stored for a person to confirm. Raises CallFailed."""
        return certificates.seen_certificates(self.connection, self.context.hosts)

    def send(
        self,
        operation: str,
        arguments: Arguments = NO_ARGUMENTS,
        *,
        before_write: Callable[[UUID], None] | None = None,
    ) -> Reply:
        """Send one operation, retried where that is safe. Raises the errors of connections/spec/errors.py.

        Entries of good answers to reads wait in `pending`; all others are written at once. `before_write` is called with
        the entry's id right before a write leaves, so that an intent can be stored first. Before that, ValueError or
        TypeError is raised for what cannot be encoded: of what was never sent no outcome is unknown.
        """
        call = self._prepare(operation, arguments)
        waits = retry.RetryWaits(self._budget)
        begun = self._take_ahead(call)
        for number in itertools.count(1):
            # One that was begun ahead passed the breaker then; what came of it is to be read, however things stand now.
            with self._breaker.guard(call.url) if begun is None else nullcontext():
                attempted = begun or self._begin(call, number)
                begun, entry = None, attempted.exchange.entry
                if before_write is not None and call.operation.is_write:
                    before_write(entry.id)
                self._budget.earn()
                try:
                    reply = self._send_once(attempted)
                except Unauthorized as refusal:
                    if self._may_send_again(call, attempted.token):
                        continue
                    raise_if_doubtful(self.context, entry, refusal, is_write=call.operation.is_write)
                    self._refusals.count_call_refusal(refusal)
                    raise
                except (Forbidden, Rejected) as refusal:
                    raise_if_doubtful(self.context, entry, refusal, is_write=call.operation.is_write)
                    raise
                except Unavailable as failure:
                    waits.wait_or_raise(number, failure, may_retry=call.operation.may_retry)
                    call.is_token_renewed = False  # the token may have ended meanwhile
                else:
                    self._refusals.forget()
                    return reply
        raise AssertionError  # the count has no end

    @property
    def _budget(self) -> retry.RetryBudget:
        return retry.budget_of(f"{self.connection.provider}:{self.connection.environment}")

    def fetch_ahead(self, operation: str, arguments: Arguments = NO_ARGUMENTS) -> bool:
        """Begin a read, in a thread, that `send` will be asked for soon, in the order in which they are begun. It takes its
        place in the quota like any other. False where something hinders it: `send` will meet that, and raise it.
        """
        try:
            call = self._prepare(operation, arguments)
            with self._breaker.guard(call.url):
                attempted = self._begin(call, 1)
        except CallFailed:
            return False
        attempted.thread = background.begin(attempted.make)
        self._ahead.append(attempted)
        return True

    @property
    def ahead(self) -> int:
        """How many reads were begun ahead and not yet asked for."""
        return len(self._ahead)

    def drop_ahead(self) -> None:
        """Wait for what was begun ahead and is not needed: it was asked, and belongs into the request log."""
        while self._ahead:
            with suppress(CallFailed):
                self._send_once(self._ahead.popleft())

    def _take_ahead(self, call: _Call) -> _Attempt | None:
        """What was begun for this very call, None where nothing was; whatever was begun before it is dropped."""
        while self._ahead:
            attempted = self._ahead.popleft()
            begun = attempted.call
            if (begun.operation, begun.url, begun.arguments) == (call.operation, call.url, call.arguments):
                attempted.call = call
                return attempted
            with suppress(CallFailed):
                self._send_once(attempted)
        return None

    def _begin(self, call: _Call, number: int) -> _Attempt:
        """Get what one attempt needs: a token, a place in the quota, an entry. Raises CallFailed."""
        token = self.tokens.valid_token()
        self._refusals.raise_if_operation_waits()
        # The place comes last, so that callers who waited for one token do not start their calls all at once.
        rate_limiter.wait_for_quota(
            self.provider, self.connection, self.context.client_id, for_run=self.context.is_for_run
        )
        if token.is_over:  # it lives for seconds, and they were spent on waiting for a place
            token = self.tokens.valid_token()
        entry = attempt.begin(
            self.context,
            operation=call.operation.name,
            method=call.operation.method,
            path_template=call.operation.path,
            number=number,
            token_issued_at=token.issued_at,
        )
        exchange = Exchange(
            self.context,
            entry,
            call.url,
            self.provider.deadlines.total,
            headers=call.arguments.headers,
            query=call.arguments.query,
            signature=TokenSignature(self.provider.placement, token.secret, token.kind),
            body=call.body,
            wire=self.context.wire,
        )
        return _Attempt(call, token, exchange)

    def _prepare(self, name: str, arguments: Arguments) -> _Call:
        """Raises ValueError, TypeError for what cannot be encoded, Unauthorized and Blocked where there is no address."""
        operation = self.provider.operation(name)
        url = self.context.hosts.api + fill_path(operation.path, arguments.path)
        wire, body = self.context.wire, None
        if arguments.body is not None:
            encode = wire.encode
            body = encode(arguments.body, self.connection.settings) if encode else json_numbers.dumps(arguments.body)
        self._refusals.operation = operation.name
        return _Call(operation, url, arguments, body)

    def _send_once(self, attempted: _Attempt) -> Reply:
        """Send, log and judge one attempt. Raises CallFailed, its entry written."""
        call, exchange = attempted.call, attempted.exchange
        entry = exchange.entry
        with self._recorder.attempt(entry, call.arguments.body) as conversation:
            try:
                attempted.wait()
                answer = attempt.outcome(exchange, self._breaker)
                reply = self._judge(attempted, answer, conversation)
            except CallFailed as failure:
                is_lost = isinstance(failure, Unreadable) and failure.may_have_arrived
                if is_lost and not call.operation.may_retry:
                    failure = OutcomeUnknown(faults.UNKNOWN_OUTCOME, entry_id=entry.id)
                entry.fault = failure.fault.code
                writer.write_now([entry])
                raise failure from None
            if call.operation.is_write:
                writer.write_now([entry])
            else:
                self.pending.append(entry)
            return reply

    def _judge(self, attempted: _Attempt, answer: Answer, conversation: Conversation) -> Reply:
        """The reply that a good answer is. Raises CallFailed for any other answer."""
        operation, entry, parsed = attempted.call.operation, attempted.exchange.entry, attempted.parsed
        conversation.answer_bytes = len(answer.body)
        values = parsed.values if parsed else None
        has_error = self.provider.faults.in_good(values)
        if parsed is not None:
            conversation.read_values = parsed.exact
            conversation.is_good = 200 <= answer.status < 300 and not has_error
        if parsed is None or not conversation.is_good:
            refusal = error_mapping.refusal(self.provider, Phase.CALL, entry, answer, values)
            refusal.fields = _fields_without_secrets(self.provider.faults.read_fields(values))
            is_open = _may_have_happened(answer.status) and not has_error
            if operation.is_write and not operation.may_retry and is_open:
                raise OutcomeUnknown(
                    faults.UNKNOWN_OUTCOME, entry_id=entry.id, provider_request_id=entry.provider_request_id
                )
            raise refusal
        entry.outcome = Outcome.ANSWERED
        return Reply(
            answer.status,
            values,
            parsed.document,
            entry.id,
            entry.provider_request_id,
            parsed.is_mended,
            answer.headers,
            parsed.exact,
        )

    def _may_send_again(self, call: _Call, token: AccessToken) -> bool:
        """Whether a call whose token was refused is sent again: with a new token, or once more after every server of the
        provider should know the new one, or most of a short life is over. Raises CallFailed where no token is to be had.
        """
        if not call.is_token_renewed:
            call.is_token_renewed = True
            self.tokens.renew(newer_than=token.generation)
            return True
        age_seconds = (clock.now() - token.issued_at).total_seconds()
        pause = min(TOKEN_SPREADS_SECONDS - age_seconds, (token.due - time.monotonic()) * PART_OF_SHORT_LIFE)
        if call.has_waited_for_servers or pause <= 0:
            return False
        call.has_waited_for_servers = True
        time.sleep(pause)
        return True


def send_and_log(connection: Connection, operation: str) -> None:
    """Send one operation of a connection whose answer nobody needs; every entry is written. Raises CallFailed."""
    client = Client(connection=connection)
    try:
        client.send(operation)
    finally:
        with tenant_scope(connection.tenant_id):
            client.write_pending()


def _fields_without_secrets(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a provider says of single fields, without the secrets that let us in."""
    return [
        (without_live(str(path)[:LONGEST_FIELD_TEXT]), without_live(str(text)[:LONGEST_FIELD_TEXT]))
        for path, text in fields[:MOST_FIELDS]
    ]


def _may_have_happened(status: int) -> bool:
    """Whether a write may be done although this was answered: somebody behind the answering machine went on with it, or it
    was done and only its answer cannot be read."""
    return status in (408, 500, 502, 504) or 200 <= status < 300


def fill_path(template: str, values: Mapping[str, str]) -> str:
    """The path with its placeholders filled. Raises ValueError for a value that would lead to another path."""
    if any(str(value) in ("", ".", "..") for value in values.values()):
        message = f"a value that cannot stand in the path {template}"
        raise ValueError(message)
    return template.format(**{name: quote(str(value), safe="") for name, value in values.items()})
