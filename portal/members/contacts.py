"""A tenant's contact: the member who is told what goes wrong where whoever connected it cannot be."""

from __future__ import annotations

from uuid import UUID

from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from portal.members.models import Membership, TenantContact
from portal.members.permissions import Action, Role

MOST_OFFERED = 500


def contact_of(tenant_id: UUID) -> int | None:
    """The id of the person, whether or not they are still a member. In the tenant's scope."""
    return TenantContact.objects.filter(tenant_id=tenant_id).values_list("user_id", flat=True).first()


def possible_contacts(tenant_id: UUID) -> list[tuple[str, str]]:
    """(id of the person, what to call them) of members who may mend something. One query, in the tenant's scope."""
    roles = Role.that_can(Action.CONNECT)
    members = Membership.objects.filter(tenant_id=tenant_id, role__in=roles, user__is_active=True)
    rows = members.order_by("user__email").values_list("user_id", "user__name", "user__email")[:MOST_OFFERED]
    return [(str(user_id), f"{name} ({email})" if name else email) for user_id, name, email in rows]


def set_contact(*, tenant: Tenant, user_id: int | None, actor: Actor) -> bool:
    """In the tenant's scope. False where it is the same."""
    before = contact_of(tenant.id)
    if before == user_id:
        return False
    if user_id is None:
        TenantContact.objects.filter(tenant=tenant).delete()
    else:
        TenantContact.objects.update_or_create(tenant=tenant, defaults={"user_id": user_id})
    audit.record(
        tenant_id=tenant.id,
        actor=actor,
        action="tenant.contact_changed",
        before=str(before or ""),
        after=str(user_id or ""),
    )
    return True
