"""Putting work into the queue, taking it out, and bringing it to an end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.utils import timezone

from connections.jobs import heartbeats, kept_connection, owners, registry
from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.keeper import lease_seconds
from connections.jobs.lease import Lease, make_lease
from connections.jobs.models import Job, JobState
from connections.jobs.registry import LANES, QUEUES
from connections.tenancy.trace import trace_id

logger = logging.getLogger(__name__)

MOST_CRASHES = 3  # of one job without progress in between, before it is parked

# From how many jobs on, asked for at once by one tenant in one queue, its next ones stand in the second lane, and in the
# third. Each lane comes before the next, so that who asks for little does not wait for who asked for much.
BURST_OF_LANE = (16, 256)
LONGEST_BURST = 1024

# Set by tasks.py: rings for a queue, in which something waits since an instant (seconds since 1970, of the database's
# clock). Gives up after 200 ms.
_ring: Callable[[str, float], None] | None = None


def connect_doorbell(ring: Callable[[str, float], None]) -> None:
    """`ring` is called with a queue and a time after each commit that queues a job for now."""
    global _ring
    _ring = ring


def ring_after_commit(queue: str, since: float) -> None:
    """Tell the workers of this queue as soon as they can see what is due since then."""
    if _ring is not None:
        ring = _ring
        transaction.on_commit(lambda: ring(queue, since), robust=True)


def enqueue(*, kind: str, subject: UUID, tenant_id: UUID | None, due_at: datetime | None = None) -> UUID:
    """Queue `kind` for `subject` in the caller's transaction and return the job's id.

    A job of the same kind and subject that is still queued is used again, at the earlier of the two times.
    `due_at=None` means now, and rings the doorbell after the commit; such a job belongs to the trace that is being done, what
    is for later begins one of its own. Raises LookupError for a kind that nobody handles,
    ValueError for one whose jobs are some tenant's, without a tenant.
    """
    registered = registry.kind_of(kind)
    if registered is None:
        message = f"no handler is registered for jobs of kind {kind}"
        raise LookupError(message)
    if registered.tenant_required and tenant_id is None:
        message = f"a job of kind {kind} is some tenant's"
        raise ValueError(message)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH before AS (SELECT least(greatest(burst - extract(epoch FROM clock_timestamp() - created_at), 0), %(longest)s)"
            " AS burst FROM jobs_job WHERE tenant_id = %(tenant)s AND queue = %(queue)s AND created_at"
            " BETWEEN statement_timestamp() - interval '1 hour' AND statement_timestamp() ORDER BY created_at DESC LIMIT 1),"
            " asked AS (SELECT coalesce((SELECT burst FROM before), 0) AS burst)"
            " INSERT INTO jobs_job (id, tenant_id, kind, subject, queue, lane, burst, state, due_at, starts, failures, owner,"
            " epoch, reason, created_at, trace_id) SELECT %(id)s, %(tenant)s, %(kind)s, %(subject)s, %(queue)s,"
            " CASE WHEN burst < %(second)s THEN 0 WHEN burst < %(third)s THEN 1 ELSE 2 END,"
            " burst + 1, 'queued', coalesce(%(due_at)s, clock_timestamp()), 0, 0, '', 0, '', clock_timestamp(), %(trace)s"
            " FROM asked"
            " ON CONFLICT (kind, subject) WHERE state = 'queued'"
            " DO UPDATE SET due_at = least(jobs_job.due_at, excluded.due_at)"
            " RETURNING id, queue, extract(epoch FROM due_at)::float8",
            {
                "id": uuid4(),
                "tenant": tenant_id,
                "kind": kind,
                "subject": subject,
                "queue": registered.queue,
                "due_at": due_at,
                "trace": trace_id() if due_at is None else "",
                "second": BURST_OF_LANE[0],
                "third": BURST_OF_LANE[1],
                "longest": LONGEST_BURST,
            },
        )
        job_id: UUID
        job_id, queue, since = cursor.fetchone()
    if due_at is None:
        ring_after_commit(queue, since)
    return job_id


def claim(job_id: UUID) -> Lease | None:
    """Take one due job, or one whose holder died. None when it is not due, not there, or in somebody's hands.

    The start is counted before the work begins, so a job that kills its process is parked after three starts.
    While a job of the same kind and subject is running, this one waits.
    """
    return kept_connection.ask(lambda: _claim_one(job_id))


def _claim_one(job_id: UUID) -> Lease | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT state FROM jobs_job j WHERE id = %s AND (state = 'queued' AND due_at <= clock_timestamp()"
            " OR state = 'running' AND lease_until < clock_timestamp())"
            " AND NOT EXISTS (SELECT 1 FROM jobs_job t WHERE t.kind = j.kind AND t.subject = j.subject"
            " AND t.id <> j.id AND t.state = 'running')"
            " AND EXISTS (SELECT 1 FROM jobs_dispatchswitch) FOR UPDATE OF j SKIP LOCKED",
            [job_id],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        if row[0] == JobState.RUNNING:
            heartbeats.note(HeartbeatKind.TAKEOVER, heartbeats.TAKEOVERS)
        cursor.execute(
            "UPDATE jobs_job SET state = 'running', owner = %s, epoch = epoch + 1, starts = starts + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %s), reason = '' WHERE id = %s"
            " RETURNING id, tenant_id, kind, subject, epoch, starts, failures, trace_id",
            [owners.worker_name(), lease_seconds(), job_id],
        )
        return make_lease(*cursor.fetchone(), is_counted=True)


def succeed(*leases: Lease, reason: str = "") -> None:
    """The work is done. Nothing happens to jobs that are somebody else's by now.

    Rings for the same work where it was asked for while its job ran: its doorbell rang in vain then.
    """
    if not leases:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            # Arrays that the planner cannot count: it would rather read all of a table that is small yet.
            "WITH held AS (SELECT * FROM unnest((SELECT %s::uuid[]), (SELECT %s::bigint[])) AS held (id, epoch)),"
            " ended AS (UPDATE jobs_job SET state = 'succeeded', reason = %s, ended_at = clock_timestamp(),"
            " lease_until = NULL, owner = '' FROM held WHERE jobs_job.id = held.id"
            " AND jobs_job.epoch = held.epoch AND state = 'running' RETURNING kind, subject)"
            " SELECT next.queue, extract(epoch FROM next.due_at)::float8 FROM ended"
            " CROSS JOIN LATERAL (SELECT queue, due_at FROM jobs_job twin WHERE twin.kind = ended.kind"
            " AND twin.subject = ended.subject AND twin.state = 'queued' LIMIT 1) AS next"
            " WHERE next.due_at <= clock_timestamp()",
            [[lease.job_id for lease in leases], [lease.epoch for lease in leases], reason],
        )
        for queue, since in cursor.fetchall():
            ring_after_commit(queue, since)


def count_start(lease: Lease) -> None:
    """Of a job that was taken together with others, when it has begun: so that its crash would count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET starts = starts + 1 WHERE id = %s AND epoch = %s AND state = 'running'",
            [lease.job_id, lease.epoch],
        )


