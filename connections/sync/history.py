"""What records held before, for how long, and the check that stands in for their foreign keys. Run daily, as the owner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.db import connection as database
from django.utils import timezone

from connections.sync.models import Record, RecordVersion
from connections.vault.models import Connection

VERSIONS_KEPT = timedelta(days=90)

# One step through the key's index for each connection, however many records it has.
_ORPHANS = """
WITH RECURSIVE pairs AS (
    (SELECT tenant_id, connection_id FROM {table} ORDER BY tenant_id, connection_id LIMIT 1)
    UNION ALL
    SELECT following.tenant_id, following.connection_id FROM pairs, LATERAL (
        SELECT tenant_id, connection_id FROM {table} AS other
        WHERE (other.tenant_id, other.connection_id) > (pairs.tenant_id, pairs.connection_id)
        ORDER BY tenant_id, connection_id LIMIT 1
    ) AS following
)
SELECT tenant_id, connection_id FROM pairs WHERE NOT EXISTS (
    SELECT FROM {connections} AS one WHERE one.id = pairs.connection_id AND one.tenant_id = pairs.tenant_id
)
"""


def delete_old_versions() -> int:
    """Delete what records held until longer ago than it is kept; returns how many. Across tenants."""
    count, _ = RecordVersion.objects.filter(replaced_at__lt=timezone.now() - VERSIONS_KEPT).delete()
    return count


def orphans() -> Iterator[tuple[str, UUID, UUID]]:
    """(table, tenant id, connection id) of records whose connection is gone, or another tenant's. Across tenants."""
    for model in (Record, RecordVersion):
        names = {"table": model._meta.db_table, "connections": Connection._meta.db_table}
        with database.cursor() as cursor:
            cursor.execute(_ORPHANS.format(**names))
            yield from ((names["table"], *row) for row in cursor.fetchall())
