"""A place in the quota, shared by all workers: one atomic statement counts or hands out the next slot, in database time."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database

from connections.spec.errors import QuotaExhausted
from connections.spec.provider import CountedBy, Provider, Quota
from connections.transport import faults, stopwatch
from connections.vault.models import Connection

MARGIN = 1.03  # slots a little further apart than the limit, for what the network and the machine add
COUNTED_FROM = timedelta(hours=1)  # from this span on calls are counted; shorter spans hand out slots
SLICES = 96
LONGEST_SLOT_WAIT_SECONDS = 2.0  # a caller waits in place for so long; beyond that the work is put down
LONGEST_SLOT_WAIT_OF_RUNS_SECONDS = 1.0  # so that a line of syncs never leaves a person without a place
LATE_SECONDS = 0.015  # whoever is later lets the slot go by, as its call would run into the next ones
MOST_LATE_SLOTS = 5

# The span slides, in slices: where the provider's own day begins nobody has said, so no day of any kind may hold more.
# A whole slice more than the span is counted, as a call arrives there a little after it was counted here.
_SPEND = """
WITH clock AS (
    SELECT floor(extract(epoch FROM clock_timestamp()) / %(slice)s)::bigint AS now
    FROM set_config('synchronous_commit', 'on', true)
)
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
SELECT greatest(
    to_timestamp((max(slice) + %(slices)s + 1) * %(slice)s), clock_timestamp() + interval '1 second'
) FROM running WHERE newer >= %(calls)s
"""

# Nobody waits for the disk here, so a crash of the server loses the last slots. PostgreSQL sets its statistics back
# then and only then (or by hand, which does no harm): whoever held a slot has left before the first new one.
_SLOT = """
WITH clock AS (
    SELECT greatest(clock_timestamp(), stats_reset + make_interval(secs => %(patience)s + %(span)s)) AS now
    FROM pg_stat_bgwriter, set_config('synchronous_commit', 'off', true)
)
INSERT INTO transport_quotawindow AS q (key, next_at, counts)
SELECT %(key)s, clock.now + make_interval(secs => %(spacing)s), '{}' FROM clock
WHERE clock.now < clock_timestamp() + make_interval(secs => %(reach)s)
ON CONFLICT (key) DO UPDATE
SET next_at = greatest(q.next_at, excluded.next_at - make_interval(secs => %(spacing)s), clock_timestamp())
    + make_interval(secs => %(spacing)s)
