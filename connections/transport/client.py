"""The send loop: a living token, a place in the quota, the signed call, the log, the verdict."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
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
from connections.spec.faults import Acts, Phase
from connections.spec.grants import AuthorizationCode
from connections.spec.operations import Arguments, Operation
from connections.spec.wire import Wire
from connections.tenancy.scope import tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.http import certificates, parsing
from connections.transport.http import session as http_session
from connections.transport.limits import circuit_breaker, clock, rate_limiter, refusal_waits, retry
from connections.transport.log import recording, writer
from connections.transport.log.redaction import without_live
from connections.transport.models import Outcome, RequestLogEntry
from connections.transport.oauth import tokens
from connections.transport.oauth.signing import TokenSignature
from connections.transport.oauth.token_store import AccessToken
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, ConnectionState

NONE = Arguments()
JUST_NOW = timedelta(minutes=1)
IN_PLACE = 8.0  # seconds a caller may wait for retries in all; beyond that the work is put down
SETTLED_AFTER = 5.0  # seconds after which every server of a provider knows a token that one of them has given
AT_ALL = 20.0  # seconds after which nothing is retried in place, where the attempts themselves took so long
MOST_FIELDS, LONGEST_WORD = 100, 4000  # of what a provider says about single fields of a body


@dataclass(frozen=True)
class Reply:
    """A good answer: its parsed body, the same as JSON text, and where it stands in the request log.

    `is_mended`: characters that no database keeps were replaced in both (parsing.py). `headers`: those on the list of
    http/session.py, in lower case. `exact` gives the body with the digits of every number, to be shown.
    """

    status: int
    body: Any = field(repr=False)
    document: bytes = field(repr=False)
    entry_id: UUID
    provider_request_id: str
    is_mended: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    exact: Callable[[], Any] = field(default=lambda: None, repr=False)


class Client:
    """Talks to one connection's provider, in a worker, outside transactions and scopes."""

    def __init__(self, *, connection: Connection, run_id: UUID | None = None, checkpoint: str = "") -> None:
        provider = registry.find(connection.provider)
        if provider is None:
            message = f"no provider called {connection.provider}"
            raise LookupError(message)
        self.connection = connection
        self.provider = provider
        self._context = RequestContext(connection, provider, run_id, checkpoint)

    @property
    def pending(self) -> list[RequestLogEntry]:
        """Entries of good answers that are not yet written."""
        return self._context.pending

    def write_ledger(self) -> None:
        """Insert the pending entries in the caller's transaction and scope."""
        writer.write(self.pending)
        self.pending.clear()

    def fresh_token(self) -> None:
        """A new token now, from the credentials as they are stored. Raises CallFailed."""
        tokens.fresh(self._context)

    @property
    def has_new_consent(self) -> bool:
        """A person's consent brought the token a moment ago: it is new enough, and a refresh would use its own up."""
        living, _has_refresh = tokens.stored(self.connection)
        came_just_now = living is not None and clock.now() - living.issued_at < JUST_NOW
        return came_just_now and isinstance(self._context.grant, AuthorizationCode)

    @property
    def generation(self) -> int | None:
        """Of the token that was used last; None where none was."""
        return self._context.token.generation if self._context.token else None

    def certificates(self) -> Sequence[SeenCertificate]:
        """What the connection's hosts show now; new ones are kept for a person to confirm. Raises CallFailed."""
        return certificates.seen(self._context)

    def send(
        self,
        operation: str,
        arguments: Arguments = NONE,
        *,
        before_write: Callable[[UUID], None] | None = None,
    ) -> Reply:
        """One operation, retried where that is safe. Raises the errors of connections/spec/errors.py.

        Entries of good answers wait in `pending`; those of failures and of anything but reads are written at once.
        `before_write` is told the entry id right before a write leaves, so that an intent can be kept first. Raises
        ValueError, TypeError for what cannot be written, before that: of what was never sent no outcome is unknown.
        """
        declared = self.provider.operation(operation)
        url = self._context.hosts.api + filled(declared.path, arguments.path)
        wire = self._context.wire
        body = self._encoded(wire, arguments.body)
        self._context.operation = declared.name
        budget = retry.budget_of(f"{self.connection.provider}:{self.connection.environment}")
        begun, waited, is_renewed, is_settled = time.monotonic(), 0.0, False, False
        for attempt in itertools.count(1):
            with circuit_breaker.guard(self._context, url):
                token = tokens.living(self._context)
                refusal_waits.raise_if_held(self._context)
                # Last, so that callers who waited for one token do not start their calls all at once.
                rate_limiter.take(
                    self.provider, self.connection, self._context.client_id, for_run=self._context.is_for_run
                )
                if token.is_over:  # it lives for seconds, and they were spent on waiting for a place
                    token = tokens.living(self._context)
                entry = self._context.begin(
                    operation=declared.name, method=declared.method, path_template=declared.path, attempt=attempt
                )
                if before_write is not None and declared.is_write:
                    before_write(entry.id)
                budget.earn()
                try:
                    with recording.listening(self._context, entry, arguments.body, wire) as heard:
                        reply = self._attempt(declared, url, token, entry, arguments, wire, body, heard)
                    refusal_waits.forget(self._context)
                    return reply
                except (Unauthorized, Forbidden, Rejected) as refused:
                    if isinstance(refused, Unauthorized) and not is_renewed:
                        is_renewed = True
                        tokens.renew(self._context, spent=token.generation)
                        continue
                    if isinstance(refused, Unauthorized) and not is_settled and (pause := _settles_in(token)) > 0:
                        is_settled = True
                        time.sleep(pause)
                        continue
                    self._raise_if_doubtful(declared, entry, refused)
                    if isinstance(refused, Unauthorized):
                        refusal_waits.note_call(self._context, refused)
                    raise
                except Unavailable as failed:
                    pause = retry.delay(attempt, floor=(failed.retry_at - clock.now()).total_seconds())
                    is_long = waited + pause > IN_PLACE or time.monotonic() - begun > AT_ALL
                    if not declared.may_retry or is_long or not budget.spend():
                        failed.retry_at = clock.now() + timedelta(seconds=pause)
                        raise
                    time.sleep(pause)
                    waited += pause
                    is_renewed = False  # the token may have ended meanwhile
        raise AssertionError  # the count has no end

    def _raise_if_doubtful(self, declared: Operation, entry: RequestLogEntry, refused: CallFailed) -> None:
        """Raises Unavailable for a refusal that a machine on the way may have made as well as the provider.

        A connection that has stood is not broken by one of those: a new session that is refused, a status without a word
        of the provider's that would blame the customer, a page for people. It is asked again after a pause, and counts when
        it is still refused then. In set-up, and for what was typed anew, it counts at once: nothing has worked before.
        """
        if not self._context.run_id and not self._context.checkpoint:
            return  # sent by hand: a person reads what came of it, and no connection breaks by it
        stands = self.connection.state in (ConnectionState.CONNECTED, ConnectionState.BROKEN)
        is_doubtful = refused.is_page or isinstance(refused, Unauthorized)
        is_doubtful = is_doubtful or (refused.fault.acts is Acts.CUSTOMER and not refused.is_told)
        if not is_doubtful or declared.is_write or not stands or self.connection.fault in faults.HOLDING:
            return
        with tenant_scope(self.connection.tenant_id):
            is_confirmed = error_mapping.is_confirmed(entry)
            is_alone = is_confirmed and isinstance(refused, Unauthorized) and error_mapping.is_alone(entry)
        if not is_confirmed:
            retry_at = clock.now() + error_mapping.CONFIRMED_AFTER
            raise error_mapping.error(Unavailable, faults.TURNED_AWAY, entry, retry_at) from None
        # Whoever sends a page is not the provider; and a session that opens other things was not refused as such.
        if refused.is_page or is_alone:
            raise error_mapping.error(Rejected, faults.TURNED_AWAY, entry, clock.now()) from None

    def _attempt(
        self,
        declared: Operation,
        url: str,
        token: AccessToken,
        entry: RequestLogEntry,
        arguments: Arguments,
        wire: Wire,
        body: bytes | None,
        heard: list[http_session.Answer],
    ) -> Reply:
        """Sign, send once, judge; what is answered is put into `heard`. Raises CallFailed, its entry written."""
        entry.token_age_s = max(int((entry.at - token.issued_at).total_seconds()), 0)
        try:
            answer = self._context.send(
                entry,
                url=url,
                total=self.provider.deadlines.total,
                headers=arguments.headers,
                query=arguments.query,
                signature=TokenSignature(self.provider.placement, token.secret, token.kind),
                body=body,
                wire=wire,
            )
            heard.append(answer)
            reply = self._judge(declared, entry, answer, wire)
        except CallFailed as failed:
            is_open = isinstance(failed, Unreadable) and failed.may_have_arrived and not declared.may_retry
            told = OutcomeUnknown(faults.UNKNOWN_OUTCOME, entry_id=entry.id) if is_open else failed
            entry.fault = told.fault.code
            writer.write_now([entry])
            raise told from None
        if not declared.is_write:
            self.pending.append(entry)
        else:
            writer.write_now([entry])
        return reply

    def _encoded(self, wire: Wire, body: Any) -> bytes | None:
        """Raises ValueError, TypeError for what cannot be written."""
        if body is None:
            return None
        return wire.encode(body, self.connection.settings) if wire.encode else json_numbers.written(body)

    def _judge(self, declared: Operation, entry: RequestLogEntry, answer: http_session.Answer, wire: Wire) -> Reply:
        is_good = 200 <= answer.status < 300
        try:
            parsed = parsing.parse(answer.body, wire)
            body = parsed.values
        except ValueError:
            body, is_good = None, False
        says_no = self.provider.faults.in_good(body)
        if not is_good or says_no:
            refused = error_mapping.refusal(self.provider, Phase.CALL, entry, answer, body)
            refused.fields = _unechoed(self.provider.faults.read_fields(body))
            is_open = _may_have_happened(answer.status) and not says_no
            if declared.is_write and not declared.may_retry and is_open:
                raise OutcomeUnknown(
                    faults.UNKNOWN_OUTCOME, entry_id=entry.id, provider_request_id=entry.provider_request_id
                )
            raise refused
        entry.outcome = Outcome.ANSWERED
        return Reply(
            answer.status,
            body,
            parsed.document,
            entry.id,
            entry.provider_request_id,
            parsed.is_mended,
            answer.headers,
            parsed.exact,
        )


def _settles_in(token: AccessToken) -> float:
    """Seconds until every server should know the token. One that lives for seconds is sent again while it lives."""
    age = (clock.now() - token.issued_at).total_seconds()
    return min(SETTLED_AFTER - age, (token.due - time.monotonic()) / 2)


def _unechoed(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was said of single fields, without what we had sent to be let in."""
    return [
        (without_live(str(path)[:LONGEST_WORD]), without_live(str(text)[:LONGEST_WORD]))
        for path, text in fields[:MOST_FIELDS]
    ]


def _may_have_happened(status: int) -> bool:
    """A write may be done although this was answered: somebody behind the answering machine went on with it, or it was
    done and only its answer cannot be read."""
    return status in (408, 500, 502, 504) or 200 <= status < 300


def filled(template: str, values: Mapping[str, str]) -> str:
    """The path with its placeholders filled. Raises ValueError for a value that would lead to another path."""
    if any(str(value) in ("", ".", "..") for value in values.values()):
        message = f"a value that cannot stand in the path {template}"
        raise ValueError(message)
    return template.format(**{name: quote(str(value), safe="") for name, value in values.items()})
