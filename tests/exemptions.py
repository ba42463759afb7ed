"""What an admin allows a connection, without the admin's page."""

from __future__ import annotations

from connections.vault.models import Connection, Exemption, NetworkExemption


def allow(connection: Connection, kind: Exemption, *networks: str) -> None:
    NetworkExemption(
        tenant_id=connection.tenant_id,
        connection=connection,
        kind=kind,
        networks=list(networks),
        reason="a test",
        actor_name="ada@pilotage.example",
    ).save(force_insert=True)
