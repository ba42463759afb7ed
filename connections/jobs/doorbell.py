"""Tells workers that jobs may be due: Celery messages over one broker connection that this process keeps.

A message that is lost costs one sweep, no work; so ringing gives up soon and never raises.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from celery import current_app
from django.conf import settings
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.2  # for each answer of the broker, and for another thread that is ringing
WORK_TASK = "jobs.work"
# A broker that is gone or fails over, as kombu wraps it; and unwrapped what it answers to a single command, such as
# MASTERDOWN to the question how long a queue is.
BROKER_ERRORS = (OperationalError, OSError, RedisError)


class _Doorbell:
    """The connection, for one thread at a time; opened when first used, and anew after an error or a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._broker: Connection | None = None
        self._opened_by = 0

    def use(self, say: Callable[[Connection], None]) -> None:
        """Call `say` with the connection. Raises one of BROKER_ERRORS, after 200 ms where nobody answers.

        A connection that lay idle may be gone without our knowing: then `say` is called once more with a new one.
        """
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            message = "another thread waits for the broker"
            raise TimeoutError(message)
        try:
            is_kept = self._broker is not None and self._opened_by == os.getpid()
            begun = time.monotonic()
            try:
                say(self._connection())
            except BROKER_ERRORS:
                self._close()
                if not is_kept or time.monotonic() - begun > PATIENCE_SECONDS / 2:
                    raise
                say(self._connection())
        except BROKER_ERRORS:
            self._close()
            raise
        finally:
            self._lock.release()

    def _connection(self) -> Connection:
        if self._broker is None or self._opened_by != os.getpid():
            # It gives up soon; the workers' own connection waits for its broker instead.
            self._broker = current_app.connection_for_write(
                connect_timeout=PATIENCE_SECONDS,
                transport_options={
                    **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
                    "socket_timeout": PATIENCE_SECONDS,
                    "socket_connect_timeout": PATIENCE_SECONDS,
                    "max_retries": 0,
                },
            )
            self._opened_by = os.getpid()
        return self._broker

    def _close(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            with suppress(*BROKER_ERRORS):  # it is gone, and there is nothing left to say to it
                broker.release()


_doorbell = _Doorbell()


def ring(job_id: UUID, queue: str) -> None:
    """Tell the workers of `queue`; when the broker does not answer within 200 ms, the sweep finds the job."""
    try:
        _doorbell.use(lambda broker: _send(broker, job_id, queue))
    except BROKER_ERRORS as error:
        logger.warning("doorbell for job %s not heard (%s); the sweep will find it", job_id, type(error).__name__)


def ring_for_all(jobs: list[tuple[UUID, str]], most_waiting: int) -> None:
    """Ring for these (id, queue), in this order, until `most_waiting` messages wait in a queue.

    Where a queue is long already its workers have enough to do; more messages would only make it longer.
    """

    def say(broker: Connection) -> None:
        for queue in dict.fromkeys(queue for _, queue in jobs):
            waiting = broker.default_channel.queue_declare(queue=queue).message_count
            due = [job_id for job_id, its_queue in jobs if its_queue == queue]
            for job_id in due[: max(most_waiting - waiting, 0)]:
                _send(broker, job_id, queue)

    try:
        _doorbell.use(say)
    except BROKER_ERRORS as error:
        logger.warning("%d due jobs not rung for (%s); the next sweep will", len(jobs), type(error).__name__)


def _send(broker: Connection, job_id: UUID, queue: str) -> None:
    current_app.send_task(WORK_TASK, [str(job_id)], queue=queue, connection=broker, retry=False)
