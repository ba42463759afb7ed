"""A place in the quota, shared by all workers: one atomic statement hands out the next slot in database time."""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timedelta

from django.db import connection as database

from connections.spec.errors import QuotaExhausted
from connections.spec.provider import CountedBy, Provider, Quota
from connections.transport import clock, faults
from connections.vault.models import Connection

MARGIN = 1.02  # slots a little further apart than the limit, for what the network and the machine add
PATIENCE = 2.0  # seconds a caller waits in place; beyond that the work is put down


def key(quota: Quota, connection: Connection, client_id: str) -> str:
    """What the provider counts, as one text of at most 200 characters."""
    text = _named(quota, connection, client_id)
    return text if len(text) <= 200 else f"{connection.provider}:{hashlib.sha256(text.encode()).hexdigest()}"


def _named(quota: Quota, connection: Connection, client_id: str) -> str:
    place = f"{connection.provider}:{connection.environment}"
    match quota.counted_by if client_id else CountedBy.CONNECTION:  # a customer's own client is its own connection
        case CountedBy.CLIENT:
            return f"{place}:client:{client_id}"
        case CountedBy.COMPANY:
            return f"{place}:client:{client_id}:company:{connection.company_id or connection.id}"
        case _:
            return f"{place}:connection:{connection.id}"


def take(provider: Provider, connection: Connection, client_id: str) -> None:
    """Wait for a place in every quota. Raises QuotaExhausted when the next one is further away than two seconds."""
    for quota in provider.quotas:
        wait = slot(key(quota, connection, client_id), quota.per.total_seconds() / quota.calls * MARGIN)
        if wait > 0:
            time.sleep(wait)


def slot(name: str, spacing: float) -> float:
    """Seconds until the slot that is ours. A slot that is too far away is not taken."""
    with database.cursor() as cursor:
        # One statement is one transaction. Only timing is lost if the server crashes: it does not wait for the disk.
        cursor.execute(
            "INSERT INTO transport_quotawindow AS q (key, next_at, used)"
            " SELECT %s, clock_timestamp() + make_interval(secs => %s), 0 FROM set_config('synchronous_commit', 'off', true)"
            " ON CONFLICT (key) DO UPDATE SET next_at = greatest(q.next_at, clock_timestamp()) + make_interval(secs => %s)"
            " WHERE q.next_at IS NULL OR q.next_at < clock_timestamp() + make_interval(secs => %s)"
            " RETURNING extract(epoch FROM next_at - clock_timestamp())",
            [name, spacing, spacing, PATIENCE],
        )
        row = cursor.fetchone()
        if row is not None:
            return max(float(row[0]) - spacing, 0.0)
        cursor.execute(
            "SELECT extract(epoch FROM next_at - clock_timestamp()) FROM transport_quotawindow WHERE key = %s", [name]
        )
        far = float(cursor.fetchone()[0])
    raise QuotaExhausted(faults.QUOTA, retry_at=_later(far))


def _later(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)
