"""A living token, fetched by one caller at a time whatever the number of workers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from connections.spec.errors import CallFailed, Unauthorized, Unavailable
from connections.spec.faults import Acts, Phase
from connections.spec.grants import AuthorizationCode
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, faults, ledger, token_request, verdict
from connections.transport.caller import Caller
from connections.transport.models import RequestLogEntry
from connections.vault import sealing
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Connection, Grant
from connections.vault.secret import Secret

CLAIM = 20.0  # seconds; more than a token request may take
PATIENCE = 25.0  # seconds a caller waits for another caller's token request
REFUSAL_HOLDS = 5.0  # seconds in which callers share the outcome of a failed request instead of asking again


@dataclass(frozen=True)
class Living:
    """A token that is good until `due_at`. `generation` tells it from the ones before and after."""

    secret: Secret
    kind: str
    generation: int
    issued_at: datetime
    due_at: datetime


@contextmanager
def _durable(connection: Connection) -> Iterator[None]:
    """Committed when the block ends, whatever the caller does afterwards."""
    with transaction.atomic(durable=True), tenant_scope(connection.tenant_id):
        yield


def living(caller: Caller) -> Living:
    """The stored token, or a new one when it ends soon. Raises CallFailed.

    A caller keeps what it opened: a token that was replaced since is refused by the provider, or as good as the new one.
    """
    if caller.token is None or clock.now() >= caller.token.due_at:
        with tenant_scope(caller.connection.tenant_id):
            grant = _grant(caller.connection)
            caller.token = _alive(grant)
        if caller.token is None:
            return renew(caller, spent=grant.generation)
    return caller.token


def fresh(caller: Caller) -> Living:
    """A token from the credentials as they are stored now, even where one is living. Raises CallFailed."""
    with _durable(caller.connection), database.cursor() as cursor:
        cursor.execute(
            "SELECT generation, coalesce(claimed_until > clock_timestamp(), false) FROM vault_grant WHERE id = %s",
            [_grant(caller.connection).id],
        )
        generation, is_claimed = cursor.fetchone()
    # Somebody asks already, perhaps with a credential that was replaced since: their token is not new enough.
    return renew(caller, spent=generation + is_claimed, forced=True)


def renew(caller: Caller, *, spent: int, forced: bool = False) -> Living:
    """A token newer than generation `spent`: somebody else's, if it came meanwhile, or our own. Raises CallFailed.

    `forced` asks even where the last request failed a moment ago: the credential may be new.
    """
    caller.token = None
    caller.token = _renewed(caller, spent, forced=forced)
    return caller.token


def _renewed(caller: Caller, spent: int, *, forced: bool) -> Living:
    me = uuid.uuid4().hex
    deadline = time.monotonic() + PATIENCE
    pause = 0.05
    while time.monotonic() < deadline:
        with _durable(caller.connection):
            is_mine = _claim(caller.connection, me, spent, forced=forced)
            grant = _grant(caller.connection)
            found = _alive(grant) if grant.generation > spent else None
        if found is not None:
            return found
        if is_mine:
            if (fetched := _fetch(caller, grant, me)) is not None:
                return fetched
        elif grant.generation > spent:
            spent = grant.generation  # the newer one is gone as well
        else:
            if not forced:
                _share_failure(caller, grant)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
    raise Unavailable(faults.NO_ANSWER, retry_at=clock.now() + timedelta(seconds=CLAIM))


def trade(caller: Caller, code: token_request.Code) -> Living:
    """A first pair for a code that a login page gave. Raises CallFailed. Nothing else asks meanwhile.

    What was there before is overwritten: the caller has given it back (OAU-14).
    """
    me = uuid.uuid4().hex
    caller.token = None
    with _durable(caller.connection):
        grant = _grant(caller.connection)
        Grant.objects.filter(id=grant.id).update(claimed_by=me, claimed_until=Now() + timedelta(seconds=CLAIM))
        grant.refresh_from_db()
    found = _fetch(caller, grant, me, code=code)
    if found is None:
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now())
    return found


def stored(connection: Connection) -> tuple[Living | None, bool]:
    """The living access token, if any, and whether there is a refresh token: what could be given back."""
    with tenant_scope(connection.tenant_id):
        grant = Grant.objects.filter(connection_id=connection.id).first()
        if grant is None:
            return None, False
        try:
            return _alive(grant), grant.refresh_ciphertext is not None
        except Unauthorized:
            return None, grant.refresh_ciphertext is not None


def forget(connection: Connection) -> None:
    """Destroy the stored pair, in the caller's transaction if there is one. A request under way is fenced off."""
    with tenant_scope(connection.tenant_id):
        Grant.objects.filter(connection_id=connection.id).update(
            access_ciphertext=None,
            refresh_ciphertext=None,
            expires_at=None,
            refresh_issued_at=None,
            uncertain_at=None,
            scope="",
            generation=F("generation") + 1,
            claimed_by="",
            claimed_until=None,
            refused_at=None,
        )


