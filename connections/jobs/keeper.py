"""One thread of each process that renews the leases of all jobs in hand, and looks after batches with a long job in hand."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import connection, connections

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3
LOOK_SECONDS = 0.02  # between two looks at batches
RETRY_SECONDS = 0.5  # until a lease is renewed that could not be: its row was locked, or the database did not answer


def lease_seconds() -> float:
    """How long a lease holds unless it is renewed."""
    return float(settings.JOBS_LEASE_SECONDS)


class HeldLease(Protocol):
    """What is to be known of a lease to renew it."""

    job_id: UUID
    epoch: int

    def lose(self) -> None: ...


class HeldBatch(Protocol):
    """Jobs that were taken together. `settle` is called by the keeper's thread every 20 ms, until it returns True."""

    def settle(self) -> bool: ...


class Keeper:
    """Rests, without a connection to the database, while nothing is held."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._renew_at: dict[HeldLease, float] = {}  # by time.monotonic
        self._batches: set[HeldBatch] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0

    def hold(self, lease: HeldLease) -> None:
        """Renew it from now on."""
        with self._lock:
            self._renew_at[lease] = time.monotonic() + lease_seconds() / RENEWALS_PER_LEASE
            self._look_at(self._renew_at[lease])

    def release(self, lease: HeldLease) -> None:
        with self._lock:
            self._renew_at.pop(lease, None)

    def watch(self, batch: HeldBatch) -> None:
        """Look after it from now on."""
        with self._lock:
            self._batches.add(batch)
            self._look_at(time.monotonic() + LOOK_SECONDS)

    def leave(self, batch: HeldBatch) -> None:
        with self._lock:
            self._batches.discard(batch)

    def _look_at(self, instant: float) -> None:
        if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
            self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
            self._thread.start()
        elif instant < self._rests_until:
            self._wake.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                self._rests_until = min(self._renew_at.values(), default=math.inf)
                if self._batches:
                    self._rests_until = min(self._rests_until, now + LOOK_SECONDS)
                rest = self._rests_until - now
            if math.isinf(rest):
                connections.close_all()  # this thread's own
                self._wake.wait()
            elif rest > 0:
                self._wake.wait(rest)
            self._wake.clear()
            with self._lock:
                batches, due = list(self._batches), self._due()
            try:
                for batch in batches:
                    if batch.settle():
                        self.leave(batch)
                if due:
                    self._renew(due)
            except Exception:
                # The database did not answer: the leases may still be ours, and the epoch decides when we write.
                logger.exception("%d leases not renewed", len(due))
                connection.close()

    def _due(self) -> list[HeldLease]:
        """Whose time has come, or comes soon. They are looked at again soon, unless they are renewed before."""
        now = time.monotonic()
        if all(at > now for at in self._renew_at.values()):
            return []
        soon = now + lease_seconds() / RENEWALS_PER_LEASE / 2
        due = [lease for lease, at in self._renew_at.items() if at <= soon]
        self._renew_at.update(dict.fromkeys(due, now + min(RETRY_SECONDS, lease_seconds() / RENEWALS_PER_LEASE)))
        return due

    def _renew(self, leases: list[HeldLease]) -> None:
        """By one statement, which waits for none of the rows: one that is locked is written by its own holder just now."""
        begun = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH held AS (SELECT * FROM unnest(%s::uuid[], %s::bigint[]) AS held (id, epoch)),"
                " free AS (SELECT job.id FROM jobs_job job JOIN held ON held.id = job.id AND held.epoch = job.epoch"
                " WHERE job.state = 'running' FOR UPDATE OF job SKIP LOCKED),"
                " renewed AS (UPDATE jobs_job SET lease_until = clock_timestamp() + make_interval(secs => %s)"
                " FROM free WHERE jobs_job.id = free.id RETURNING jobs_job.id)"
                " SELECT job.id, EXISTS (SELECT 1 FROM renewed WHERE renewed.id = job.id)"
                " FROM jobs_job job JOIN held ON held.id = job.id AND held.epoch = job.epoch WHERE job.state = 'running'",
                [[lease.job_id for lease in leases], [lease.epoch for lease in leases], lease_seconds()],
            )
            is_renewed = dict(cursor.fetchall())
        with self._lock:
            for lease in leases:
                if lease.job_id not in is_renewed:
                    lease.lose()
                    self._renew_at.pop(lease, None)
                elif is_renewed[lease.job_id] and lease in self._renew_at:
                    self._renew_at[lease] = begun + lease_seconds() / RENEWALS_PER_LEASE


keeper = Keeper()
