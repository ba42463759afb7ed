"""What an owner has chosen for the whole tenant, as the rest of the code asks for it."""

from __future__ import annotations

from uuid import UUID

from django.db.models import CharField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from connections.tenancy import audit
from connections.tenancy.models import DEFAULT_TIME_ZONE, Tenant, TenantSettings
from connections.tenancy.scope import Actor


def time_zone_of(tenant_id: UUID) -> str:
    """The name of the tenant's time zone. Needs the tenant's scope, or the staff's."""
    names = TenantSettings.objects.filter(tenant_id=tenant_id).values_list("time_zone", flat=True)
    return names.first() or DEFAULT_TIME_ZONE


def tenant_time_zone() -> Coalesce:
    """The same for rows of a query that have a `tenant_id`, without a query of its own."""
    settings = TenantSettings.objects.filter(tenant_id=OuterRef("tenant_id")).values("time_zone")
    return Coalesce(Subquery(settings[:1]), Value(DEFAULT_TIME_ZONE), output_field=CharField())


def set_time_zone(*, tenant: Tenant, time_zone: str, actor: Actor) -> bool:
    """In the tenant's scope. False where it is the same. Whoever has planned something by it plans anew."""
    before = time_zone_of(tenant.id)
    if before == time_zone:
        return False
    TenantSettings.objects.update_or_create(tenant=tenant, defaults={"time_zone": time_zone})
    audit.record(tenant_id=tenant.id, actor=actor, action="tenant.time_zone_changed", before=before, after=time_zone)
    return True
