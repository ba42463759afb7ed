"""What admins do: found, rename, suspend and reactivate tenants, allow plain HTTP, queue a parked job again. All audited."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs import services as jobs
from connections.jobs.models import Job, JobState
from connections.tenancy import audit
from connections.tenancy.models import Tenant, TenantState
from connections.tenancy.scope import Actor
from connections.transport.http import addresses
from connections.vault import services as vault
from connections.vault.key_models import TenantKey
from connections.vault.models import Connection, Exemption
from connections.vault.services import ActionRefused, set_exemption
from portal.members.permissions import HIGHEST_ROLE
from portal.members.services import invite


def create_tenant(*, name: str, slug: str, owner_email: str, actor: Actor) -> Tenant:
    """A new tenant, its keys queued, its first owner invited by mail. Needs the staff's scope. Raises KeyUnavailable."""
    with transaction.atomic():
        tenant = vault.create_tenant(name=name, slug=slug)
        audit.record(tenant_id=tenant.id, actor=actor, action="tenant.founded", subject=slug, name=name)
        invite(tenant=tenant, email=owner_email, role=HIGHEST_ROLE, actor=actor, up_to=HIGHEST_ROLE)
    return tenant


def rename(*, tenant_id: UUID, name: str, actor: Actor) -> None:
    """The address stays: links that people keep go on working."""
    before = Tenant.objects.values_list("name", flat=True).get(id=tenant_id)
    if before == name:
        return
    Tenant.objects.filter(id=tenant_id).update(name=name)
    audit.record(tenant_id=tenant_id, actor=actor, action="tenant.renamed", before=before, after=name)


def suspend(*, tenant_id: UUID, actor: Actor) -> bool:
    """Nobody gets in and nothing is synced until it is reactivated; nothing is lost. False when it was suspended already."""
    changed = (
        Tenant.objects.filter(id=tenant_id).exclude(state=TenantState.SUSPENDED).update(state=TenantState.SUSPENDED)
    )
    if changed:
        audit.record(tenant_id=tenant_id, actor=actor, action="tenant.suspended")
    return bool(changed)


def reactivate(*, tenant_id: UUID, actor: Actor) -> bool:
    """Back to what it was; one that never got its keys still waits for them. False when it was not suspended."""
    has_keys = TenantKey.objects.filter(tenant_id=tenant_id).exists()
    state = TenantState.ACTIVE if has_keys else TenantState.FOUNDED
    changed = Tenant.objects.filter(id=tenant_id, state=TenantState.SUSPENDED).update(state=state)
    if changed:
        audit.record(tenant_id=tenant_id, actor=actor, action="tenant.reactivated")
    return bool(changed)


def allow_plain_http(*, connection: Connection, is_allowed: bool, reason: str, actor: Actor) -> None:
    """Let this one connection be talked to without TLS, or no longer. Raises ActionRefused without a reason."""
    reason = reason.strip()
    if not reason:
        raise ActionRefused(_("Say why: the reason stands in the customer's audit trail."))
    networks = () if is_allowed else None
    if set_exemption(connection=connection, kind=Exemption.PLAIN_HTTP, networks=networks, reason=reason, actor=actor):
        audit.record(
            tenant_id=connection.tenant_id,
            actor=actor,
            action="connection.plain_http_allowed" if is_allowed else "connection.plain_http_forbidden",
            subject=str(connection.id),
            reason=reason[:200],
        )


def allow_private_networks(*, connection: Connection, text: str, reason: str, actor: Actor) -> list[str]:
    """The private networks that this one connection may reach from now on, none for an empty text. Raises ActionRefused."""
    reason = reason.strip()
    if not reason:
        raise ActionRefused(_("Say why: the reason stands in the customer's audit trail."))
    try:
        networks = addresses.private_networks(text)
    except ValueError:
        raise ActionRefused(
            _(
                "Only private networks of at most %(most)s addresses can be allowed, such as 10.1.2.3/32, and none of"
                " our own."
            )
            % {"most": addresses.MOST_PRIVATE_ADDRESSES}
        ) from None
    kind = Exemption.PRIVATE_NETWORKS
    if set_exemption(connection=connection, kind=kind, networks=networks or None, reason=reason, actor=actor):
        audit.record(
            tenant_id=connection.tenant_id,
            actor=actor,
            action="connection.private_networks_changed",
            subject=str(connection.id),
            reason=reason[:200],
            networks=", ".join(networks),
        )
    return networks


def queue_again(*, job: Job, actor: Actor) -> UUID | None:
    """The same work anew, and the parked job closed. None when it is not parked any more."""
    closed = Job.objects.filter(id=job.id, state=JobState.PARKED).update(
        state=JobState.CANCELLED, reason=f"queued again by {actor.name}"[:200], ended_at=timezone.now()
    )
    if not closed:
        return None
    again = jobs.queue_again(job)
    if job.tenant_id is not None:
        audit.record(
            tenant_id=job.tenant_id, actor=actor, action="job.queued_again", subject=str(again), kind=job.kind
        )
    return again
