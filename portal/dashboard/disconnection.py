"""Disconnecting: reading ends at once, and a worker gives the access back and destroys what is stored."""

from __future__ import annotations

from connections.jobs.services import enqueue
from connections.sync import services as sync
from connections.tenancy.scope import Actor
from connections.transport.oauth import revocation
from connections.vault.models import Connection
from portal.incidents.lifecycle import CONNECTION_LEFT


def disconnect(*, connection: Connection, actor: Actor) -> None:
    """In the caller's transaction and scope. Disconnecting twice changes nothing; what was read stays."""
    # The run's rows are locked before the connection's, in the order in which a sync that writes a page locks them: the
    # other order could deadlock with it.
    sync.stop(connection=connection, actor=actor)
    revocation.disconnect(connection=connection, actor=actor)
    enqueue(kind=CONNECTION_LEFT, subject=connection.id, tenant_id=connection.tenant_id)
