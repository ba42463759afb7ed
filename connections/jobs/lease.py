"""The right to do a job now: taken by epoch, renewed by heartbeat, fenced off when somebody else took it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from types import TracebackType
from uuid import UUID

from django.conf import settings
from django.db import connection, connections, transaction

logger = logging.getLogger(__name__)


def length() -> float:
    """Seconds a lease holds unless it is renewed, which happens three times as often."""
    return float(settings.JOBS_LEASE_SECONDS)


class LeaseLost(Exception):
    """Another worker holds this job now, or it was cancelled. Whatever was about to be written is not."""


def whoami() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


class Lease:
    """One job in this worker's hands. Used as a context manager, it keeps itself alive by heartbeat."""

    def __init__(
        self, *, job_id: UUID, tenant_id: UUID | None, kind: str, subject: UUID, epoch: int, starts: int, failures: int
    ) -> None:
        self.job_id = job_id
        self._tenant_id = tenant_id
        self.kind = kind
        self.subject = subject
        self.epoch = epoch
        self.starts = starts
        self.failures = failures
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    @property
    def has_tenant(self) -> bool:
        return self._tenant_id is not None

    @property
    def tenant_id(self) -> UUID:
        """Raises LookupError: a kind whose jobs may be without one must not ask for it."""
        if self._tenant_id is None:
            message = f"job {self.job_id} ({self.kind}) is of no tenant"
            raise LookupError(message)
        return self._tenant_id

    @property
    def lost(self) -> bool:
        """True as soon as a heartbeat was refused: start nothing new."""
        return self._lost.is_set()

    def check(self) -> None:
        """Lock the job row and compare epochs, inside the transaction that writes. Raises LeaseLost.

        From here on the transaction may not lie idle for longer than a lease: a process that is stopped in the middle
        of it would keep the row locked, and nobody could take the job over.
        """
        if not connection.in_atomic_block:
            message = "a lease is checked in the transaction that writes"
            raise RuntimeError(message)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, true) FROM jobs_job"
                " WHERE id = %s AND epoch = %s AND state = 'running' FOR UPDATE",
                [f"{int(length() * 1000)}ms", self.job_id, self.epoch],
            )
            if cursor.fetchone() is None:
                self._lost.set()
                raise LeaseLost(str(self.job_id))

    def moved_on(self) -> None:
        """Say, in the transaction that keeps it, that work got further: crashes before it no longer count.

        So only work that dies again and again at the same place is parked. Costs a statement after a crash only.
        """
        if self.starts > 1:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE jobs_job SET starts = 1 WHERE id = %s AND epoch = %s AND starts > 1",
                    [self.job_id, self.epoch],
                )

    def __enter__(self) -> Lease:
        self._heart = threading.Thread(target=self._beat, name="lease-heartbeat", daemon=True)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._heart is not None:
            self._heart.join(timeout=5)

    def _beat(self) -> None:
        try:
            while not self._ended.wait(length() / 3):
                if not self._renew():
                    self._lost.set()
                    return
        finally:
            connections.close_all()  # this thread's own connection

    def _renew(self) -> bool:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE jobs_job SET lease_until = clock_timestamp() + make_interval(secs => %s)"
                    " WHERE id = %s AND epoch = %s AND state = 'running'",
                    [length(), self.job_id, self.epoch],
                )
                return bool(cursor.rowcount == 1)
        except Exception:
            # The database did not answer: the lease may still be ours, and the epoch decides when we write.
            logger.exception("lease of job %s not renewed", self.job_id)
            connection.close()
            return True
