"""What Celery's messages make a worker do: take due jobs, take one job over by its id, or look for what nobody rang for."""

from __future__ import annotations

import logging
import math
import time
from uuid import UUID

from celery import current_app, shared_task
from django.conf import settings
from django.db import DatabaseError, connections

from connections.jobs import claims, doorbell, heartbeats, kept_connection, owners, registry, services, stopping
from connections.jobs.batch import Batch, BatchSize
from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.lease import Lease, LeaseLost
from connections.tenancy.trace import tracing

logger = logging.getLogger(__name__)

TURN_SECONDS = 0.25  # after which a worker that still finds jobs gives Celery the word, and rings for the rest
JOBS_PER_SWEEP = 200  # that are taken over by their ids, at most
FULL_SWEEP_SHARE = 0.02  # of the time, at most, that a process spends on looking from the beginning
SWEEP_OVERLAP_SECONDS = 60.0

_size = BatchSize()


@shared_task(name=doorbell.WORK_OFF_TASK)
def work_off(queue: str, since: float | None = None) -> None:
    """Do what is due in the queues that this worker serves, the most urgent queue first. Safe to run twice, or late.

    `since`: something waits in this queue since then. Who forges it makes workers look, at most from the beginning.
    """
    served = [name for name in registry.QUEUES if name in current_app.amqp.queues.consume_from]
    if queue not in served:
        logger.warning("a doorbell rang for a queue that this worker does not serve")
        return
    if isinstance(since, float | int) and math.isfinite(since):
        claims.positions.look_back(queue, since)
    ends_at = time.monotonic() + TURN_SECONDS
    while True:
        claimed = claims.claim_due(served, _size.jobs)
        batch = Batch(claimed.leases, is_counted=claimed.is_counted)
        if claimed.leases:
            batch.work(_do)
            _size.learn(batch, len(claimed.leases))
        # After a long one others of its tenant may be taken, who were passed over for it.
        if not claimed.may_be_more and not batch.was_long:
            return
        if time.monotonic() > ends_at or stopping.is_asked():
            doorbell.ring(queue, None)
            return


@shared_task(name=doorbell.WORK_TASK)
def work(job_id: str) -> None:
    """Do one job, if it is due and free. Safe to run twice, late, or for an id that never was."""
    try:
        parsed = UUID(job_id)
    except (ValueError, AttributeError, TypeError):
        logger.warning("a doorbell rang without a job id")
        return
    lease = services.claim(parsed)
    if lease is not None:
        Batch([lease], is_counted=True).work(_do)


def _do(lease: Lease) -> bool:
    """Whether the job is done, and its end only has to be written. What else became of it is written here."""
    with tracing(lease.trace_id, job=str(lease.job_id)):
        return _do_traced(lease)


def _do_traced(lease: Lease) -> bool:
    if lease.starts > services.MOST_CRASHES:
        services.park(lease, f"its worker died {lease.starts - 1} times")
        return False
    kind = registry.kind_of(lease.kind)
    if kind is None:
        services.park(lease, "no handler for this kind")
        return False
    if not kind.accepts(lease):
        # Nothing of ours queues one; whoever can write to the table can.
        logger.error("job %s (%s) names no tenant", lease.job_id, lease.kind)
        services.park(lease, "it names no tenant")
        return False
    try:
        return _run_handler(lease, kind)
    except LeaseLost:
        if stopping.is_asked() and not lease.is_taken:
            services.hand_back(lease, registry.Again())
        else:
            logger.warning("job %s (%s) was taken over or cancelled", lease.job_id, lease.kind)
        return False


def _run_handler(lease: Lease, kind: registry.Kind) -> bool:
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
            return True
        services.hand_back(lease, again)
    return False


class _Sweeper:
    """Where the sweeps of this process have got to."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._full_at = 0.0  # by time.monotonic

    def due(self) -> list[tuple[str, int, float]]:
        """As `services.due` says: of the last minutes mostly, and of all times now and then.

        What is done stays in the index while a transaction is held open; then a look from the beginning costs the more the
        longer that lasts.
        """
        begun, now = time.monotonic(), time.time()
        if is_full := begun >= self._full_at:
            self._since = -math.inf
        lines = services.due(doorbell.MOST_WAITING, self._since)
        if is_full:
            self._full_at = time.monotonic() + (time.monotonic() - begun) / FULL_SWEEP_SHARE
        if not lines:
            self._since = now - SWEEP_OVERLAP_SECONDS
        return lines


_sweeper = _Sweeper()


@shared_task(name="jobs.sweep")
def sweep() -> None:
    """Ring for what is due and for every job whose holder died. Losing a message costs one sweep, not work."""
    doorbell.ring_for_each(kept_connection.ask(lambda: services.expired(JOBS_PER_SWEEP)))
    for queue, jobs, since in kept_connection.ask(_sweeper.due):
        doorbell.ring(queue, since, times=jobs)
    heartbeats.note(HeartbeatKind.SWEEP, heartbeats.SWEEP)


def take_over_from_the_dead() -> None:
    """What dead processes of this machine held goes on at once. Called in each new process, which often replaces one."""
    try:
        if dead := owners.dead_owners():
            doorbell.ring_for_each(services.expire_leases_of(dead))
    except DatabaseError as error:
        logger.warning(
            "the dead were not asked for their jobs (%s); their leases end by themselves", type(error).__name__
        )
    finally:
        connections.close_all()  # this thread's


services.connect_doorbell(doorbell.ring)
