"""Giving access back: revoked at the provider where it can be, then destroyed here whether or not that worked."""

from __future__ import annotations

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
from connections.transport.models import AuthorizationAttempt
from connections.transport.oauth import token_store
from connections.transport.oauth.tokens import stored_pair
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, ConnectionState, Credential, Leaving

REVOKE = "transport.leave"  # as rows say it since the first release
RETRIED_FOR = timedelta(minutes=15)  # a provider that does not answer is asked again for so long
RETRY_PAUSE = timedelta(seconds=30)

SendOperation = Callable[[Connection, str], None]  # sends one operation by its name; raises CallFailed


def disconnect(*, connection: Connection, actor: Actor) -> None:
    """Disconnect: from now on nothing is read, and a worker gives the access back. Needs the tenant's scope.

    Disconnecting twice changes nothing. A set-up that was given up goes the same way, under a name of its own.
    """
    was_setup = Connection.objects.filter(id=connection.id, state=ConnectionState.SETUP).exists()
    connected = Connection.objects.filter(id=connection.id).exclude(state=ConnectionState.DISCONNECTED)
    left = {"leaving": Leaving.UNDER_WAY, "left_at": timezone.now(), "fault": "", "fault_at": None}
    if not connected.update(state=ConnectionState.DISCONNECTED, **left):
        return
    connection.refresh_from_db()
    enqueue(kind=REVOKE, subject=connection.id, tenant_id=connection.tenant_id)
    action = "connection.setup_removed" if was_setup else "connection.disconnected"
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id))


def revoke_and_destroy(lease: TenantLease, send_operation: SendOperation) -> Again | None:
    """Job: revoke at the provider, with bounded retries, then destroy what is stored, and say which of it happened."""
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
        _destroy(connection, how)
    return None


def gave_up(lease: TenantLease) -> None:
    """The job was parked: what is stored is destroyed all the same, and nobody says that it was revoked."""
    connection = Connection.objects.disconnected().filter(id=lease.subject).first()
    if connection is not None:
        _destroy(connection, Leaving.FAILED)


def _destroy(connection: Connection, how: Leaving) -> None:
    """One commit: a caller that asks for a token now either opens nothing or is fenced off by the generation."""
    Credential.objects.filter(connection_id=connection.id).delete()
    token_store.destroy_pair(connection)
    recording.destroy(connection)
    sealed = dict.fromkeys(("verifier_ciphertext", "code_ciphertext"))
    AuthorizationAttempt.objects.for_connection(connection.id).update(**sealed)
    Connection.objects.filter(id=connection.id).update(leaving=how)
    audit.record(
        tenant_id=connection.tenant_id,
        actor=SYSTEM,
        action="connection.secrets_destroyed",
        subject=str(connection.id),
        revoked=how.value,
    )


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
