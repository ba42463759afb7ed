"""Which jobs are due, in the order in which workers take them; for tests that do them in their own process."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from connections.jobs.registry import QUEUES


def due(limit: int) -> list[tuple[UUID, str]]:
    """(id, queue) of jobs whose holder stopped renewing, and of due ones, at most `limit` of each queue."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT job.id, each.queue FROM unnest(%s::text[]) WITH ORDINALITY AS each (queue, place), LATERAL ("
            " SELECT id, state = 'queued' AS is_queued, lane, due_at FROM jobs_job WHERE queue = each.queue"
            " AND (state = 'running' AND lease_until < clock_timestamp() OR state = 'queued' AND due_at <= clock_timestamp())"
            " ORDER BY is_queued, lane, due_at LIMIT %s) AS job"
            " ORDER BY each.place, job.is_queued, job.lane, job.due_at",
            [list(QUEUES), limit],
        )
        return list(cursor.fetchall())
