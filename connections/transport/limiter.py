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
BUDGET_FROM = timedelta(hours=1)  # from here on calls are counted; shorter spans hand out slots
SLICES = 24
PATIENCE = 2.0  # seconds a caller waits in place; beyond that the work is put down


_SPEND = """
WITH clock AS (SELECT floor(extract(epoch FROM clock_timestamp()) / %(slice)s)::bigint AS now)
INSERT INTO transport_quotawindow AS q (key, counts)
SELECT %(key)s, jsonb_build_object(clock.now::text, 1) FROM clock
ON CONFLICT (key) DO UPDATE SET counts = (
    SELECT coalesce(jsonb_object_agg(slice, used), '{}') FROM (
        SELECT slice, sum(used) AS used FROM (
            SELECT kept.slice, kept.used::int FROM jsonb_each_text(q.counts) AS kept (slice, used), clock
            WHERE kept.slice::bigint >= clock.now - %(slices)s
            UNION ALL SELECT clock.now::text, 1 FROM clock
        ) AS counted GROUP BY slice
    ) AS summed
) WHERE (
    SELECT coalesce(sum(kept.used::int), 0) FROM jsonb_each_text(q.counts) AS kept (slice, used), clock
    WHERE kept.slice::bigint >= clock.now - %(slices)s
) < %(calls)s
RETURNING 1
"""

# When the oldest slices have gone by, so that one call fits again.
_FREE_AT = """
WITH kept AS (
    SELECT e.slice::bigint AS slice, e.used::int AS used
    FROM transport_quotawindow AS q, jsonb_each_text(q.counts) AS e (slice, used) WHERE q.key = %(key)s
), running AS (
    SELECT slice, sum(used) OVER (ORDER BY slice DESC) AS newer FROM kept
)
SELECT min((slice + %(slices)s + 1) * %(slice)s) - extract(epoch FROM clock_timestamp())
FROM running WHERE newer >= %(calls)s AND slice = (SELECT max(slice) FROM running WHERE newer >= %(calls)s)
"""


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
    # Budgets first: a place in one may be hours away, and a slot that nobody uses is lost.
    for quota in sorted(provider.quotas, key=lambda quota: quota.per, reverse=True):
        name = key(quota, connection, client_id)
        if quota.per >= BUDGET_FROM:
            spend(name, quota)
            continue
        wait = slot(name, quota.per.total_seconds() / quota.calls * MARGIN)
        if wait > 0:
            time.sleep(wait)


def spend(name: str, quota: Quota) -> None:
    """Count one call of a long span. Raises QuotaExhausted when the span's calls are used up.

    The span slides, in slices of a 24th: where the provider's own day begins nobody has said, so no day of any kind
    may hold more. A slice that is partly over still counts whole.
    """
    slice_s = quota.per.total_seconds() / SLICES
    with database.cursor() as cursor:
        # One statement is one transaction, and it waits for the disk: a call that was sent must not be forgotten.
        cursor.execute(_SPEND, {"key": name, "slice": slice_s, "slices": SLICES, "calls": quota.calls})
        if cursor.fetchone() is not None:
            return
        cursor.execute(_FREE_AT, {"key": name, "slice": slice_s, "slices": SLICES, "calls": quota.calls})
        row = cursor.fetchone()
    raise QuotaExhausted(faults.QUOTA, retry_at=_later(max(float(row[0]) if row and row[0] is not None else 0.0, 1.0)))


def slot(name: str, spacing: float) -> float:
    """Seconds until the slot that is ours. A slot that is too far away is not taken."""
    with database.cursor() as cursor:
        # One statement is one transaction. Only timing is lost if the server crashes: it does not wait for the disk.
        cursor.execute(
            "INSERT INTO transport_quotawindow AS q (key, next_at, counts)"
            " SELECT %s, clock_timestamp() + make_interval(secs => %s), '{}' FROM set_config('synchronous_commit', 'off', true)"
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
