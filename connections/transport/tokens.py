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
from connections.transport import clock, faults, grant_store, ledger, refusal_waits, token_request, verdict
from connections.transport.caller import Caller
from connections.transport.grant_store import Given
from connections.transport.models import RequestLogEntry
from connections.transport.shield import shielded
from connections.vault.models import Connection, Grant

PATIENCE = 25.0  # seconds a caller waits for another caller's token request
STORED_WITHIN = 30.0  # seconds for which a pair is stored again and again, where the database went away meanwhile
STORE_EVERY = 0.5
Living = grant_store.Living
forget = grant_store.forget


def living(caller: Caller) -> Living:
    """The stored token, or a new one when it ends soon. Raises CallFailed.

    A caller keeps what it opened: a token that was replaced since is refused by the provider, or as good as the new one.
    One that is due but has not ended is used on while the token endpoint is in trouble.
    """
    if caller.token is None or caller.token.is_due:
        with tenant_scope(caller.connection.tenant_id):
            row, now = grant_store.read(caller.connection)
            spare = grant_store.opened(row, now)
            try:
                refusal_waits.raise_while_waiting(caller, row, now)
            except Unavailable:
                if spare is None:
                    raise
        if spare is None or spare.is_due:
            try:
                return renew(caller, spent=row.generation, spare=spare)
            except (Unavailable, Unreadable, Rejected):
                if spare is None or spare.is_over:
                    raise
        caller.token = spare
    return caller.token


def fresh(caller: Caller) -> Living:
    """A token from the credentials as they are stored now, even where one is living. Raises CallFailed."""
    with grant_store.durable(caller.connection):
        row, now = grant_store.read(caller.connection)
        refusal_waits.raise_while_waiting(caller, row, now)
    is_claimed = row.claimed_until is not None and row.claimed_until > now
    # Somebody asks already, perhaps with a credential that was replaced since: their token is not new enough.
    return renew(caller, spent=row.generation + is_claimed, forced=True)


def renew(caller: Caller, *, spent: int, forced: bool = False, spare: Living | None = None) -> Living:
    """A token newer than generation `spent`: somebody else's, if it came meanwhile, or our own. Raises CallFailed.

    `forced` asks even where the last request was refused: the credential may be new. `spare`: a token that may still be
    used; it is given instead of waiting for another caller's request where the one before had no success.
    """
    caller.token = None
    caller.token = _renewed(caller, spent, forced=forced, spare=spare)
    return caller.token


def _renewed(caller: Caller, spent: int, *, forced: bool, spare: Living | None) -> Living:
    me = uuid.uuid4().hex
    deadline = time.monotonic() + PATIENCE
    pause = 0.05
    while (begun := time.monotonic()) < deadline:
        with shielded():
            row, asked_with, found = _turn(caller, me, spent, forced=forced)
            if asked_with is not None:
                caller.asked_with = asked_with.digest
                found = _fetch(caller, row, me, asked_with, until=begun + grant_store.ASKED_WITHIN)
        if found is not None:
            return found
        if asked_with is None and row.generation <= spent:
            _share_failure(caller, row, forced=forced)
            if spare is not None and row.failures and not spare.is_over:
                return spare
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        spent = max(spent, row.generation)  # what is newer is gone as well
    raise Unavailable(faults.NO_ANSWER, retry_at=clock.now() + timedelta(seconds=grant_store.CLAIM))


def _turn(caller: Caller, me: str, spent: int, *, forced: bool) -> tuple[Grant, Given | None, Living | None]:
    """The row as it is now; what to ask with, where the next request is ours; else a newer token, where there is one."""
    connection = caller.connection
    with grant_store.durable(connection):
        row, now = grant_store.read(connection)
        # Those who wait look, and no more: there may be many of them.
        if row.generation <= spent and (row.claimed_until is None or row.claimed_until < now):
            refusal_waits.raise_while_waiting(caller, row, now)
            changed = grant_store.given(connection) if row.refused_with else None
            if grant_store.claim(connection, me, spent, forced=forced, changed=changed):
                return grant_store.read(connection)[0], grant_store.given(connection), None
            row, now = grant_store.read(connection)  # somebody was quicker, or a failure holds
        newer = grant_store.opened(row, now) if row.generation > spent else None
    return row, None, None if newer is None or newer.is_due else newer


def trade(caller: Caller, code: token_request.Code) -> Living:
    """A first pair for a code that a login page gave. Raises CallFailed. Nothing else asks meanwhile.

    What was there before is overwritten: the caller has given it back (OAU-14). A request under way is waited for: where
    the code is refused, what it brings is all there is.
    """
    me = f"{grant_store.TRADE}{uuid.uuid4().hex}"
    caller.token = None
    deadline = time.monotonic() + grant_store.CLAIM
    while grant_store.is_claimed(caller.connection) and time.monotonic() < deadline:
        time.sleep(STORE_EVERY)
    begun = time.monotonic()
    with shielded():
        row = grant_store.seize(caller.connection, me)
        with tenant_scope(caller.connection.tenant_id):
            asked_with = grant_store.given(caller.connection)
        found = _fetch(caller, row, me, asked_with, code=code, until=begun + grant_store.ASKED_WITHIN)
    if found is None:
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now())
    caller.refusals, caller.held_operation = row.refusals, ""
    refusal_waits.forget(caller)  # a person has consented anew
    return found


