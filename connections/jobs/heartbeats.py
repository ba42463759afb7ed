"""Signs of life that processes write into the database, for whoever asks whether anybody works there.

What is written is that the loop turns which hears the broker, and that the database is reached: a worker whose process
stands and hears nothing is silent.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import bootsteps
from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.single_query import DatabaseSilent, query_within

logger = logging.getLogger(__name__)

WRITE_EVERY_SECONDS = 10.0
SILENT_SECONDS = 45.0  # who has written nothing for so long does nothing
PATIENCE_SECONDS = 1.0  # a loop that hears the broker waits no longer for the database
SWEEP, MAINTENANCE, TAKEOVERS = "sweep", "maintenance", "takeovers"


class HeartbeatKind(models.TextChoices):
    BEAT = "beat", _("beat")
    WORKER = "worker", _("worker")
    SWEEP = "sweep", _("sweep")
    MAINTENANCE = "maintenance", _("maintenance")
    TAKEOVER = "takeover", _("takeover")  # of a job from a worker that was gone


_WRITE = (
    "INSERT INTO jobs_heartbeat AS beat (name, kind, queues, at, count) VALUES ({}, clock_timestamp(), 1)"
    " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, queues = excluded.queues, at = excluded.at,"
    " count = beat.count + 1"
)


def note(kind: HeartbeatKind, name: str, queues: str = "") -> None:
    """That it was done just now, over Django's connection. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE.format("%s, %s, %s"), [name[:200], str(kind), queues[:200]])


class Pulse:
    """One process's own heartbeat, written no more often than every ten seconds, over a connection that ends with it.

    Nothing stays open, as the process may fork at any time; and nobody waits for longer than a second.
    """

    def __init__(self, kind: HeartbeatKind, name: str, queues: str = "") -> None:
        self._values = (name[:200], str(kind), queues[:200])
        self._due_at = 0.0  # by time.monotonic

    def write(self) -> None:
        """Where it is time. A database that does not answer is only logged: others say so louder."""
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + WRITE_EVERY_SECONDS
        try:
            query_within(PATIENCE_SECONDS, _WRITE.format("$1, $2, $3"), self._values)
        except DatabaseSilent as reason:
            logger.warning("heartbeat of %s not written: %s", self._values[0], reason)


class WorkerHeartbeat(bootsteps.StartStopStep):
    """A step of Celery's consumer: as long as its loop turns, the worker's heartbeat is written."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        queues = ",".join(sorted(consumer.app.amqp.queues.consume_from))
        pulse = Pulse(HeartbeatKind.WORKER, consumer.hostname, queues)
        pulse.write()
        self._timer = consumer.timer.call_repeatedly(WRITE_EVERY_SECONDS / 2, pulse.write)

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
