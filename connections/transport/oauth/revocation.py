"""Giving access back: revoked at the provider where it can be, proved to be dead where it can be, then destroyed here."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.errors import CallFailed, Unauthorized, Unavailable
from connections.spec.grants import AuthorizationCode
from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM, Actor
from connections.transport.log import recording
from connections.transport.models import AuthorizationAttempt, DeathProof, Departure, LastProbe
from connections.transport.oauth import last_probe, token_store
from connections.transport.oauth.tokens import stored_pair
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, ConnectionState, Credential, Leaving

REVOKE = "transport.leave"  # as rows say it since the first release
PROVE = "transport.prove_dead"
DEPARTURE_ENDED = "transport.departure_ended"  # its handler belongs to whoever tells people
RETRIED_FOR = timedelta(minutes=15)  # a provider that does not answer is asked again for so long
RETRY_PAUSE = timedelta(seconds=30)
KEPT_FOR_PROBE = timedelta(days=7)  # at most: what could be misused is kept to prove that it cannot be
LAST_LOOK_BEFORE = timedelta(hours=1)  # so long before that, everything is destroyed whatever the probe says
SESSION = "session"  # in the list of what was destroyed: the token pair

SendOperation = Callable[[Connection, str], None]  # sends one operation by its name; raises CallFailed


def disconnect(*, connection: Connection, actor: Actor, keeps_records: bool = True) -> bool:
    """Disconnect: from now on nothing is read, and a worker gives the access back. Needs the tenant's scope.

    Disconnecting twice changes nothing and gives False. A set-up that was given up goes the same way, under a name of its
    own, and leaves no departure to follow: it has read nothing.
    """
    was_setup = Connection.objects.filter(id=connection.id, state=ConnectionState.SETUP).exists()
    connected = Connection.objects.filter(id=connection.id).exclude(state=ConnectionState.DISCONNECTED)
    left = {"leaving": Leaving.UNDER_WAY, "left_at": timezone.now(), "fault": "", "fault_at": None}
    if not connected.update(state=ConnectionState.DISCONNECTED, **left):
        return False
    connection.refresh_from_db()
    if not was_setup:
        row = {"id": uuid.uuid4(), "tenant_id": connection.tenant_id, "connection_id": connection.id}
        with audit.actor_session(actor):
            audit.insert_named(Departure, {**row, "keeps_records": keeps_records})
    enqueue(kind=REVOKE, subject=connection.id, tenant_id=connection.tenant_id)
    action = "connection.setup_removed" if was_setup else "connection.disconnected"
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id))
    return True


def revoke_and_destroy(lease: TenantLease, send_operation: SendOperation) -> Again | None:
    """Job: revoke at the provider, with bounded retries, then destroy what is stored, and say which of it happened.

    What could still open anything is kept for a last probe that proves it dead, where somebody can be told of it.
    """
    with lease.scope():
        connection = Connection.objects.disconnected().filter(id=lease.subject).first()
    provider = registry.find(connection.provider) if connection else None
    if connection is None or provider is None:
        return None
    try:
        how = revoke_session(RequestContext(connection, provider), send_operation)
    except Unavailable as failed:
        if connection.left_at is not None and timezone.now() < connection.left_at + RETRIED_FOR:
            return Again(max(failed.retry_at, timezone.now() + RETRY_PAUSE), failed.fault.code)
        how = Leaving.FAILED
    except CallFailed:
        how = Leaving.FAILED
    with lease.scope():
        departure = _open_departure(connection)
        is_wanted = departure is not None and departure.end_asked_at is None
        if departure is not None and is_wanted and last_probe.is_askable(connection, provider):
            _hold(connection, departure, how)
        else:
            _destroy(connection, how, DeathProof.NOT_PROVED if _is_stored(connection) else DeathProof.NOTHING)
    return None


def prove(lease: TenantLease) -> Again | None:
    """Job: try once more to get in with what is stored. What is refused is dead, and destroyed; what is not is kept until
    somebody has removed it at the provider and asks again, or its days are over.
    """
    with lease.scope():
        connection = Connection.objects.disconnected().filter(id=lease.subject).first()
        departure = _open_departure(connection) if connection else None
    if connection is None or departure is None or departure.held_until is None:
        return None
    is_last = timezone.now() >= departure.held_until - LAST_LOOK_BEFORE
    answer = None
    if departure.end_asked_at is None:
        answer = last_probe.ask(connection, was_revoked=connection.leaving == Leaving.REVOKED)
        asked_at = departure.probe_asked_at or departure.asked_at
        if answer.asked_again_at is not None and not is_last and answer.asked_again_at < asked_at + RETRIED_FOR:
            return Again(answer.asked_again_at, answer.fault)
    with lease.scope():
        departure = _open_departure(connection)
        if departure is None:
            return None
        if answer is not None:
            _note_probe(connection, answer)
        if answer is not None and answer.result is LastProbe.DEAD:
            _destroy(connection, Leaving(connection.leaving), DeathProof.PROVED)
            return None
        if is_last or departure.end_asked_at is not None:
            _destroy(connection, Leaving(connection.leaving), DeathProof.NOT_PROVED)
            return None
        _forget_session(connection)
    return Again(departure.held_until - LAST_LOOK_BEFORE if departure.held_until else None)


def gave_up(lease: TenantLease) -> None:
    """A job was parked: what is stored is destroyed all the same, and nobody says that it was revoked or is dead."""
    connection = Connection.objects.disconnected().filter(id=lease.subject).first()
    if connection is not None:
        is_known = connection.leaving not in ("", Leaving.UNDER_WAY)
        _destroy(connection, Leaving(connection.leaving) if is_known else Leaving.FAILED, DeathProof.NOT_PROVED)


def _open_departure(connection: Connection) -> Departure | None:
    """Its departure, as long as something is stored that may have to be proved dead. Locked, as a page may change it."""
    return Departure.objects.for_connection(connection).filter(destroyed_at=None).select_for_update().first()


def _is_stored(connection: Connection) -> bool:
    """Whether anything is left that could open anything."""
    return Credential.objects.for_connection(connection).exists() or token_store.has_pair(connection)


def _hold(connection: Connection, departure: Departure, how: Leaving) -> None:
    """Keep what the last probe needs, and no more; probe at once, as it may be dead already."""
    _destroy_recordings(connection)
    is_session_gone = _forget_session(connection)
    if how is Leaving.NOTHING:
        how = Leaving.NOT_OFFERED  # no session was left, but the key of the next one is there
    Connection.objects.filter(id=connection.id).update(leaving=how)
    Departure.objects.filter(id=departure.id).update(
        held_until=timezone.now() + KEPT_FOR_PROBE, destroyed=[SESSION] if is_session_gone else []
    )
    enqueue(kind=PROVE, subject=connection.id, tenant_id=connection.tenant_id)


def _note_probe(connection: Connection, answer: last_probe.ProbeResult) -> None:
    Departure.objects.for_connection(connection).update(
        probed_at=timezone.now(),
        last_probe=answer.result,
        probe_fault=answer.fault,
        entry_id=answer.entry_id,
        provider_request_id=answer.provider_request_id,
    )
    audit.record(
        tenant_id=connection.tenant_id,
        actor=SYSTEM,
        action="connection.last_probe",
        subject=str(connection.id),
        result=answer.result.value,
        entry=str(answer.entry_id or ""),
    )


def _destroy(connection: Connection, how: Leaving, proof: DeathProof) -> None:
    """One commit: a caller that asks for a token now either opens nothing or is fenced off by the generation."""
    names = sorted(Credential.objects.filter(connection_id=connection.id).values_list("name", flat=True))
    Credential.objects.filter(connection_id=connection.id).delete()
    had_session = token_store.has_pair(connection)
    token_store.destroy_pair(connection)
    _destroy_recordings(connection)
    Connection.objects.filter(id=connection.id).update(leaving=how)
    departure = _open_departure(connection)
    details = {}
    if departure is not None:
        had_session = had_session or SESSION in departure.destroyed
        Departure.objects.filter(id=departure.id).update(
            destroyed_at=timezone.now(), proof=proof, destroyed=[*names, *([SESSION] if had_session else [])]
        )
        enqueue(kind=DEPARTURE_ENDED, subject=connection.id, tenant_id=connection.tenant_id)
        details = {"proof": proof.value}
    audit.record(
        tenant_id=connection.tenant_id,
        actor=SYSTEM,
        action="connection.secrets_destroyed",
        subject=str(connection.id),
        revoked=how.value,
        **details,
    )


def _destroy_recordings(connection: Connection) -> None:
    recording.destroy(connection)
    sealed = dict.fromkeys(("verifier_ciphertext", "code_ciphertext"))
    AuthorizationAttempt.objects.for_connection(connection.id).update(**sealed)


def _forget_session(connection: Connection) -> bool:
    """Destroy the session that no probe needs; returns whether there was one. A refresh token is what is probed."""
    had_session = token_store.has_pair(connection)
    if last_probe.needs_refresh_token(connection):
        token_store.destroy_access_token(connection)
    else:
        token_store.destroy_pair(connection)
    return had_session


def revoke_session(context: RequestContext, send_operation: SendOperation) -> Leaving:
    """End the stored session at the provider where it offers that. Raises CallFailed where it could not be asked.

    What is refused as unknown is gone already, which is what was wanted.
    """
    token, has_refresh = stored_pair(context.connection)
    if token is None and not has_refresh:
        return Leaving.NOTHING
    grant = context.grant
    if not isinstance(grant, AuthorizationCode) or not grant.logout:
        return Leaving.NOT_OFFERED
    try:
        send_operation(context.connection, grant.logout)
    except Unauthorized as gone:
        # Without an entry nothing was asked, and nothing was revoked.
        return Leaving.REVOKED if gone.entry_id is not None else Leaving.FAILED
    return Leaving.REVOKED