WHERE q.next_at IS NULL OR q.next_at < clock_timestamp() + make_interval(secs => %(reach)s)
RETURNING extract(epoch FROM next_at)::float8 - %(spacing)s, extract(epoch FROM clock_timestamp())::float8
"""

_NEXT = """
SELECT greatest(clock_timestamp(), q.next_at, stats_reset + make_interval(secs => %(patience)s + %(span)s))
FROM pg_stat_bgwriter LEFT JOIN transport_quotawindow AS q ON q.key = %(key)s
"""


@dataclass(frozen=True)
class Slot:
    """A place in a line, and when it was given, both in database time (seconds since 1970)."""

    at: float
    given_at: float

    @property
    def wait(self) -> float:
        """Seconds from when the slot was given until it begins."""
        return max(self.at - self.given_at, 0.0)


class DatabaseClock:
    """The database's time by this process's own clock, from the quickest of its answers.

    So an answer that was long on its way, or read late, is noticed like a sleep that was too long.
    """

    STEP = 0.5  # seconds; more than this late is as likely a clock that was set back
    DRIFT = 0.001  # seconds a second by which the two may run apart

    def __init__(self) -> None:
        self._ahead, self._read_at = math.inf, 0.0

    def synchronize(self, given_at: float) -> bool:
        """An answer of this database time has just been read. False where it may have been read long after it was given."""
        now = time.monotonic()
        ahead, before = now - given_at, self._ahead + (now - self._read_at) * self.DRIFT
        is_late = before < math.inf and ahead > before + self.STEP
        self._ahead, self._read_at = ahead if is_late else min(ahead, before), now
        return not is_late

    def seconds_since(self, at: float) -> float:
        """Seconds since a moment of database time."""
        return time.monotonic() - at - self._ahead


_clock = DatabaseClock()


def quota_key(quota: Quota, connection: Connection, client_id: str) -> str:
    """What the provider counts, as one text of at most 200 characters."""
    key = f"{connection.provider}:{connection.environment}"
    match quota.counted_by if client_id else CountedBy.CONNECTION:  # a customer's own client is its own connection
        case CountedBy.CLIENT:
            key += f":client:{client_id}"
        case CountedBy.COMPANY:
            key += f":client:{client_id}:company:{connection.company_id or connection.id}"
        case _:
            key += f":connection:{connection.id}"
    return key if len(key) <= 200 else f"{connection.provider}:{hashlib.sha256(key.encode()).hexdigest()}"


def take_place(provider: Provider, connection: Connection, client_id: str, *, for_run: bool = False) -> None:
    """Wait for a place in every quota, else send nothing. Runs leave a part to whatever a person waits for.

    Raises QuotaExhausted when the next place is too far away, and the database's errors where it cannot be asked.
    """
    # Budgets first: a place in one may be hours away, and a slot that nobody uses is lost.
    for quota in sorted(provider.quotas, key=lambda quota: quota.per, reverse=True):
        name = quota_key(quota, connection, client_id)
        if quota.per >= COUNTED_FROM:
            count_call(name, quota, for_run=for_run)
        else:
            _wait_for_slot(name, quota, LONGEST_SLOT_WAIT_OF_RUNS_SECONDS if for_run else LONGEST_SLOT_WAIT_SECONDS)


def _wait_for_slot(name: str, quota: Quota, longest_wait: float) -> None:
    """Wait for our slot, and for another one where we woke up too late; a machine that always does goes on in the end."""
    span = quota.per.total_seconds()
    for _ in range(MOST_LATE_SLOTS):
        slot = next_slot(name, span / quota.calls * MARGIN, span=span, longest_wait=longest_wait)
        is_clock_known = _clock.synchronize(slot.given_at)
        with stopwatch.measure(stopwatch.LIMITER):
            time.sleep(slot.wait)
        if is_clock_known and _clock.seconds_since(slot.at) <= LATE_SECONDS:
            return


def count_call(name: str, quota: Quota, *, for_run: bool = False) -> None:
    """Count one call of a long span before it is sent. Raises QuotaExhausted when the span's calls are used up.

    A run may use the quota's `for_runs` of it, whoever used that; a slice that is partly over still counts whole.
    """
    calls = int(quota.calls * quota.for_runs) if for_run else quota.calls
    values: dict[str, str | float] = {
        "key": name,
        "slice": quota.per.total_seconds() / SLICES,
        "slices": SLICES + 1,
        "calls": calls,
    }
    with database.cursor() as cursor:
        # One statement is one transaction, and it waits for the disk: a call that was sent must not be forgotten.
        cursor.execute(_SPEND, values)
        if cursor.fetchone() is not None:
            return
        cursor.execute(_FREE_AT, values)
        free_at: datetime = cursor.fetchone()[0]
    raise QuotaExhausted(faults.QUOTA, retry_at=free_at)


def next_slot(
    name: str, spacing: float, *, span: float = 1.0, longest_wait: float = LONGEST_SLOT_WAIT_SECONDS
) -> Slot:
    """The next slot of a line, if it is less than `longest_wait` seconds away, else QuotaExhausted and it is not taken.

    `spacing`: seconds between slots; `span`: of the quota.
    """
    values: dict[str, str | float] = {
        "key": name,
        "spacing": spacing,
        "span": span,
        "reach": longest_wait,
        "patience": LONGEST_SLOT_WAIT_SECONDS,
    }
    with database.cursor() as cursor:
        cursor.execute(_SLOT, values)
        row = cursor.fetchone()
        if row is not None:
            return Slot(*row)
        cursor.execute(_NEXT, values)
        next_at: datetime = cursor.fetchone()[0]
    raise QuotaExhausted(faults.QUOTA, retry_at=next_at)
