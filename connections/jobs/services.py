"""Putting work into the queue, taking it out, and bringing it to an end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.utils import timezone

from connections.jobs import kept_connection, registry
from connections.jobs.lease import Lease, TenantLease, lease_seconds, worker_name
from connections.jobs.models import Job, JobState

logger = logging.getLogger(__name__)

MOST_CRASHES = 3  # of one job without progress in between, before it is parked

# Set by tasks.py: rings Celery for a job id and a queue, gives up after 200 ms.
_ring: Callable[[UUID, str], None] | None = None


def connect_doorbell(ring: Callable[[UUID, str], None]) -> None:
    """`ring` is called with a job's id and its queue after each commit that queues one for now."""
    global _ring
    _ring = ring


def ring_after_commit(job_id: UUID, queue: str) -> None:
    """Tell the workers of this queue about the job as soon as they can see its row."""
    if _ring is not None:
        ring = _ring
        transaction.on_commit(lambda: ring(job_id, queue), robust=True)


def enqueue(*, kind: str, subject: UUID, tenant_id: UUID | None, due_at: datetime | None = None) -> UUID:
    """Queue `kind` for `subject` in the caller's transaction and return the job's id.

    A job of the same kind and subject that is still queued is used again, at the earlier of the two times.
    `due_at=None` means now, and rings the doorbell after the commit. Raises LookupError for a kind that nobody handles,
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
            "INSERT INTO jobs_job (id, tenant_id, kind, subject, queue, state, due_at, starts, failures, owner, epoch,"
            " reason, created_at) VALUES (%s, %s, %s, %s, %s, 'queued', coalesce(%s, clock_timestamp()), 0, 0, '', 0,"
            " '', clock_timestamp()) ON CONFLICT (kind, subject) WHERE state = 'queued'"
            " DO UPDATE SET due_at = least(jobs_job.due_at, excluded.due_at) RETURNING id",
            [uuid4(), tenant_id, kind, subject, registered.queue, due_at],
        )
        job_id: UUID = cursor.fetchone()[0]
    if due_at is None:
        ring_after_commit(job_id, registered.queue)
    return job_id


def claim(job_id: UUID) -> Lease | None:
    """Take one due job, or one whose holder died. None when it is not due, not there, or in somebody's hands.

    The start is counted before the work begins, so a job that kills its process is parked after three starts.
    While a job of the same kind and subject is running, this one waits.
    """
    return kept_connection.ask(lambda: _claim(job_id))


def _claim(job_id: UUID) -> Lease | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM jobs_job j WHERE id = %s AND (state = 'queued' AND due_at <= clock_timestamp()"
            " OR state = 'running' AND lease_until < clock_timestamp())"
            " AND NOT EXISTS (SELECT 1 FROM jobs_job t WHERE t.kind = j.kind AND t.subject = j.subject"
            " AND t.id <> j.id AND t.state = 'running') FOR UPDATE SKIP LOCKED",
            [job_id],
        )
        if cursor.fetchone() is None:
            return None
        cursor.execute(
            "UPDATE jobs_job SET state = 'running', owner = %s, epoch = epoch + 1, starts = starts + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %s), reason = '' WHERE id = %s"
            " RETURNING tenant_id, kind, subject, epoch, starts, failures",
            [worker_name(), lease_seconds(), job_id],
        )
        tenant_id, kind, subject, epoch, starts, failures = cursor.fetchone()
    if tenant_id is None:
        return Lease(job_id=job_id, kind=kind, subject=subject, epoch=epoch, starts=starts, failures=failures)
    return TenantLease(
        job_id=job_id,
        tenant_id=tenant_id,
        kind=kind,
        subject=subject,
        epoch=epoch,
        starts=starts,
        failures=failures,
    )


def succeed(lease: Lease) -> None:
    """The work is done. Does nothing where the job is somebody else's by now."""
    _end(lease, JobState.SUCCEEDED, "")
    _ring_for_next(lease)


def _ring_for_next(lease: Lease) -> None:
    """For the same work that was asked for while this job ran: its doorbell rang in vain then, and only a sweep would
    find it.
    """
    waiting = Job.objects.filter(
        kind=lease.kind, subject=lease.subject, state=JobState.QUEUED, due_at__lte=timezone.now()
    )
    for job_id, queue in waiting.values_list("id", "queue"):
        ring_after_commit(job_id, queue)


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


def _requeue(lease: Lease, *, due_at: datetime | None, reason: str, starts: int, failures: int) -> None:
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
            _end(lease, JobState.SUCCEEDED, "its queued twin goes on")
            _ring_for_next(lease)
            return
        cursor.execute(
            "UPDATE jobs_job SET state = 'queued', due_at = coalesce(%s, clock_timestamp()), lease_until = NULL,"
            " owner = '', starts = %s, failures = %s, reason = %s WHERE id = %s",
            [due_at, starts, failures, reason[:200], lease.job_id],
        )
    if due_at is None:
        ring_after_commit(lease.job_id, queue)


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


def due(limit: int) -> list[tuple[UUID, str]]:
    """(id, queue) of jobs to ring for, oldest first: ones whose holder stopped renewing, and due ones.

    At most `limit` of each kind and queue, so that a long line in one queue does not hide the other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT job.id, each.queue FROM unnest(%s::text[]) WITH ORDINALITY AS each (queue, place), LATERAL ("
            " (SELECT id, lease_until AS since FROM jobs_job WHERE state = 'running' AND queue = each.queue"
            " AND lease_until < clock_timestamp() ORDER BY lease_until LIMIT %s) UNION ALL"
            " (SELECT id, due_at FROM jobs_job WHERE state = 'queued' AND queue = each.queue"
            " AND due_at <= clock_timestamp() ORDER BY due_at LIMIT %s)) AS job ORDER BY each.place, job.since",
            [list(registry.QUEUES), limit, limit],
        )
        return list(cursor.fetchall())
