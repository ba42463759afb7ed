"""What Prometheus reads: the times of this process's pages, and what the database tells of the whole installation.

Queue, runs, calls and mails are read from the tables that hold them anyway, when somebody asks: so every web process says the
same, no process counts anything that it would forget when it ends, and nothing is written for it while work is done. Labels
are names of ours alone (queues, kinds, providers, states), never a tenant's, a person's or a server's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence

from django.db import DatabaseError, connection, connections, transaction
from prometheus_client import CollectorRegistry, Histogram, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connections.jobs import vital_signs
from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.registry import QUEUES
from connections.jobs.vital_signs import VitalSigns
from connections.tenancy.scope import staff_scope
from connections.tenancy.single_query import DatabaseSilent
from portal.operations import metric_queries

logger = logging.getLogger(__name__)

CACHED_SECONDS = 10.0  # several who ask, or one who asks too often, cost no more
STATEMENT_TIMEOUT = "5s"  # as PostgreSQL spells it

registry = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)

PAGE_SECONDS = Histogram(
    "pilotage_page_seconds",
    "How long answers took, by the name of the page.",
    ("page", "status"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=registry,
)


def observe_page(page: str, status: int, seconds: float) -> None:
    """`page`: the name of its address, such as `connection`; '' where no address was meant."""
    PAGE_SECONDS.labels(page or "none", f"{status // 100}xx").observe(seconds)


def serve(host: str, port: int) -> None:
    """Answer there from now on, in threads that end with the process. Raises OSError."""
    start_http_server(port, addr=host, registry=registry)


class Installation(Collector):
    """What is true of the whole installation, at most ten seconds old; asked by one caller at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._metrics: Sequence[Metric] = ()

    def collect(self) -> Iterator[Metric]:
        # One who waits for a database that answers nobody lets the others go on with what is known.
        if self._lock.acquire(blocking=False):
            try:
                if time.monotonic() >= self._until:
                    self._metrics = list(_read())
                    self._until = time.monotonic() + CACHED_SECONDS
            finally:
                self._lock.release()
            yield from self._metrics
        else:
            yield _database_up(False)


registry.register(Installation())


def _read() -> Iterator[Metric]:
    try:
        signs = vital_signs.read()
    except DatabaseSilent:
        yield _database_up(False)
        return
    yield _database_up(True)
    yield from _vital(signs)
    try:
        with transaction.atomic(), staff_scope(savepoint=False):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
            yield from list(metric_queries.families())
    except DatabaseError as error:
        logger.warning("metrics not read: %s", str(error).strip().partition("\n")[0])
    finally:
        connections.close_all()  # this thread's, which ends with the answer


def _database_up(is_up: bool) -> Metric:
    return GaugeMetricFamily("pilotage_database_up", "1 where the database answers within a second.", value=int(is_up))


def _vital(signs: VitalSigns) -> Iterator[Metric]:
    workers = GaugeMetricFamily("pilotage_workers", "Workers that were heard lately, by queue.", labels=["queue"])
    due = GaugeMetricFamily(
        "pilotage_due_jobs", "Jobs that are due, by queue; some thousands at most.", labels=["queue"]
    )
    late = GaugeMetricFamily(
        "pilotage_oldest_due_job_seconds", "For how long the oldest due job of a queue is due.", labels=["queue"]
    )
    for queue in QUEUES:
        workers.add_metric([queue], len(signs.workers(queue)))
        due.add_metric([queue], signs.waiting[queue].jobs)
        late.add_metric([queue], signs.waiting[queue].late_seconds)
    yield from (workers, due, late)
    held = "1 where no job is done, as in a restored copy that nobody has released."
    yield GaugeMetricFamily("pilotage_held", held, value=int(not signs.is_dispatched))
    yield GaugeMetricFamily("pilotage_parked_jobs", "Jobs that were given up; a thousand at most.", value=signs.parked)
    age = GaugeMetricFamily(
        "pilotage_heartbeat_age_seconds",
        "How long ago beat, sweep and maintenance were last heard; +Inf where never.",
        labels=["kind"],
    )
    for kind in (HeartbeatKind.BEAT, HeartbeatKind.SWEEP, HeartbeatKind.MAINTENANCE):
        last = signs.last(kind)
        age.add_metric([kind.value], last.age_seconds if last else float("inf"))
    yield age
    for kind, name, words in (
        (HeartbeatKind.SWEEP, "pilotage_sweeps", "Sweeps that were made."),
        (HeartbeatKind.TAKEOVER, "pilotage_lease_losses", "Jobs that were taken over from a worker that was gone."),
    ):
        counted = signs.last(kind)
        yield CounterMetricFamily(name, words, value=counted.count if counted else 0)