def stored(connection: Connection) -> tuple[Living | None, bool]:
    """The living access token, if any, and whether there is a refresh token: what could be given back."""
    with tenant_scope(connection.tenant_id):
        row, now = grant_store.read(connection)
        try:
            return grant_store.opened(row, now), row.refresh_ciphertext is not None
        except Unauthorized:
            return None, row.refresh_ciphertext is not None


def _share_failure(caller: Caller, row: Grant, *, forced: bool) -> None:
    """Raises what the last request raised, where that still holds and nobody asks again."""
    if row.refused_at is None or row.claimed_until is not None or (forced and row.ask_after is None):
        return
    fault = caller.provider.faults.find(row.refused_fault) or faults.find(row.refused_fault) or faults.NO_ANSWER
    with tenant_scope(row.tenant_id):
        asked = RequestLogEntry.objects.filter(id=row.refused_entry) if row.refused_entry else None
        entry = (asked and asked.first()) or RequestLogEntry(id=None)  # nothing was sent
        _row, now = grant_store.read(caller.connection)
    until = grant_store.held_until(row)
    made = Unauthorized if until is None else verdict.kind(fault, Phase.TOKEN, entry.status)
    raise verdict.error(made, fault, entry, clock.now() + (until - now if until else timedelta()))


def _fetch(
    caller: Caller,
    row: Grant,
    me: str,
    asked_with: Given,
    *,
    until: float,
    code: token_request.Code | None = None,
) -> Living | None:
    """Ask and store; None where somebody else's newer pair counts. The claim is given back whatever happens.

    `until`: by this process's steady clock, when the answer must be there, so that nobody else asks meanwhile.
    """
    asked = None
    try:
        with tenant_scope(row.tenant_id):
            refresh = grant_store.refresh_token(row) if code is None else None
        asked = token_request.ask(caller, refresh=refresh, code=code, until=until)
        try:
            found = _keep(caller.connection, row, me, asked_with, asked)
        finally:
            ledger.write_now([asked.entry])
        if asked.refused is not None:
            raise asked.refused
    except CallFailed as failed:
        told, stands = failed, None
        if code is None:
            told, stands = _explained(
                caller, row, asked_with, failed, is_kept=asked is not None and asked.refresh is not None
            )
            refusal_waits.note(caller, told, asked_with.digest)  # before others who wait for their turn get it
        is_mine = grant_store.give_back(caller.connection, row, me, told, stands=stands)
        if not is_mine and code is None and row.generation != _generation(caller.connection):
            caller.held_operation = ""
            refusal_waits.forget(caller)
            return None  # somebody took over and stored: what we asked with was spent, and the newer pair counts
        if isinstance(told, Unavailable) and told.fault is faults.TURNED_AWAY:
            with tenant_scope(row.tenant_id):
                told.retry_at = max(told.retry_at, refusal_waits.asked_again_at(caller.connection) or told.retry_at)
        raise told from None
    except BaseException:
        grant_store.give_back(caller.connection, row, me, None)
        raise
    return found


def _keep(connection: Connection, row: Grant, me: str, asked_with: Given, asked: token_request.Fresh) -> Living | None:
    """Store at once: nothing that comes later can lose the pair. A provider that rotates gave it once and for all.

    Storing twice is harmless: the second time, a newer pair is there already.
    """
    if asked.secret is None and asked.refresh is None:
        return None
    deadline, is_again = time.monotonic() + STORED_WITHIN, False
    while True:
        try:
            found = grant_store.keep(connection, row, me, asked_with, asked)
            # It may have been stored though nobody said so.
            return found or (grant_store.newer(connection, row.generation) if is_again else None)
        except (OperationalError, InterfaceError, InternalError):  # gone, or read-only while another takes over
            if time.monotonic() > deadline:
                raise
        is_again = True
        database.close()
        time.sleep(STORE_EVERY)


def _explained(
    caller: Caller, row: Grant, asked_with: Given, failed: CallFailed, *, is_kept: bool
) -> tuple[CallFailed, Given | None]:
    """What a refusal means here, and what it stands for until that changes: nobody asks in vain again (OAU-9).

    One refusal of a refresh token ends nothing: providers have been seen to refuse one that was good a minute later. It is
    sent once more then. `is_kept`: a new one came with the refusal, which speaks of the one before.

    A refresh token that is refused after an answer was lost says nothing of the customer: the lost answer may have held
    the new one. One that was given to another client of ours is our own doing.
    """
    if failed.about is None:
        return failed, None
    fault, flow = failed.fault, caller.grant
    if failed.about is not About.CLIENT:
        if is_kept or not grant_store.is_refused_again(row):
            retry_at = clock.now() + (timedelta() if is_kept else verdict.CONFIRMED_AFTER)
            once = Unavailable(faults.REFUSED_ONCE, retry_at=retry_at, entry_id=failed.entry_id)
            once.provider_request_id = failed.provider_request_id
            return once, None
        if row.client_id not in ("", asked_with.client_id):
            fault = faults.OTHER_CLIENT
        elif row.uncertain_at is not None and isinstance(flow, AuthorizationCode):
            fault = flow.lost
    told = Unauthorized(fault, entry_id=failed.entry_id, provider_request_id=failed.provider_request_id)
    return told, None if failed.about is About.GRANT_PERHAPS else asked_with


def _generation(connection: Connection) -> int:
    with tenant_scope(connection.tenant_id):
        return grant_store.read(connection)[0].generation
