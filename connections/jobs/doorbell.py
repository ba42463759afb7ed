"""Tells workers that jobs may be due: Celery messages over one broker connection that this process keeps.

A message that is lost costs one sweep, no work; so ringing gives up soon and never raises.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.2  # for each answer of the broker, and for another thread that is ringing
WORK_OFF_TASK, WORK_TASK = "jobs.work_off", "jobs.work"
MOST_WAITING = 16  # messages in a queue
OFTEN_SECONDS = 0.1  # between two rings of this process, of which the second asks first how many wait
# A broker that is gone or fails over, as kombu wraps it; and unwrapped what it answers to a single command, such as
# MASTERDOWN to the question how long a queue is.
BROKER_ERRORS = (OperationalError, OSError, RedisError)


class _Doorbell:
    """The connection, for one thread at a time; opened when first used, and anew after an error or a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._broker: Connection | None = None
        self._opened_by = 0
        self.rung_at: dict[str, float] = {}  # by time.monotonic, for each queue

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
        broker: Any = self._broker
        self._broker = None
        if broker is not None:
            with suppress(*BROKER_ERRORS):  # it is gone, and there is nothing left to say to it
                broker.release()


_doorbell = _Doorbell()


def ring(queue: str, since: float | None, *, times: int = 1) -> None:
    """Tell workers of `queue` that something waits since then (seconds since 1970, of the database's clock; None: go on).

    When the broker does not answer within 200 ms, the sweep finds it. Each worker that hears does what is due until nothing
    is left, so that more than a few messages in a queue would only make it longer.
    """

    earliest = None if since is None else max(since, 0.0)  # JSON has no word for -inf, which somebody may have written

    def say(broker: Connection) -> None:
        waiting = 0
        if times > 1 or time.monotonic() - _doorbell.rung_at.get(queue, -math.inf) < OFTEN_SECONDS:
            channel: Any = broker.default_channel
            waiting = channel.queue_declare(queue=queue).message_count
        _doorbell.rung_at[queue] = time.monotonic()
        for _ in range(min(times, MOST_WAITING - waiting)):
            _send(broker, WORK_OFF_TASK, [queue, earliest], queue)

    try:
        _doorbell.use(say)
    except BROKER_ERRORS as error:
        logger.warning("doorbell of %s not heard (%s); the sweep will find its jobs", queue, type(error).__name__)


def ring_for_each(jobs: Sequence[tuple[UUID, str]]) -> None:
    """Ring for these (id, queue) by id: for jobs to be taken over, each by itself."""

    def say(broker: Connection) -> None:
        for job_id, queue in jobs:
            _send(broker, WORK_TASK, [str(job_id)], queue)

    try:
        if jobs:
            _doorbell.use(say)
    except BROKER_ERRORS as error:
        logger.warning("%d jobs not rung for (%s); the next sweep will", len(jobs), type(error).__name__)


def _send(broker: Connection, task: str, arguments: list[Any], queue: str) -> None:
    current_app.send_task(task, arguments, queue=queue, connection=broker, retry=False)
