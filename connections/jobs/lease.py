"""The right to do a job now: it is taken with a new epoch, kept by a heartbeat, and refused once somebody else took it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import connection, connections, transaction

from connections.tenancy.scope import tenant_scope

logger = logging.getLogger(__name__)


HEARTBEATS_PER_LEASE = 3
HEARTBEAT_STOP_SECONDS = 5


def lease_seconds() -> float:
    """How long a lease holds unless its heartbeat renews it."""
    return float(settings.JOBS_LEASE_SECONDS)


class LeaseLost(Exception):
    """Another worker holds this job now, or it was cancelled: what this worker was about to write is not written."""


def worker_name() -> str:
    """This process, as the queue names it: `host:process id`."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Lease:
    """One job that this worker holds. Used as a context manager, it keeps itself alive by heartbeat."""

    def __init__(self, *, job_id: UUID, kind: str, subject: UUID, epoch: int, starts: int, failures: int) -> None:
        self.job_id = job_id
        self.kind = kind
        self.subject = subject
        self.epoch = epoch
        self.starts = starts
        self.failures = failures
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._heartbeat: threading.Thread | None = None

    @property
    def is_lost(self) -> bool:
        """True as soon as a heartbeat was refused: start nothing new."""
        return self._lost.is_set()

    @contextmanager
    def scope(self) -> Iterator[None]:
        """One transaction, which is this worker's to write in. Raises LeaseLost where the job is somebody else's now."""
        with transaction.atomic():
            self.check()
            yield

    def check(self) -> None:
        """Lock the job's row and compare epochs, inside the transaction that writes. Raises LeaseLost.

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
                [f"{int(lease_seconds() * 1000)}ms", self.job_id, self.epoch],
            )
            if cursor.fetchone() is None:
                self._lost.set()
                raise LeaseLost(str(self.job_id))

    def forget_crashes(self) -> None:
        """Call it in the transaction that writes progress down: the crashes before it no longer count.

        So only work that crashes again and again at the same place is parked. Costs a statement after a crash only.
        """
        if self.starts > 1:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE jobs_job SET starts = 1 WHERE id = %s AND epoch = %s AND starts > 1",
                    [self.job_id, self.epoch],
                )

    def __enter__(self) -> Self:
        self._heartbeat = threading.Thread(target=self._keep_alive, name="lease-heartbeat", daemon=True)
        self._heartbeat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._heartbeat is not None:
            self._heartbeat.join(timeout=HEARTBEAT_STOP_SECONDS)

    def _keep_alive(self) -> None:
        try:
            while not self._ended.wait(lease_seconds() / HEARTBEATS_PER_LEASE):
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
                    [lease_seconds(), self.job_id, self.epoch],
                )
                return bool(cursor.rowcount == 1)
        except Exception:
            # The database did not answer: the lease may still be ours, and the epoch decides when we write.
            logger.exception("lease of job %s not renewed", self.job_id)
            connection.close()
            return True


class TenantLease(Lease):
    """The lease of a job that is some tenant's. Its transactions are in that tenant's scope."""

    def __init__(
        self, *, job_id: UUID, tenant_id: UUID, kind: str, subject: UUID, epoch: int, starts: int, failures: int
    ) -> None:
        super().__init__(job_id=job_id, kind=kind, subject=subject, epoch=epoch, starts=starts, failures=failures)
        self.tenant_id = tenant_id

    @contextmanager
    def scope(self) -> Iterator[None]:
        """One transaction in the scope of the job's own tenant, which is this worker's to write in. Raises LeaseLost."""
        with tenant_scope(self.tenant_id):
            self.check()
            yield
