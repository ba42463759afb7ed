"""The doorbell: two Celery tasks. `work` does one job by its id, `sweep` rings for what is due."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import current_app, shared_task
from django.conf import settings
from django.db import transaction
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from connections.jobs import registry, services
from connections.jobs.lease import Lease, LeaseLost

logger = logging.getLogger(__name__)

JOBS_PER_SWEEP = 200  # of each queue, at most
# A broker that is gone or fails over, as kombu wraps it; and unwrapped what it answers to a single command, such as
# MASTERDOWN to the question how long a queue is.
BROKER_ERRORS = (OperationalError, OSError, RedisError)


@shared_task(name="jobs.work")
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
    """Ring for every due job and for every job whose holder died. Losing a message costs one sweep, not work.

    Where a queue is long already its workers have enough to do; more messages would only make it longer.
    """
    with transaction.atomic():
        jobs = services.due(JOBS_PER_SWEEP)
    if not jobs:
        return
    try:
        with _broker() as broker:
            for queue in registry.QUEUES:
                waiting = broker.default_channel.queue_declare(queue=queue).message_count
                due = [job_id for job_id, its_queue in jobs if its_queue == queue]
                for job_id in due[: max(JOBS_PER_SWEEP - waiting, 0)]:
                    _send_message(broker, job_id, queue)
    except BROKER_ERRORS as error:
        logger.warning("%d due jobs not rung for (%s); the next sweep will", len(jobs), type(error).__name__)


def ring(job_id: UUID, queue: str) -> None:
    """Tell the workers of `queue`; when the broker does not answer within 200 ms, the sweep finds the job."""
    try:
        with _broker() as broker:
            _send_message(broker, job_id, queue)
    except BROKER_ERRORS as error:
        logger.warning("doorbell for job %s not heard (%s); the sweep will find it", job_id, type(error).__name__)


def _broker() -> Connection:
    """A connection of its own that gives up soon; the workers' own waits for its broker instead."""
    broker: Connection = current_app.connection_for_write(
        connect_timeout=0.2,
        transport_options={
            **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
            "socket_timeout": 0.2,
            "socket_connect_timeout": 0.2,
            "max_retries": 0,
        },
    )
    return broker


def _send_message(broker: Connection, job_id: UUID, queue: str) -> None:
    current_app.send_task("jobs.work", [str(job_id)], queue=queue, connection=broker, retry=False)


services.connect_doorbell(ring)
