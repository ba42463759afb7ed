"""A living token, fetched by one caller at a time whatever the number of workers, and stored before it is judged."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection as database
from django.db import transaction

from connections.providers import registry
from connections.spec.errors import CallFailed, Forbidden, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Fault, Phase
from connections.spec.provider import Client, ClientCredentials, Hosts, Provider, TokenBody
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, egress, faults, ledger, limiter, retry
from connections.transport.entries import Noted
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault import sealing
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Connection, Grant
from connections.vault.secret import Secret
from connections.vault.services import Opened, open_credentials

SHORTEST, LONGEST = timedelta(seconds=60), timedelta(hours=24)
CLAIM = 20.0  # seconds
PATIENCE = 25.0  # seconds a caller waits for another caller's token request
REFUSAL_HOLDS = 5.0  # seconds; callers that waited for a refused request share its refusal


@dataclass(frozen=True)
class Living:
    """A token that is good now. `generation` tells it from the ones before and after."""

    secret: Secret
    generation: int
    issued_at: datetime


@dataclass(frozen=True)
class Context:
    """What a token request needs to know of its connection."""

    connection: Connection
    provider: Provider
    hosts: Hosts
    noted: Noted


@contextmanager
def _durable(connection: Connection) -> Iterator[None]:
    """Committed when the block ends, whatever the caller does afterwards."""
    with transaction.atomic(durable=True), tenant_scope(connection.tenant_id):
        yield


def living(context: Context) -> Living:
    """The stored token, or a new one when it ends soon. Raises CallFailed."""
    with _durable(context.connection):
        grant = _grant(context.connection)
    return _alive(context.connection, grant) or renew(context, spent=grant.generation)


def renew(context: Context, *, spent: int, forced: bool = False) -> Living:
    """A token newer than generation `spent`: somebody else's, if it came meanwhile, or our own. Raises CallFailed.

    `forced` asks again even where the last request was refused a moment ago: the credential may be new.
    """
    connection = context.connection
    me = uuid.uuid4().hex
    deadline = time.monotonic() + PATIENCE
    pause = 0.05
    while True:
        grant, mine = _claim(connection, me, spent, forced=forced)
        if mine:
            return _fetch(context, grant, me)
        if grant.generation > spent and (found := _alive(connection, grant)) is not None:
            return found
        if time.monotonic() > deadline:
            raise Unavailable(faults.NO_ANSWER, retry_at=clock.now() + timedelta(seconds=CLAIM))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def generation(connection: Connection) -> int:
    """The generation of the stored token; 0 when there never was one."""
    with _durable(connection):
        return _grant(connection).generation


def forget(connection: Connection) -> None:
    """Drop the stored token: the credential it came from was replaced."""
    with _durable(connection):
        Grant.objects.filter(connection_id=connection.id).update(access_ciphertext=None, expires_at=None)


def _grant(connection: Connection) -> Grant:
    found = Grant.objects.filter(connection_id=connection.id).first()
    if found is None:
        Grant.objects.bulk_create(
            [Grant(tenant_id=connection.tenant_id, connection_id=connection.id)], ignore_conflicts=True
        )
        found = Grant.objects.get(connection_id=connection.id)
    return found


def _alive(connection: Connection, grant: Grant) -> Living | None:
    if grant.access_ciphertext is None or grant.expires_at is None or grant.issued_at is None:
        return None
    lifetime = grant.expires_at - grant.issued_at
    if clock.now() >= grant.expires_at - min(timedelta(minutes=5), lifetime / 10):
        return None
    sealed = sealing.Sealed(grant.key_version, bytes(grant.access_ciphertext))
    try:
        with tenant_scope(connection.tenant_id):
            secret = sealing.unseal(connection.tenant_id, _place(grant), sealed)
    except (sealing.Unopenable, KeyUnavailable):
        raise Unauthorized(faults.NO_KEY) from None
    return Living(secret, grant.generation, grant.issued_at)


def _place(grant: Grant) -> sealing.Place:
    return sealing.Place("vault_grant", grant.id, "access_ciphertext")


def _claim(connection: Connection, me: str, spent: int, *, forced: bool) -> tuple[Grant, bool]:
    """(the row, whether the next request is ours). Raises the refusal of a request that just failed."""
    with _durable(connection):
        _grant(connection)
        with database.cursor() as cursor:
            cursor.execute(
                "UPDATE vault_grant SET claimed_by = %s, claimed_until = clock_timestamp() + make_interval(secs => %s)"
                " WHERE connection_id = %s AND generation = %s"
                " AND (claimed_until IS NULL OR claimed_until < clock_timestamp())"
                " AND (%s OR refused_at IS NULL OR refused_at < clock_timestamp() - make_interval(secs => %s))",
                [me, CLAIM, connection.id, spent, forced, REFUSAL_HOLDS],
            )
            mine = cursor.rowcount == 1
            cursor.execute(
                "SELECT refused_at > clock_timestamp() - make_interval(secs => %s) AND claimed_until IS NULL FROM vault_grant"
                " WHERE connection_id = %s",
                [REFUSAL_HOLDS, connection.id],
            )
            just_refused = bool(cursor.fetchone()[0])
        grant = Grant.objects.get(connection_id=connection.id)
    if not mine and not forced and just_refused and grant.generation == spent:
        fault = _fault(connection, grant.refused_fault)
        raise Unauthorized(fault, entry_id=grant.refused_entry)
    return grant, mine


def _fault(connection: Connection, code: str) -> Fault:
    provider = registry.find(connection.provider)
    found = provider.faults.find(code) if provider else None
    return found or faults.find(code) or faults.NO_ANSWER


def _fetch(context: Context, grant: Grant, me: str) -> Living:
    """Ask for a token and store it. The claim is ours, and is given back whatever happens."""
    try:
        return _ask(context, grant, me)
    except CallFailed as failed:
        # Trouble that passes is no verdict on the credential: the next caller may try.
        refused = None if isinstance(failed, Unavailable) else failed
        with _durable(context.connection), database.cursor() as cursor:
            cursor.execute(
                "UPDATE vault_grant SET claimed_by = '', claimed_until = NULL,"
                " refused_at = CASE WHEN %s THEN clock_timestamp() END, refused_fault = %s, refused_entry = %s"
                " WHERE id = %s AND claimed_by = %s",
                [
                    refused is not None,
                    refused.fault.code if refused else "",
                    refused.entry_id if refused else None,
                    grant.id,
                    me,
                ],
            )
        raise


def _ask(context: Context, grant: Grant, me: str) -> Living:
    provider, connection = context.provider, context.connection
    with tenant_scope(connection.tenant_id):
        try:
            opened = open_credentials(connection)
        except (sealing.Unopenable, KeyUnavailable):
            raise Unauthorized(faults.NO_KEY) from None
    flow = provider.grants[0]
    fields = _fields(flow, opened)
    limiter.take(provider, connection, opened.client_id)
    asked_at = clock.now()
    entry = context.noted.begin(operation="token", method="POST", path_template=provider.token_path)
    try:
        answer = egress.send(
            hosts=context.hosts,
            method="POST",
            url=context.hosts.token,
            deadlines=provider.deadlines,
            total=provider.deadlines.token_total,
            form=fields if flow.body is TokenBody.FORM else None,
            json=fields if flow.body is TokenBody.JSON else None,
            keep=provider.request_id_headers,
        )
    except egress.NotAllowed:
        raise _logged(entry, Outcome.BLOCKED, Unauthorized(faults.BLOCKED, entry_id=entry.id)) from None
    except egress.EgressError:
        retry_at = clock.now() + timedelta(seconds=retry.STEPS[-1])
        failed = Unavailable(faults.NO_ANSWER, retry_at=retry_at, entry_id=entry.id)
        raise _logged(entry, Outcome.UNREACHABLE, failed) from None
    entry.status, entry.duration_ms, entry.bytes_in = answer.status, answer.duration_ms, len(answer.body)
    entry.provider_request_id = ledger.request_id(provider, dict(answer.headers))
    body = _parsed(answer.body)
    token = body.get("access_token") if isinstance(body, dict) else None
    if answer.status not in (200, 201) or not isinstance(token, str) or not token:
        raise _refused(provider, entry, answer, body)
    living_token = _store(context, grant, me, flow, body, Secret(token), asked_at)
    entry.outcome = Outcome.ANSWERED
    ledger.write_now([entry])
    return living_token


def _fields(flow: ClientCredentials, opened: Opened) -> dict[str, str]:
    """The token request's body. Raises Unauthorized for what is not stored."""
    given = opened.credentials
    fields = {"grant_type": "client_credentials"}
    if flow.client is Client.OURS:
        if not opened.client_id or opened.client_secret is None:
            raise Unauthorized(faults.NO_REGISTRATION)
        fields |= {"client_id": opened.client_id, "client_secret": opened.client_secret.reveal()}
        names = flow.also
    else:
        names = ("client_id", "client_secret", *flow.also)
    for name in names:
        if name not in given:
            raise Unauthorized(faults.NO_CREDENTIAL)
        fields[name] = given[name].reveal()
    if flow.redirect_uri and opened.redirect_uri:
        fields["redirect_uri"] = opened.redirect_uri
    if flow.scope:
        fields["scope"] = flow.scope
    return fields


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _refused(provider: Provider, entry: RequestLogEntry, answer: egress.Answer, body: Any) -> CallFailed:
    fault = provider.faults.judge(Phase.TOKEN, answer.status, body)
    if answer.status >= 500 or answer.status == 429:
        retry_at = clock.now() + timedelta(seconds=retry.delay(1, answer.headers, clock.now()))
        outcome = Outcome.TROUBLED if answer.status >= 500 else Outcome.REFUSED
        return _logged(entry, outcome, Unavailable(fault, retry_at=retry_at, entry_id=entry.id))
    if answer.status in (200, 201) and not (isinstance(body, dict) and "error" in body):
        return _logged(entry, Outcome.UNREADABLE, Unreadable(faults.UNREADABLE, entry_id=entry.id))
    kind = Forbidden if answer.status == 403 else Unauthorized
    return _logged(entry, Outcome.REFUSED, kind(fault, entry_id=entry.id))