def put_back(leases: Iterable[Lease]) -> None:
    """Queue what was taken and not begun, at its own place in the line, as if nobody had taken it."""
    for lease in leases:
        with transaction.atomic():
            _requeue(lease, reason="", starts=lease.starts - 1, failures=lease.failures, keep_place=True)


def park(lease: Lease, reason: str) -> None:
    """Give up in a state that staff see, and let the kind say so to its own readers (`on_parked`), in one transaction.

    Raises LeaseLost.
    """
    kind = registry.kind_of(lease.kind)
    with lease.scope():
        # Before the job ends: what the handlers share with `on_parked` checks the lease as well.
        if kind is not None and kind.on_parked is not None and kind.accepts(lease):
            kind.on_parked(lease)
        _end(lease, JobState.PARKED, reason)


def _end(lease: Lease, state: JobState, reason: str) -> None:
    Job.objects.filter(id=lease.job_id, epoch=lease.epoch, state=JobState.RUNNING).update(
        state=state, reason=reason[:200], ended_at=timezone.now(), lease_until=None, owner=""
    )


def hand_back(lease: Lease, again: registry.Again) -> None:
    """Queue the job again, now or later; its crashes and failures are counted anew.

    Where the same work was asked for meanwhile, this job ends and that one goes on. Does nothing where the job is somebody
    else's by now.
    """
    with transaction.atomic():
        _requeue(lease, due_at=again.due_at, reason=again.reason, starts=0, failures=0)


