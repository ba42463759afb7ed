"""Tells the owners that everything of a connection they left is destroyed, and whether its access is proved to be dead."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from connections.jobs.lease import TenantLease
from connections.transport.models import Departure
from portal.notices.owners import mail_owners
from portal.onboarding.marks import provider_of


def departure_ended(lease: TenantLease) -> None:
    """Job: mail every owner where the certificate is."""
    with lease.scope():
        departures = Departure.objects.select_related("connection__tenant").exclude(destroyed_at=None)
        departure = departures.filter(connection_id=lease.subject).first()
        if departure is None:
            return
        connection = departure.connection
        words = {
            "connection": connection,
            "provider": provider_of(connection),
            "departure": departure,
            "address": settings.ORIGIN + reverse("departure", args=[connection.tenant.slug, connection.id]),
        }
        mail_owners(tenant_id=connection.tenant_id, template="onboarding/mail/departure_ended", words=words)
