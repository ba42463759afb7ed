"""A valid access token, requested by one caller at a time whatever the number of workers."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from django.db import InterfaceError, InternalError, OperationalError
from django.db import connection as database

from connections.spec.errors import CallFailed, RefusedPart, Rejected, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Phase
from connections.spec.grants import AuthorizationCode
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, error_mapping, faults
from connections.transport.doubtful_refusals import CONFIRMED_AFTER
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.log import writer
from connections.transport.models import RequestLogEntry
from connections.transport.oauth import refusal_waits, token_endpoint, token_store
from connections.transport.oauth.deferred_signals import deferred_signals
from connections.transport.oauth.refusal_waits import RefusalWaits
from connections.transport.oauth.token import AccessToken, LoginCode, RequestFingerprint, TokenResponse
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, Grant

REFRESH_WAIT_SECONDS = 25.0  # a caller waits this long for another caller's token request
STORE_RETRY_SECONDS = 30.0  # a pair is stored again and again for this long, where the database went away meanwhile
STORE_PAUSE_SECONDS = 0.5
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS, POLL_GROWTH = 0.05, 0.25, 1.5


class TokenHolder:
    """The access token of one connection, as one caller uses it.

    A caller goes on with the token that it has opened, even if another caller stores a newer one meanwhile: the old one
    still works, or the provider refuses it and the caller takes the newer one.
    """

    def __init__(self, context: RequestContext, breaker: CircuitBreaker | None = None) -> None:
        self._context = context
        self._connection = context.connection
        self._breaker = breaker or CircuitBreaker(context.connection)
        self.refusals = RefusalWaits(context)
        self.token: AccessToken | None = None

    def valid_token(self) -> AccessToken:
        """The stored token, or a new one when it ends soon. Raises CallFailed.

        One that is due but has not ended is used on while the token endpoint is in trouble.
        """
        if self.token is None or self.token.is_due:
            with tenant_scope(self._connection.tenant_id):
                row, now = token_store.read(self._connection)
                stored = token_store.open_access_token(row, now)
                try:
                    self.refusals.raise_while_waiting(row, now)
                except Unavailable:
                    if stored is None:
                        raise
            if stored is None or stored.is_due:
                try:
                    return self.renew(newer_than=row.generation, fallback=stored)
                except (Unavailable, Unreadable, Rejected):
                    if stored is None or stored.is_over:
                        raise
            self.token = stored
        return self.token

    def new_token(self) -> AccessToken:
        """A token from the credentials as they are stored now, even where there is a valid one. Raises CallFailed."""
        with token_store.durable(self._connection):
            row, now = token_store.read(self._connection)
            self.refusals.raise_while_waiting(row, now)
        is_claimed = row.claimed_until is not None and row.claimed_until > now
        # Somebody asks already, perhaps with a credential that was replaced since: their token is not new enough.
        return self.renew(newer_than=row.generation + is_claimed, forced=True)

    def renew(self, *, newer_than: int, forced: bool = False, fallback: AccessToken | None = None) -> AccessToken:
        """A token newer than generation `newer_than`: another caller's, if it came meanwhile, or our own. Raises CallFailed.

        `forced` asks even where the last request was refused: the credential may be new. `fallback`: a token that may
        still be used; it is returned instead of waiting for another caller's request where the one before had no success.
        """
        self.token = None
        self.token = self._request_or_wait(newer_than, forced=forced, fallback=fallback)
        return self.token

    def _request_or_wait(self, newer_than: int, *, forced: bool, fallback: AccessToken | None) -> AccessToken:
        claim_id = uuid.uuid4().hex
        deadline = time.monotonic() + REFRESH_WAIT_SECONDS
        pause = FIRST_POLL_SECONDS
        while (began_at := time.monotonic()) < deadline:
            with deferred_signals():
                row, fingerprint, token = self._claim_or_look(claim_id, newer_than, forced=forced)
                if fingerprint is not None:
                    self.refusals.fingerprint = fingerprint
                    answer_by = began_at + token_store.ANSWER_WITHIN_SECONDS
                    token = self._request_and_store(row, claim_id, fingerprint, answer_by=answer_by)
            if token is not None:
                return token
            if fingerprint is None and row.generation <= newer_than:
                self._raise_shared_failure(row, forced=forced)
                if fallback is not None and row.failures and not fallback.is_over:
                    return fallback
                time.sleep(pause)
                pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)
            newer_than = max(newer_than, row.generation)  # what is newer is gone as well
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now() + timedelta(seconds=token_store.CLAIM_SECONDS))

    def _claim_or_look(
        self, claim_id: str, newer_than: int, *, forced: bool
    ) -> tuple[Grant, RequestFingerprint | None, AccessToken | None]:
        """The row as it is now; the fingerprint to ask with, where the next request is ours; else a newer token, if any."""
        connection = self._connection
        with token_store.durable(connection):
            row, now = token_store.read(connection)
            # Those who wait look, and no more: there may be many of them.
            if row.generation <= newer_than and (row.claimed_until is None or row.claimed_until < now):
                self.refusals.raise_while_waiting(row, now)
                changed = token_store.request_fingerprint(connection) if row.refused_with else None
                if token_store.claim(connection, claim_id, newer_than, forced=forced, changed=changed):
                    return token_store.read(connection)[0], token_store.request_fingerprint(connection), None
                row, now = token_store.read(connection)  # somebody was quicker, or a failure holds
            newer = token_store.open_access_token(row, now) if row.generation > newer_than else None
        return row, None, None if newer is None or newer.is_due else newer

    def exchange_code(self, code: LoginCode) -> AccessToken:
        """A first pair for a code that a login page gave. Raises CallFailed. Nothing else asks meanwhile.

        What was there before is overwritten: the caller has given it back (OAU-14). A request under way is waited for:
        where the code is refused, what it brings is all there is.
        """
        claim_id = f"{token_store.EXCHANGE_CLAIM}{uuid.uuid4().hex}"
        self.token = None
        deadline = time.monotonic() + token_store.CLAIM_SECONDS
        while token_store.is_claimed(self._connection) and time.monotonic() < deadline:
            time.sleep(STORE_PAUSE_SECONDS)
        answer_by = time.monotonic() + token_store.ANSWER_WITHIN_SECONDS
        with deferred_signals():
            row = token_store.seize_claim(self._connection, claim_id)
            with tenant_scope(self._connection.tenant_id):
                fingerprint = token_store.request_fingerprint(self._connection)
            token = self._request_and_store(row, claim_id, fingerprint, code=code, answer_by=answer_by)
        if token is None:
            raise Unavailable(faults.NO_ANSWER, retry_at=clock.now())
        self.refusals.count = row.refusals
        self.refusals.forget_all()  # a person has consented anew
        return token

    def _request_and_store(
        self,
        row: Grant,
        claim_id: str,
        fingerprint: RequestFingerprint,
        *,
        answer_by: float,
        code: LoginCode | None = None,
    ) -> AccessToken | None:
        """One token request, its answer stored; None where another caller's newer pair counts. Raises CallFailed.

        The claim is released whatever happens. `answer_by`: by this process's steady clock, so that nobody else asks
        meanwhile.
        """
        response = None
        try:
            with tenant_scope(row.tenant_id):
                refresh = token_store.open_refresh_token(row) if code is None else None
            response = token_endpoint.request_token(
                self._context, self._breaker, refresh=refresh, code=code, answer_by=answer_by
            )
            try:
                token = self._store(row, claim_id, fingerprint, response)
            finally:
                writer.write_now([response.entry])
            if response.refusal is not None:
                raise response.refusal
        except CallFailed as failure:
            if code is not None:
                token_store.release_claim(self._connection, row, claim_id, failure)
                raise self._not_before_the_wait(row, failure) from None
            has_new_refresh = response is not None and response.refresh is not None
            meaning, blocked_fingerprint = self._classify_failure(
                row, fingerprint, failure, has_new_refresh=has_new_refresh
            )
            self.refusals.count_refusal(meaning, fingerprint)  # before others who wait for their turn get it
            is_ours = token_store.release_claim(
                self._connection, row, claim_id, meaning, blocked_fingerprint=blocked_fingerprint
            )
            if not is_ours and row.generation != self._stored_generation():
                self.refusals.forget_all()
                return None  # another caller took over and stored: what we asked with was spent, and its pair counts
            raise self._not_before_the_wait(row, meaning) from None
        except BaseException:
            token_store.release_claim(self._connection, row, claim_id, None)
            raise
        return token

    def _not_before_the_wait(self, row: Grant, failure: CallFailed) -> CallFailed:
        """The same failure; one that passes is not tried again before the credential may be sent again."""
        if isinstance(failure, Unavailable) and failure.fault is faults.TURNED_AWAY:
            with tenant_scope(row.tenant_id):
                waits_until = refusal_waits.asked_again_at(self._connection)
            failure.retry_at = max(failure.retry_at, waits_until or failure.retry_at)
        return failure

    def _store(
        self, row: Grant, claim_id: str, fingerprint: RequestFingerprint, response: TokenResponse
    ) -> AccessToken | None:
        """Store at once: nothing that comes later can lose the pair. A provider that rotates gave it once and for all.

        Storing twice is harmless: the second time, a newer pair is there already.
        """
        if response.secret is None and response.refresh is None:
            return None
        deadline, is_repeated = time.monotonic() + STORE_RETRY_SECONDS, False
        while True:
            try:
                token = token_store.store(self._connection, row, claim_id, fingerprint, response)
                # It may have been stored though nobody said so.
                return token or (token_store.newer_token(self._connection, row.generation) if is_repeated else None)
            except (OperationalError, InterfaceError, InternalError):  # gone, or read-only while another takes over
                if time.monotonic() > deadline:
                    raise
            is_repeated = True
            database.close()
            time.sleep(STORE_PAUSE_SECONDS)

    def _raise_shared_failure(self, row: Grant, *, forced: bool) -> None:
        """Raises what the last request raised, where that still holds and nobody asks again."""
        if row.refused_at is None or row.claimed_until is not None or (forced and row.ask_after is None):
            return
        fault = self._context.provider.faults.find(row.refused_fault) or faults.find(row.refused_fault)
        fault = fault or faults.NO_ANSWER
        with tenant_scope(row.tenant_id):
            entry = RequestLogEntry.objects.find(row.refused_entry) or RequestLogEntry(id=None)  # nothing was sent
            _row, now = token_store.read(self._connection)
        until = token_store.failure_holds_until(row)
        error = Unauthorized if until is None else error_mapping.error_type(fault, Phase.TOKEN, entry.status)
        retry_at = clock.now() + (until - now if until else timedelta())
        raise error_mapping.make_error(error, fault, entry, retry_at)

    def _classify_failure(
        self, row: Grant, fingerprint: RequestFingerprint, failure: CallFailed, *, has_new_refresh: bool
    ) -> tuple[CallFailed, RequestFingerprint | None]:
        """What a failed refresh means here, and the fingerprint it stands for until that changes, so that nobody asks in
        vain again (OAU-9).

        One refusal of a refresh token ends nothing: providers have been seen to refuse one that was good a minute later.
        It is sent once more then. With `has_new_refresh` a new one came with the refusal, which speaks of the one before.

        A refresh token that is refused after an answer was lost says nothing of the customer: the lost answer may have
        held the new one. One that was given to another client of ours is our own doing.
        """
        if failure.refused_part is None:
            return failure, None
        fault, grant = failure.fault, self._context.grant
        if failure.refused_part is not RefusedPart.CLIENT:
            if has_new_refresh or not token_store.is_refused_again(row):
                retry_at = clock.now() + (timedelta() if has_new_refresh else CONFIRMED_AFTER)
                first_refusal = Unavailable(faults.REFUSED_ONCE, retry_at=retry_at, entry_id=failure.entry_id)
                first_refusal.provider_request_id = failure.provider_request_id
                return first_refusal, None
            if row.client_id not in ("", fingerprint.client_id):
                fault = faults.OTHER_CLIENT
            elif row.uncertain_at is not None and isinstance(grant, AuthorizationCode):
                fault = grant.lost
        refusal = Unauthorized(fault, entry_id=failure.entry_id, provider_request_id=failure.provider_request_id)
        return refusal, None if failure.refused_part is RefusedPart.GRANT_PERHAPS else fingerprint

    def _stored_generation(self) -> int:
        with tenant_scope(self._connection.tenant_id):
            return token_store.read(self._connection)[0].generation


def stored_pair(connection: Connection) -> tuple[AccessToken | None, bool]:
    """The stored access token, None if it has ended or does not open, and whether there is a refresh token."""
    with tenant_scope(connection.tenant_id):
        row, now = token_store.read(connection)
        has_refresh = row.refresh_ciphertext is not None
        try:
            return token_store.open_access_token(row, now), has_refresh
        except Unauthorized:
            return None, has_refresh
