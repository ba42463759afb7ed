"""Outages: a provider in trouble for more than one connection, by the word of its server's breaker. No incidents come of one.

Our staff are mailed when it begins and when it is over. Customers are told once it has lasted for a day, in the mail of
their next morning, and those who were told are told of its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.jobs.lease import Lease, LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.provider import CustomerHosts
from connections.tenancy.models import Tenant, TenantState
from connections.transport.limits.circuit_breaker import TROUBLE_KNOWN_FOR
from connections.transport.models import Breaker
from connections.vault.models import Connection
from portal.incidents import notices, staff_mails
from portal.incidents.kinds import MailKind
from portal.incidents.models import Outage
from portal.incidents.recipients import recipients_of

WATCH_PROVIDER = "incidents.watch_provider"
TELL_CUSTOMERS = "incidents.tell_customers"
TELL_TENANT = "incidents.tell_tenant"
PLACES = UUID("0b5c9d7e-3f0a-4a6e-9a53-8a1f6f3f5c21")
LOOK_AGAIN = timedelta(minutes=2)
CALM = timedelta(minutes=5)  # a server that answers is well again after so long: until then it may fail once more
UNKNOWN_AFTER = timedelta(days=2)  # without anybody asking there, an outage is over, and nobody is told so
CUSTOMERS_TOLD_AFTER = timedelta(days=1)
END_TOLD_FOR = timedelta(days=1)
CONNECTIONS_LOOKED_AT = 50  # of one tenant: their people are the same few
TENANTS_AT_ONCE = 200


def place_id(provider: str, environment: str) -> UUID:
    """The subject of the job that watches this place."""
    return uuid5(PLACES, f"{provider}:{environment}")


def server_in_trouble(connection: Connection) -> None:
    """A server's breaker has opened: have it watched. In a worker, in no scope."""
    enqueue(kind=WATCH_PROVIDER, subject=place_id(connection.provider, connection.environment), tenant_id=None)


def is_under_way(connection: Connection) -> bool:
    """Whether this connection's provider is in trouble for everybody."""
    place = {"provider": connection.provider, "environment": connection.environment}
    return Outage.objects.filter(closed_at=None, **place).exists()


def watch_provider(lease: Lease) -> Again | None:
    """Job: open, follow and close the outage of one provider's environment, by its servers' breakers."""
    place = next((each for each in _places() if place_id(*each) == lease.subject), None)
    if place is None:
        return None
    now = timezone.now()
    with lease.scope():
        outage = Outage.objects.filter(provider=place[0], environment=place[1], closed_at=None).first()
        if outage is None:
            since = _opened_at(*place, now)
            if since is None:
                return None
            outage = Outage(provider=place[0], environment=place[1], opened_at=since)
            outage.save(force_insert=True)
            staff_mails.tell_of_outage(outage)
        elif not _is_in_trouble(*place, now):
            outage.closed_at = now
            outage.save(update_fields=["closed_at"])
            if not _server_breakers(*place).filter(healed_at=None, opened_at__isnull=False).exists():
                staff_mails.tell_of_outage(outage)
                if outage.customers_told_at is not None:
                    enqueue(kind=TELL_CUSTOMERS, subject=outage.id, tenant_id=None)
            return None
        elif outage.customers_told_at is None and now >= outage.opened_at + CUSTOMERS_TOLD_AFTER:
            outage.customers_told_at = now
            outage.save(update_fields=["customers_told_at"])
            enqueue(kind=TELL_CUSTOMERS, subject=outage.id, tenant_id=None)
    return Again(now + LOOK_AGAIN, "the provider is in trouble")


def tell_customers(lease: Lease) -> None:
    """Job: have every tenant's people told of what lasts or has ended, some tenants in each transaction."""
    if not Outage.objects.filter(id=lease.subject).exclude(customers_told_at=None).exists():
        return
    last: UUID | None = None
    while True:
        if lease.is_lost:
            raise LeaseLost(str(lease.job_id))
        tenants = Tenant.objects.filter(state=TenantState.ACTIVE).order_by("id")
        if last is not None:
            tenants = tenants.filter(id__gt=last)
        ids = list(tenants.values_list("id", flat=True)[:TENANTS_AT_ONCE])
        if not ids:
            return
        with lease.scope():
            for tenant_id in ids:
                enqueue(kind=TELL_TENANT, subject=tenant_id, tenant_id=tenant_id)
        last = ids[-1]


def tell_tenant(lease: TenantLease) -> None:
    """Job: tell one tenant's people of outages that last, and those who were told of one of its end. Twice is once."""
    lately = timezone.now() - END_TOLD_FOR
    with lease.scope():
        outages = Outage.objects.exclude(customers_told_at=None).filter(Q(closed_at=None) | Q(closed_at__gt=lately))
        for outage in outages.order_by("opened_at"):
            if outage.closed_at is not None:
                notices.tell_of_end(tenant_id=lease.tenant_id, about=outage.id)
                continue
            place = {"provider": outage.provider, "environment": outage.environment}
            standing = Connection.objects.standing().filter(tenant_id=lease.tenant_id, **place)
            for connection in standing.order_by("created_at", "id")[:CONNECTIONS_LOOKED_AT]:
                notices.tell(
                    connection=connection,
                    kind=MailKind.OUTAGE,
                    about=outage.id,
                    members=recipients_of(connection, MailKind.OUTAGE),
                    is_digest=True,
                )


def _places() -> Iterator[tuple[str, str]]:
    """Every place that many customers share. Where each has a server of their own, one's trouble is nobody else's."""
    for provider in registry.all_providers().values():
        if not any(isinstance(hosts, CustomerHosts) for hosts in provider.hosts.values()):
            for environment in registry.environments(provider):
                yield provider.slug, environment.value


def _server_breakers(provider: str, environment: str) -> QuerySet[Breaker]:
    return Breaker.objects.filter(key__startswith=f"{provider}:{environment}:", of_connection=False)


def _opened_at(provider: str, environment: str, now: datetime) -> datetime | None:
    """Since when one of its servers' breakers is open; None where none is, or nobody has asked there lately."""
    current = _server_breakers(provider, environment).filter(
        opened_at__isnull=False, healed_at=None, next_at__gt=now - TROUBLE_KNOWN_FOR
    )
    return current.order_by("opened_at").values_list("opened_at", flat=True).first()


def _is_in_trouble(provider: str, environment: str, now: datetime) -> bool:
    """The same of one that is known: it goes on until its servers have answered for a while."""
    is_open = Q(healed_at=None, next_at__gt=now - UNKNOWN_AFTER) | Q(healed_at__gt=now - CALM)
    return _server_breakers(provider, environment).filter(is_open, opened_at__isnull=False).exists()
