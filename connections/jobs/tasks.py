"""The doorbell: two Celery tasks. `work` does one job by its id, `sweep` rings for what is due."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task
from django.conf import settings

from connections.jobs import doorbell, kept_connection, registry, services
from connections.jobs.lease import Lease, LeaseLost

logger = logging.getLogger(__name__)

JOBS_PER_SWEEP = 200  # of each queue, at most


@shared_task(name=doorbell.WORK_TASK)
def work(job_id: str) -> None:
    """Do one job, if it is due and free. Safe to run twice, late, or for an id that never was."""
    try:
        parsed = UUID(job_id)
    except (ValueError, AttributeError, TypeError):
        logger.warning("a doorbell rang without a job id")
        return
    lease = services.claim(parsed)
    if lease is None:
        return
    if lease.starts > services.MOST_CRASHES:
        services.park(lease, f"its worker died {lease.starts - 1} times")
        return
    kind = registry.kind_of(lease.kind)
    if kind is None:
        services.park(lease, "no handler for this kind")
        return
    if not kind.accepts(lease):
        # Nothing of ours queues one; whoever can write to the table can.
        logger.error("job %s (%s) names no tenant", lease.job_id, lease.kind)
        services.park(lease, "it names no tenant")
        return
    try:
        _run_handler(lease, kind)
    except LeaseLost:
        logger.warning("job %s (%s) was taken over or cancelled", lease.job_id, lease.kind)


def _run_handler(lease: Lease, kind: registry.Kind) -> None:
    """Raises LeaseLost."""
    try:
        with lease:
            again = kind.handler(lease)
    except LeaseLost:
        raise
    except registry.Parked as parked:
        services.park(lease, str(parked))
    except Exception as error:
        # Only the type: an exception's text may quote what a provider sent.
        logger.error("job %s (%s) failed: %s", lease.job_id, lease.kind, type(error).__name__, exc_info=settings.DEBUG)
        services.fail(lease, error)
    else:
        if again is None:
            services.succeed(lease)
        else:
            services.hand_back(lease, again)


@shared_task(name="jobs.sweep")
def sweep() -> None:
    """Ring for every due job and for every job whose holder died. Losing a message costs one sweep, not work."""
    jobs = kept_connection.ask(lambda: services.due(JOBS_PER_SWEEP))
    if jobs:
        doorbell.ring_for_all(jobs, JOBS_PER_SWEEP)


services.connect_doorbell(doorbell.ring)