def _grant(connection: Connection) -> Grant:
    found = Grant.objects.filter(connection_id=connection.id).first()
    if found is None:
        Grant.objects.bulk_create(
            [Grant(tenant_id=connection.tenant_id, connection_id=connection.id)], ignore_conflicts=True
        )
        found = Grant.objects.get(connection_id=connection.id)
    return found


def _alive(grant: Grant) -> Living | None:
    """Needs the tenant's scope. Raises Unauthorized where the stored token does not open."""
    if grant.access_ciphertext is None or grant.expires_at is None or grant.issued_at is None:
        return None
    due_at = _due_at(grant.issued_at, grant.expires_at)
    if clock.now() >= due_at:
        return None
    try:
        sealed = sealing.Sealed(grant.key_version, bytes(grant.access_ciphertext))
        secret = sealing.unseal(grant.tenant_id, _place(grant), sealed)
    except (sealing.Unopenable, KeyUnavailable):
        raise Unauthorized(faults.NO_KEY) from None
    return Living(secret, grant.token_type, grant.generation, grant.issued_at, due_at)


def _due_at(issued_at: datetime, expires_at: datetime) -> datetime:
    """When to ask for the next one: five minutes before the end, or a tenth of a short life."""
    return expires_at - min(timedelta(minutes=5), (expires_at - issued_at) / 10)


def _place(grant: Grant, field: str = "access_ciphertext") -> sealing.Place:
    return sealing.Place("vault_grant", grant.id, field)


def _refresh(grant: Grant) -> Secret | None:
    """The stored refresh token. Needs the tenant's scope. Raises Unauthorized where it does not open."""
    if grant.refresh_ciphertext is None:
        return None
    sealed = sealing.Sealed(grant.refresh_key_version, bytes(grant.refresh_ciphertext))
    try:
        return sealing.unseal(grant.tenant_id, _place(grant, "refresh_ciphertext"), sealed)
    except (sealing.Unopenable, KeyUnavailable):
        raise Unauthorized(faults.NO_KEY) from None


def _claim(connection: Connection, me: str, spent: int, *, forced: bool) -> bool:
    """Whether the next request is ours. A claim that is over belonged to a caller that died: it is taken over."""
    with database.cursor() as cursor:
        cursor.execute(
            # A claim that ran out is a request whose answer nobody has seen.
            "UPDATE vault_grant SET uncertain_at = CASE WHEN claimed_by = '' THEN uncertain_at"
            " ELSE coalesce(uncertain_at, clock_timestamp()) END,"
            " claimed_by = %s, claimed_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE connection_id = %s AND generation <= %s"
            " AND (claimed_until IS NULL OR claimed_until < clock_timestamp())"
            " AND (%s OR refused_at IS NULL OR refused_at < clock_timestamp() - make_interval(secs => %s))",
            [me, CLAIM, connection.id, spent, forced, REFUSAL_HOLDS],
        )
        return bool(cursor.rowcount == 1)


def _share_failure(caller: Caller, grant: Grant) -> None:
    """Raises what the last request raised, where that was a moment ago and nobody asks again."""
    if grant.refused_at is None or grant.claimed_until is not None:
        return
    fault = caller.provider.faults.find(grant.refused_fault) or faults.find(grant.refused_fault) or faults.NO_ANSWER
    with tenant_scope(grant.tenant_id):
        asked = RequestLogEntry.objects.filter(id=grant.refused_entry) if grant.refused_entry else None
        entry = (asked and asked.first()) or RequestLogEntry(id=None)  # nothing was sent
    retry_at = clock.now() + timedelta(seconds=REFUSAL_HOLDS)
    raise verdict.error(verdict.kind(fault, Phase.TOKEN, entry.status), fault, entry, retry_at)


