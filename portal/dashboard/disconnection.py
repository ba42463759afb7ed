"""Disconnecting: reading ends at once, a worker gives the access back, and an owner says what becomes of what was read."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from connections.jobs.services import enqueue
from connections.sync import erasure
from connections.sync import services as sync
from connections.tenancy import audit
from connections.tenancy.scope import Actor
from connections.tenancy.session import clock_timestamp
from connections.transport.models import Departure
from connections.transport.oauth import revocation
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused
from portal.incidents.lifecycle import CONNECTION_LEFT
from portal.notices.owners import mail_owners
from portal.onboarding.marks import provider_of

NOTHING_LEFT = _("Nothing is stored of this connection any more, so there is nothing left to check.")


def disconnect(*, connection: Connection, actor: Actor, keeps_records: bool = True) -> None:
    """In the caller's transaction and scope. Disconnecting twice changes nothing. Every owner is told by mail, but of a
    set-up that was given up.
    """
    was_setup = connection.state == ConnectionState.SETUP
    # The run's rows are locked before the connection's, in the order in which a sync that writes a page locks them: the
    # other order could deadlock with it.
    sync.stop(connection=connection, actor=actor)
    if not revocation.disconnect(connection=connection, actor=actor, keeps_records=keeps_records):
        return
    enqueue(kind=CONNECTION_LEFT, subject=connection.id, tenant_id=connection.tenant_id)
    if was_setup:
        return
    if not keeps_records:
        erasure.ask_for_deletion(connection)
    words = {
        "connection": connection,
        "provider": provider_of(connection),
        "who": actor.name,
        "keeps_records": keeps_records,
        "address": settings.ORIGIN + reverse("connection", args=[connection.tenant.slug, connection.id]),
    }
    mail_owners(tenant_id=connection.tenant_id, template="onboarding/mail/disconnected", words=words)


def ask_probe(*, connection: Connection, actor: Actor) -> None:
    """Somebody has removed the access at the provider: have it tried once more. Needs the tenant's scope.

    Raises ActionRefused where nothing is stored any more that could be tried.
    """
    _change(connection, probe_asked_at=clock_timestamp())
    enqueue(kind=revocation.PROVE, subject=connection.id, tenant_id=connection.tenant_id)
    _record(connection, actor, "connection.last_probe_asked")


def end_without_proof(*, connection: Connection, actor: Actor) -> None:
    """Destroy at once what is kept for the last probe; the certificate says *not proved*. Needs the tenant's scope.

    Raises ActionRefused where everything is destroyed already.
    """
    _change(connection, end_asked_at=clock_timestamp(), end_asked_by=actor.name)
    enqueue(kind=revocation.PROVE, subject=connection.id, tenant_id=connection.tenant_id)
    _record(connection, actor, "connection.departure_cut_short")


def _change(connection: Connection, **values: object) -> None:
    departure = Departure.objects.for_connection(connection).filter(destroyed_at=None, end_asked_at=None)
    if not departure.update(**values):
        raise ActionRefused(NOTHING_LEFT)


def _record(connection: Connection, actor: Actor, action: str) -> None:
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id))
