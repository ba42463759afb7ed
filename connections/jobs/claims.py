"""Taking due jobs, several by one statement: light tenants before heavy ones, and never walking what is done already."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from connections.jobs import kept_connection, owners
from connections.jobs.keeper import lease_seconds
from connections.jobs.lease import Lease, make_lease
from connections.jobs.registry import LANES

# How far a claim looks back behind the last one, for jobs that were queued before it and committed after it.
LOOK_BACK_SECONDS = 0.25

# `state || ''` is `state`, written so that PostgreSQL does not see the condition of another index in it (those of
# models.Job.Meta.indexes) and take that one: this statement has to walk `jobs_due`, which is in the order of a claim.
_CLAIM = """
WITH full_tenant AS MATERIALIZED (
    SELECT tenant_id FROM jobs_job WHERE state = 'running' AND starts > 0 AND lease_until > statement_timestamp()
    AND tenant_id IS NOT NULL AND starts_with(owner, %(worker)s) GROUP BY tenant_id HAVING count(*) >= %(most)s
), picked AS MATERIALIZED (
    SELECT job.id, line.place
    FROM unnest(%(queues)s::text[], %(lanes)s::int[], %(since)s::float8[]) WITH ORDINALITY AS line (queue, lane, since, place)
    CROSS JOIN LATERAL (
        SELECT waiting.id FROM jobs_job waiting
        WHERE waiting.lease_until IS NULL AND waiting.ended_at IS NULL AND waiting.state || '' = 'queued'
        AND waiting.queue = line.queue AND waiting.lane = line.lane
        AND waiting.due_at >= to_timestamp(line.since) AND waiting.due_at <= statement_timestamp()
        AND NOT EXISTS (SELECT 1 FROM jobs_job twin
            WHERE twin.kind = waiting.kind AND twin.subject = waiting.subject AND twin.state = 'running')
        AND (line.lane = 0 OR waiting.tenant_id IS NULL
            OR NOT EXISTS (SELECT 1 FROM full_tenant WHERE full_tenant.tenant_id = waiting.tenant_id))
        ORDER BY waiting.due_at LIMIT %(limit)s FOR UPDATE OF waiting SKIP LOCKED
    ) AS job
    WHERE EXISTS (SELECT 1 FROM jobs_dispatchswitch)
    LIMIT %(limit)s  -- the lines are looked at in their order, and no further than this
), taken AS (
    UPDATE jobs_job SET state = 'running', owner = %(owner)s, epoch = epoch + 1, reason = '',
    starts = starts + CASE WHEN (SELECT count(*) FROM picked) = 1 THEN 1 ELSE 0 END,
    lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
    FROM picked WHERE jobs_job.id = picked.id
    RETURNING jobs_job.id, tenant_id, kind, subject, epoch, starts, failures, trace_id, place, due_at
)
SELECT extract(epoch FROM statement_timestamp())::float8, EXISTS (SELECT 1 FROM full_tenant),
    taken.id, taken.tenant_id, taken.kind, taken.subject, taken.epoch, taken.starts, taken.failures, taken.trace_id,
    taken.place,
    extract(epoch FROM taken.due_at)::float8
FROM (SELECT 1 WHERE EXISTS (SELECT 1 FROM jobs_dispatchswitch)) AS one LEFT JOIN taken ON true ORDER BY taken.place, taken.due_at
"""


@dataclass(frozen=True)
class Claimed:
    """What a claim brought."""

    leases: Sequence[Lease]
    is_counted: bool  # whether the start stands in the row already: of one that was taken alone
    may_be_more: bool


class Positions:
    """Where the next claim of this process begins in each line, that is in each lane of a queue.

    Entries of jobs that are done stay in the index for as long as any older transaction is open, so a claim that began at the
    start would walk past all of them. It begins at its position instead: every job that was due before that was claimed, by
    this worker or by another. A job that comes later with an earlier time moves the position back when its doorbell rings
    (`look_back`), and the sweep looks from the start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[tuple[str, int], float] = {}  # seconds since 1970, of the database's clock

    def since(self, line: tuple[str, int]) -> float:
        """Seconds since 1970, -inf where nothing was claimed yet."""
        return self._since.get(line, -math.inf)

    def look_back(self, queue: str, since: float) -> None:
        """Something waits in this queue since then; 0 for the beginning of all times, which JSON has no word for."""
        since = since - LOOK_BACK_SECONDS if since > 0 else -math.inf
        with self._lock:
            for lane in LANES:
                self._since[queue, lane] = min(self.since((queue, lane)), since)

    def move(self, lines: Sequence[tuple[str, int]], reached: Sequence[float], starts: Sequence[float]) -> None:
        """`lines` were taken up to `reached`, from `starts` on; unless somebody looked further back meanwhile."""
        with self._lock:
            for line, to, since in zip(lines, reached, starts, strict=True):
                if self.since(line) == since:
                    self._since[line] = max(to, since)


positions = Positions()


def claim_due(queues: Sequence[str], limit: int) -> Claimed:
    """Take at most `limit` due jobs of these queues, the first queue's first.

    A job that is taken alone is counted as started; of several, each is counted once it lasts (batch.py), so that none is
    counted that another one's crash took along. In the lanes behind the first, no tenant is given more jobs where it has
    every place of this worker but one already.
    """
    lines = [(queue, lane) for queue in queues for lane in LANES]
    since = [positions.since(line) for line in lines]
    rows = kept_connection.ask(lambda: _claim(lines, since, limit))
    if not rows:  # held: nothing was looked at either
        return Claimed([], is_counted=False, may_be_more=False)
    now, is_any_tenant_full = rows[0][:2]
    taken = [row[2:] for row in rows if row[2] is not None]
    is_counted = len(taken) == 1
    reached = [now - LOOK_BACK_SECONDS] * len(lines)
    if len(taken) == limit:  # the last line was looked at as far as its last job here, and those behind it not at all
        place, due = taken[-1][-2:]
        reached[place - 1 :] = [due, *since[place:]]
    if is_any_tenant_full:  # its jobs were passed over
        reached = [at if lane == 0 else before for at, before, (_, lane) in zip(reached, since, lines, strict=True)]
    positions.move(lines, reached, since)
    leases = [make_lease(*row[:-2], is_counted=is_counted) for row in taken]
    return Claimed(leases, is_counted, may_be_more=len(taken) == limit)


def _claim(lines: Sequence[tuple[str, int]], since: Sequence[float], limit: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "queues": [queue for queue, _ in lines],
                "lanes": [lane for _, lane in lines],
                "since": list(since),
                "limit": limit,
                "owner": owners.worker_name(),
                "worker": owners.worker_prefix(),
                "most": max(owners.concurrency() - 1, 1),
                "lease": lease_seconds(),
            },
        )
        return list(cursor.fetchall())