def _fetch(caller: Caller, grant: Grant, me: str, code: token_request.Code | None = None) -> Living | None:
    """Ask and store; None where our claim was lost meanwhile. It is given back whatever happens."""
    try:
        with tenant_scope(grant.tenant_id):
            refresh = _refresh(grant) if code is None else None
        try:
            asked = token_request.ask(caller, refresh=refresh, code=code)
        except Unauthorized as refused:
            raise _explained(caller, grant, refused) from None
        try:
            return _store(caller.connection, grant, me, asked)
        finally:
            ledger.write_now([asked.entry])
    except CallFailed as failed:
        _give_back(caller.connection, me, failed)
        raise
    except Exception:
        _give_back(caller.connection, me)
        raise


def _explained(caller: Caller, grant: Grant, refused: Unauthorized) -> Unauthorized:
    """A refusal after an answer was lost says nothing of the customer: the lost answer may have held the new pair."""
    flow = caller.grant
    is_lost = isinstance(flow, AuthorizationCode) and grant.uncertain_at is not None
    if not isinstance(flow, AuthorizationCode) or not is_lost or refused.fault.acts is not Acts.CUSTOMER:
        return refused
    return Unauthorized(flow.lost, entry_id=refused.entry_id, provider_request_id=refused.provider_request_id)


def _store(connection: Connection, grant: Grant, me: str, asked: token_request.Fresh) -> Living | None:
    """Commit by compare-and-set, in a transaction of its own: nothing that comes later can lose the pair.

    A refresh answer without a refresh token keeps the old one. An answer whose access token cannot be used still
    brings its refresh token home before its trouble is raised.
    """
    values: dict[str, object] = {
        "claimed_by": "",
        "claimed_until": None,
        "uncertain_at": None,
        "generation": grant.generation + 1,
        "refused_at": None,
        "refused_fault": "",
        "refused_entry": None,
    }
    try:
        with _durable(connection):
            if asked.secret is not None:
                sealed = sealing.seal(connection.tenant_id, _place(grant), asked.secret)
                values |= {
                    "key_version": sealed.key_version,
                    "access_ciphertext": sealed.ciphertext,
                    "token_type": asked.kind,
                    "scope": asked.scope,
                    "issued_at": asked.asked_at,
                    "expires_at": asked.expires_at,
                }
            if asked.refresh is not None:
                place = _place(grant, "refresh_ciphertext")
                sealed = sealing.seal(connection.tenant_id, place, asked.refresh)
                values |= {
                    "refresh_key_version": sealed.key_version,
                    "refresh_ciphertext": sealed.ciphertext,
                    "refresh_issued_at": asked.asked_at,
                }
            mine = Grant.objects.filter(id=grant.id, generation=grant.generation, claimed_by=me)
            is_worth_it = asked.refused is None or asked.refresh is not None
            is_stored = is_worth_it and bool(mine.update(**values))
    except KeyUnavailable:
        asked.entry.fault = faults.NO_KEY.code
        raise Unauthorized(faults.NO_KEY, entry_id=asked.entry.id) from None
    if asked.refused is not None:
        raise asked.refused
    if not is_stored or asked.secret is None:
        return None
    due_at = _due_at(asked.asked_at, asked.expires_at)
    return Living(asked.secret, asked.kind, grant.generation + 1, asked.asked_at, due_at)


def _give_back(connection: Connection, me: str, failed: CallFailed | None = None) -> None:
    """End our claim. A failure is left for those who wait, unless it says nothing about the next request."""
    is_shared = failed is not None and (failed.entry_id is not None or not isinstance(failed, Unavailable))
    with _durable(connection), database.cursor() as cursor:
        cursor.execute(
            "UPDATE vault_grant SET claimed_by = '', claimed_until = NULL,"
            " uncertain_at = CASE WHEN %s THEN coalesce(uncertain_at, clock_timestamp()) ELSE uncertain_at END,"
            " refused_at = CASE WHEN %s THEN clock_timestamp() END, refused_fault = %s, refused_entry = %s"
            " WHERE connection_id = %s AND claimed_by = %s",
            [
                failed is not None and failed.may_have_arrived,
                is_shared,
                failed.fault.code if failed and is_shared else "",
                failed.entry_id if failed and is_shared else None,
                connection.id,
                me,
            ],
        )
