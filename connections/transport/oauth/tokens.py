"""A living token, fetched by one caller at a time whatever the number of workers."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from django.db import InterfaceError, InternalError, OperationalError
from django.db import connection as database

from connections.spec.errors import About, CallFailed, Rejected, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Phase
from connections.spec.grants import AuthorizationCode
from connections.tenancy.scope import tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.limits import clock, refusal_waits
from connections.transport.log import writer
from connections.transport.models import RequestLogEntry
from connections.transport.oauth import token_endpoint, token_store
from connections.transport.oauth.deferred_signals import shielded
from connections.transport.oauth.token_store import RequestFingerprint
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, Grant

PATIENCE = 25.0  # seconds a caller waits for another caller's token request
STORED_WITHIN = 30.0  # seconds for which a pair is stored again and again, where the database went away meanwhile
STORE_EVERY = 0.5
AccessToken = token_store.AccessToken
forget = token_store.forget


def living(context: RequestContext) -> AccessToken:
    """The stored token, or a new one when it ends soon. Raises CallFailed.

    A caller keeps what it opened: a token that was replaced since is refused by the provider, or as good as the new one.
    One that is due but has not ended is used on while the token endpoint is in trouble.
    """
    if context.token is None or context.token.is_due:
        with tenant_scope(context.connection.tenant_id):
            row, now = token_store.read(context.connection)
            spare = token_store.opened(row, now)
            try:
                refusal_waits.raise_while_waiting(context, row, now)
            except Unavailable:
                if spare is None:
                    raise
        if spare is None or spare.is_due:
            try:
                return renew(context, spent=row.generation, spare=spare)
            except (Unavailable, Unreadable, Rejected):
                if spare is None or spare.is_over:
                    raise
        context.token = spare
    return context.token


def fresh(context: RequestContext) -> AccessToken:
    """A token from the credentials as they are stored now, even where one is living. Raises CallFailed."""
    with token_store.durable(context.connection):
        row, now = token_store.read(context.connection)
        refusal_waits.raise_while_waiting(context, row, now)
    is_claimed = row.claimed_until is not None and row.claimed_until > now
    # Somebody asks already, perhaps with a credential that was replaced since: their token is not new enough.
    return renew(context, spent=row.generation + is_claimed, forced=True)


def renew(
    context: RequestContext, *, spent: int, forced: bool = False, spare: AccessToken | None = None
) -> AccessToken:
    """A token newer than generation `spent`: somebody else's, if it came meanwhile, or our own. Raises CallFailed.

    `forced` asks even where the last request was refused: the credential may be new. `spare`: a token that may still be
    used; it is given instead of waiting for another caller's request where the one before had no success.
    """
    context.token = None
    context.token = _renewed(context, spent, forced=forced, spare=spare)
    return context.token


def _renewed(context: RequestContext, spent: int, *, forced: bool, spare: AccessToken | None) -> AccessToken:
    me = uuid.uuid4().hex
    deadline = time.monotonic() + PATIENCE
    pause = 0.05
    while (begun := time.monotonic()) < deadline:
        with shielded():
            row, fingerprint, found = _turn(context, me, spent, forced=forced)
            if fingerprint is not None:
                context.fingerprint = fingerprint.digest
                found = _fetch(context, row, me, fingerprint, until=begun + token_store.ASKED_WITHIN)
        if found is not None:
            return found
        if fingerprint is None and row.generation <= spent:
            _share_failure(context, row, forced=forced)
            if spare is not None and row.failures and not spare.is_over:
                return spare
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        spent = max(spent, row.generation)  # what is newer is gone as well
    raise Unavailable(faults.NO_ANSWER, retry_at=clock.now() + timedelta(seconds=token_store.CLAIM))


def _turn(
    context: RequestContext, me: str, spent: int, *, forced: bool
) -> tuple[Grant, RequestFingerprint | None, AccessToken | None]:
    """The row as it is now; what to ask with, where the next request is ours; else a newer token, where there is one."""
    connection = context.connection
    with token_store.durable(connection):
        row, now = token_store.read(connection)
        # Those who wait look, and no more: there may be many of them.
        if row.generation <= spent and (row.claimed_until is None or row.claimed_until < now):
            refusal_waits.raise_while_waiting(context, row, now)
            changed = token_store.given(connection) if row.refused_with else None
            if token_store.claim(connection, me, spent, forced=forced, changed=changed):
                return token_store.read(connection)[0], token_store.given(connection), None
            row, now = token_store.read(connection)  # somebody was quicker, or a failure holds
        newer = token_store.opened(row, now) if row.generation > spent else None
    return row, None, None if newer is None or newer.is_due else newer


def exchange_code(context: RequestContext, code: token_endpoint.Code) -> AccessToken:
    """A first pair for a code that a login page gave. Raises CallFailed. Nothing else asks meanwhile.

    What was there before is overwritten: the caller has given it back (OAU-14). A request under way is waited for: where
    the code is refused, what it brings is all there is.
    """
    me = f"{token_store.EXCHANGE_CLAIM}{uuid.uuid4().hex}"
    context.token = None
    deadline = time.monotonic() + token_store.CLAIM
    while token_store.is_claimed(context.connection) and time.monotonic() < deadline:
        time.sleep(STORE_EVERY)
    begun = time.monotonic()
    with shielded():
        row = token_store.seize(context.connection, me)
        with tenant_scope(context.connection.tenant_id):
            fingerprint = token_store.given(context.connection)
        found = _fetch(context, row, me, fingerprint, code=code, until=begun + token_store.ASKED_WITHIN)
    if found is None:
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now())
    context.refusals, context.held_operation = row.refusals, ""
    refusal_waits.forget(context)  # a person has consented anew
    return found


def stored(connection: Connection) -> tuple[AccessToken | None, bool]:
    """The living access token, if any, and whether there is a refresh token: what could be given back."""
    with tenant_scope(connection.tenant_id):
        row, now = token_store.read(connection)
        try:
            return token_store.opened(row, now), row.refresh_ciphertext is not None
        except Unauthorized:
            return None, row.refresh_ciphertext is not None


def _share_failure(context: RequestContext, row: Grant, *, forced: bool) -> None:
    """Raises what the last request raised, where that still holds and nobody asks again."""
    if row.refused_at is None or row.claimed_until is not None or (forced and row.ask_after is None):
        return
    fault = context.provider.faults.find(row.refused_fault) or faults.find(row.refused_fault) or faults.NO_ANSWER
    with tenant_scope(row.tenant_id):
        asked = RequestLogEntry.objects.filter(id=row.refused_entry) if row.refused_entry else None
        entry = (asked and asked.first()) or RequestLogEntry(id=None)  # nothing was sent
        _row, now = token_store.read(context.connection)
    until = token_store.held_until(row)
    made = Unauthorized if until is None else error_mapping.kind(fault, Phase.TOKEN, entry.status)
    raise error_mapping.error(made, fault, entry, clock.now() + (until - now if until else timedelta()))


def _fetch(
    context: RequestContext,
    row: Grant,
    me: str,
    fingerprint: RequestFingerprint,
    *,
    until: float,
    code: token_endpoint.Code | None = None,
) -> AccessToken | None:
    """Ask and store; None where somebody else's newer pair counts. The claim is given back whatever happens.

    `until`: by this process's steady clock, when the answer must be there, so that nobody else asks meanwhile.
    """
    asked = None
    try:
        with tenant_scope(row.tenant_id):
            refresh = token_store.refresh_token(row) if code is None else None
        asked = token_endpoint.ask(context, refresh=refresh, code=code, until=until)
        try:
            found = _keep(context.connection, row, me, fingerprint, asked)
        finally:
            writer.write_now([asked.entry])
        if asked.refused is not None:
            raise asked.refused
    except CallFailed as failed:
        told, stands = failed, None
        if code is None:
            told, stands = _explained(
                context, row, fingerprint, failed, is_kept=asked is not None and asked.refresh is not None
            )
            refusal_waits.note(context, told, fingerprint.digest)  # before others who wait for their turn get it
        is_mine = token_store.give_back(context.connection, row, me, told, stands=stands)
        if not is_mine and code is None and row.generation != _generation(context.connection):
            context.held_operation = ""
            refusal_waits.forget(context)
            return None  # somebody took over and stored: what we asked with was spent, and the newer pair counts
        if isinstance(told, Unavailable) and told.fault is faults.TURNED_AWAY:
            with tenant_scope(row.tenant_id):
                told.retry_at = max(told.retry_at, refusal_waits.asked_again_at(context.connection) or told.retry_at)
        raise told from None
    except BaseException:
        token_store.give_back(context.connection, row, me, None)
        raise
    return found


def _keep(
    connection: Connection, row: Grant, me: str, fingerprint: RequestFingerprint, asked: token_endpoint.TokenResponse
) -> AccessToken | None:
    """Store at once: nothing that comes later can lose the pair. A provider that rotates gave it once and for all.

    Storing twice is harmless: the second time, a newer pair is there already.
    """
    if asked.secret is None and asked.refresh is None:
        return None
    deadline, is_again = time.monotonic() + STORED_WITHIN, False
    while True:
        try:
            found = token_store.keep(connection, row, me, fingerprint, asked)
            # It may have been stored though nobody said so.
            return found or (token_store.newer(connection, row.generation) if is_again else None)
        except (OperationalError, InterfaceError, InternalError):  # gone, or read-only while another takes over
            if time.monotonic() > deadline:
                raise
        is_again = True
        database.close()
        time.sleep(STORE_EVERY)


def _explained(
    context: RequestContext, row: Grant, fingerprint: RequestFingerprint, failed: CallFailed, *, is_kept: bool
) -> tuple[CallFailed, RequestFingerprint | None]:
    """What a refusal means here, and what it stands for until that changes: nobody asks in vain again (OAU-9).

    One refusal of a refresh token ends nothing: providers have been seen to refuse one that was good a minute later. It is
    sent once more then. `is_kept`: a new one came with the refusal, which speaks of the one before.

    A refresh token that is refused after an answer was lost says nothing of the customer: the lost answer may have held
    the new one. One that was given to another client of ours is our own doing.
    """
    if failed.about is None:
        return failed, None
    fault, flow = failed.fault, context.grant
    if failed.about is not About.CLIENT:
        if is_kept or not token_store.is_refused_again(row):
            retry_at = clock.now() + (timedelta() if is_kept else error_mapping.CONFIRMED_AFTER)
            once = Unavailable(faults.REFUSED_ONCE, retry_at=retry_at, entry_id=failed.entry_id)
            once.provider_request_id = failed.provider_request_id
            return once, None
        if row.client_id not in ("", fingerprint.client_id):
            fault = faults.OTHER_CLIENT
        elif row.uncertain_at is not None and isinstance(flow, AuthorizationCode):
            fault = flow.lost
    told = Unauthorized(fault, entry_id=failed.entry_id, provider_request_id=failed.provider_request_id)
    return told, None if failed.about is About.GRANT_PERHAPS else fingerprint


def _generation(connection: Connection) -> int:
    with tenant_scope(connection.tenant_id):
        return token_store.read(connection)[0].generation