def _logged(entry: RequestLogEntry, outcome: Outcome, failed: CallFailed) -> CallFailed:
    entry.outcome, entry.fault = outcome, failed.fault.code
    failed.provider_request_id = entry.provider_request_id
    ledger.write_now([entry])
    return failed


def _store(
    context: Context, grant: Grant, me: str, flow: ClientCredentials, body: Any, token: Secret, asked_at: datetime
) -> Living:
    """Commit the new token by compare-and-set, before anything about it is judged."""
    connection = context.connection
    expires_at = asked_at + lifetime(body.get("expires_in"), flow.lifetime)
    with _durable(connection):
        sealed = sealing.seal(connection.tenant_id, _place(grant), token)
        scope = body.get("scope")
        Grant.objects.filter(id=grant.id, generation=grant.generation, claimed_by=me).update(
            key_version=sealed.key_version,
            access_ciphertext=sealed.ciphertext,
            scope=scope[:400] if isinstance(scope, str) else "",
            issued_at=asked_at,
            expires_at=expires_at,
            generation=grant.generation + 1,
            claimed_by="",
            claimed_until=None,
            refused_at=None,
            refused_fault="",
            refused_entry=None,
        )
    return Living(token, grant.generation + 1, asked_at)


def lifetime(given: Any, default: timedelta) -> timedelta:
    """`expires_in` as it comes: number, text, missing or absurd; 60 s to 24 h."""
    try:
        seconds = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        return default
    return min(max(timedelta(seconds=min(seconds, LONGEST.total_seconds())), SHORTEST), LONGEST)
