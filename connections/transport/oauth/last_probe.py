"""Whether what is stored of a connection that was left still opens anything: tried, as nothing else proves that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from connections.providers import registry
from connections.spec.errors import CallFailed, Forbidden, Unauthorized, Unavailable
from connections.spec.faults import Fault, Responsible
from connections.spec.grants import AuthorizationCode
from connections.spec.provider import Provider
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, faults
from connections.transport.models import LastProbe, RequestLogEntry
from connections.transport.oauth import token_store
from connections.transport.oauth.tokens import TokenHolder
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, Credential


@dataclass(frozen=True)
class ProbeResult:
    """What came of one try. `asked_again_at`: when another one may tell more, for what passes by itself."""

    result: LastProbe
    fault: str = ""
    entry_id: UUID | None = None
    provider_request_id: str = ""
    asked_again_at: datetime | None = None


def is_askable(connection: Connection, provider: Provider) -> bool:
    """Whether there is anything stored that a session could be asked for with. Needs the tenant's scope."""
    if not provider.offers(connection.auth_method):
        return False
    if needs_refresh_token(connection):
        return token_store.has_refresh_token(connection)
    return Credential.objects.for_connection(connection).exists()


def needs_refresh_token(connection: Connection) -> bool:
    """Whether its sessions come from what a person consented to, and not from a key that was pasted."""
    provider = registry.find(connection.provider)
    offered = provider is not None and provider.offers(connection.auth_method)
    return provider is not None and offered and isinstance(provider.grant(connection.auth_method), AuthorizationCode)


def ask(connection: Connection, *, was_revoked: bool) -> ProbeResult:
    """Ask for a session with what is stored. In a worker, outside transactions and scopes.

    `was_revoked`: the provider has said that it ended the access, so that the first refusal bears it out. Without that a
    refresh token counts as dead by its second refusal, as everywhere.
    """
    provider = registry.find(connection.provider)
    if provider is None:
        return ProbeResult(LastProbe.UNCLEAR)
    begun_at = clock.now()
    try:
        TokenHolder(RequestContext(connection, provider)).new_token()
    except CallFailed as failed:
        return _of_failure(connection, provider, failed, was_revoked=was_revoked)
    with tenant_scope(connection.tenant_id):
        entries = RequestLogEntry.objects.for_connection(connection.id).filter(at__gte=begun_at)
        entry = entries.order_by("-at", "-id").first()
    if entry is None:
        return ProbeResult(LastProbe.LIVES)
    return ProbeResult(LastProbe.LIVES, entry_id=entry.id, provider_request_id=entry.provider_request_id)


def _of_failure(connection: Connection, provider: Provider, failed: CallFailed, *, was_revoked: bool) -> ProbeResult:
    is_refused = isinstance(failed, Unauthorized | Forbidden) and failed.entry_id is not None
    is_dead = is_refused and _is_about_credential(connection, provider, failed.fault)
    is_dead = is_dead or (was_revoked and failed.fault is faults.REFUSED_ONCE)
    asked_again_at = failed.asked_again_at
    if isinstance(failed, Unavailable) and asked_again_at is None:
        asked_again_at = failed.retry_at
    # What was refused just now was not sent again: an answer of before proves nothing of today.
    is_dead = is_dead and failed.asked_again_at is None
    return ProbeResult(
        LastProbe.DEAD if is_dead else LastProbe.UNCLEAR,
        fault=failed.fault.code,
        entry_id=failed.entry_id,
        provider_request_id=failed.provider_request_id,
        asked_again_at=None if is_dead else asked_again_at,
    )


def _is_about_credential(connection: Connection, provider: Provider, fault: Fault) -> bool:
    """Whether the refusal is of what the customer gave: one of our own client, or of a setting, proves nothing of it."""
    opening = [each.slug for each in provider.checkpoints(connection.auth_method) if each.opens]
    return fault.responsible is Responsible.CUSTOMER and fault.checkpoint in opening