def fail(lease: Lease, error: BaseException) -> None:
    """Queue the job again after the next wait of its kind, or park it after the last. Keeps the error's type, no text."""
    failures = lease.failures + 1
    reason = type(error).__name__
    kind = registry.kind_of(lease.kind)
    waits = kind.retry_waits_seconds if kind is not None else registry.RETRY_WAITS_SECONDS
    if failures > len(waits):
        park(lease, f"failed {failures} times, last: {reason}")
        return
    wait = timedelta(seconds=waits[failures - 1])
    with transaction.atomic():
        _requeue(lease, due_at=timezone.now() + wait, reason=reason, starts=0, failures=failures)


def _requeue(
    lease: Lease,
    *,
    reason: str,
    starts: int,
    failures: int,
    due_at: datetime | None = None,
    keep_place: bool = False,
) -> None:
    """Anew at `due_at`, None for now; or at the time that it was due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queue, EXISTS (SELECT 1 FROM jobs_job t WHERE t.kind = j.kind AND t.subject = j.subject"
            " AND t.state = 'queued') FROM jobs_job j WHERE id = %s AND epoch = %s AND state = 'running' FOR UPDATE",
            [lease.job_id, lease.epoch],
        )
        row = cursor.fetchone()
        if row is None:
            return  # somebody else holds it now
        queue, is_queued_again = row
        if is_queued_again:
            succeed(lease, reason="its queued twin goes on")
            return
        cursor.execute(
            "UPDATE jobs_job SET state = 'queued', due_at = CASE WHEN %s THEN due_at ELSE coalesce(%s, clock_timestamp()) END,"
            " lease_until = NULL, owner = '', starts = %s, failures = %s, reason = %s WHERE id = %s"
            " RETURNING extract(epoch FROM due_at)::float8",
            [keep_place, due_at, starts, failures, reason[:200], lease.job_id],
        )
        since = cursor.fetchone()[0]
    if due_at is None:
        ring_after_commit(queue, since)


def cancel(*, kind: str, subject: UUID) -> int:
    """Cancel what is queued or running for a subject, and return how many jobs that were.

    A worker that is in the middle of one gets LeaseLost from its next transaction.
    """
    return Job.objects.filter(kind=kind, subject=subject, state__in=(JobState.QUEUED, JobState.RUNNING)).update(
        state=JobState.CANCELLED, ended_at=timezone.now(), reason="cancelled"
    )


def queue_again(job: Job) -> UUID:
    """A person's answer to a parked job: the same work, counted anew."""
    return enqueue(kind=job.kind, subject=job.subject, tenant_id=job.tenant_id)


def expire_leases_of(dead: Sequence[str]) -> list[tuple[UUID, str]]:
    """End the leases of these owners at once, and return (id, queue) of their jobs. The starts stay counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET lease_until = clock_timestamp() WHERE state = 'running'"
            " AND lease_until > statement_timestamp() AND ended_at IS NULL AND owner = ANY(%s) RETURNING id, queue",
            [list(dead)],
        )
        return list(cursor.fetchall())


def expired(limit: int) -> list[tuple[UUID, str]]:
    """(id, queue) of jobs whose holder stopped renewing, the longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, queue FROM jobs_job WHERE state = 'running' AND lease_until < statement_timestamp()"
            " AND ended_at IS NULL"
            " ORDER BY lease_until LIMIT %s",
            [limit],
        )
        return list(cursor.fetchall())


def due(limit: int, since: float) -> list[tuple[str, int, float]]:
    """(queue, how many, since when) of jobs that wait and are due, counted to `limit` in each lane of a queue.

    Looked for from `since` on, seconds since 1970 by the database's clock; -inf for all.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT line.queue, count(*), extract(epoch FROM min(job.due_at))::float8"
            " FROM unnest(%s::text[]) AS line (queue) CROSS JOIN unnest(%s::int[]) AS lane CROSS JOIN LATERAL ("
            " SELECT due_at FROM jobs_job WHERE lease_until IS NULL AND ended_at IS NULL AND state || '' = 'queued'"
            " AND queue = line.queue AND jobs_job.lane = lane.lane"
            " AND due_at >= to_timestamp(%s) AND due_at <= statement_timestamp() ORDER BY due_at LIMIT %s) AS job"
            " GROUP BY line.queue",
            [list(QUEUES), list(LANES), since, limit],
        )
        return list(cursor.fetchall())
