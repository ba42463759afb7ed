"""The right to do a job now: it is taken with a new epoch, kept by a heartbeat, and refused once somebody else took it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.db import connection, transaction

from connections.jobs import stopping
from connections.jobs.keeper import keeper, lease_seconds
from connections.tenancy.scope import TENANT_SETTING, tenant_scope


class LeaseLost(Exception):
    """Another worker holds this job now, or it was cancelled: what this worker was about to write is not written."""


class Lease:
    """One job that this worker holds. Used as a context manager, it is kept alive by the process's heartbeat.

    `starts`: how often the work was begun without an end, this time included.
    """

    def __init__(
        self, *, job_id: UUID, kind: str, subject: UUID, epoch: int, starts: int, failures: int, trace_id: str = ""
    ) -> None:
        self.job_id = job_id
        self.kind = kind
        self.subject = subject
        self.epoch = epoch
        self.starts = starts
        self.failures = failures
        self.trace_id = trace_id  # of whatever asked for it, '' where time did
        self._lost = threading.Event()

    @property
    def is_lost(self) -> bool:
        """True as soon as a heartbeat was refused, or this worker was asked to stop: start nothing new.

        A handler that sees it may raise LeaseLost between two transactions. Where the worker only stops, the job is handed
        back then, and another one goes on.
        """
        return self.is_taken or stopping.is_asked()

    @property
    def is_taken(self) -> bool:
        """True as soon as it is known that somebody else holds the job, or that it was cancelled."""
        return self._lost.is_set()

    def lose(self) -> None:
        """It was found out that the job is not this worker's any more."""
        self._lost.set()

    @contextmanager
    def scope(self) -> Iterator[None]:
        """One transaction, which is this worker's to write in. Raises LeaseLost where the job is somebody else's now."""
        with transaction.atomic():
            self.check()
            yield

    def check(self, **settings: str) -> None:
        """Lock the job's row and compare epochs, inside the transaction that writes. Raises LeaseLost.

        `settings`: of the database, set by the same statement until the transaction ends.

        From here on the transaction may not lie idle for longer than a lease: a process that is stopped in the middle
        of it would keep the row locked, and nobody could take the job over.
        """
        if not connection.in_atomic_block:
            message = "a lease is checked in the transaction that writes"
            raise RuntimeError(message)
        settings = {"idle_in_transaction_session_timeout": f"{int(lease_seconds() * 1000)}ms", **settings}
        changes = ", ".join(["set_config(%s, %s, true)"] * len(settings))
        values = [part for setting in settings.items() for part in setting]
        # Not prepared: a plan from when the queue was empty would read all of it after it has filled up.
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {changes} FROM jobs_job WHERE id = %s AND epoch = %s AND state = 'running' FOR UPDATE",  # noqa: S608  # nosec B608
                [*values, self.job_id, self.epoch],
            )
            if cursor.fetchone() is None:
                self.lose()
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
        keeper.hold(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keeper.release(self)


class TenantLease(Lease):
    """The lease of a job that is some tenant's. Its transactions are in that tenant's scope."""

    def __init__(self, *, tenant_id: UUID, **of_any: Any) -> None:
        super().__init__(**of_any)
        self.tenant_id = tenant_id

    @contextmanager
    def scope(self, **settings: str) -> Iterator[None]:
        """One transaction in the scope of the job's own tenant, which is this worker's to write in. Raises LeaseLost.

        `settings`: others of the database's that hold for as long.
        """
        if connection.in_atomic_block:  # whose end must find the settings as they were
            with tenant_scope(self.tenant_id, **settings):  # type: ignore[arg-type]  # none is called savepoint
                self.check()
                yield
            return
        with transaction.atomic():
            # The queue has no row security, so the job's row is there to be locked before the scope is.
            self.check(**{TENANT_SETTING: str(self.tenant_id), **settings})
            yield


def make_lease(
    job_id: UUID,
    tenant_id: UUID | None,
    kind: str,
    subject: UUID,
    epoch: int,
    starts: int,
    failures: int,
    trace_id: str,
    *,
    is_counted: bool,
) -> Lease:
    """The lease of a row that was taken just now, `starts` as it stands there: `is_counted` with this one, or without."""
    starts += not is_counted
    of_any: dict[str, Any] = {
        "job_id": job_id,
        "kind": kind,
        "subject": subject,
        "epoch": epoch,
        "starts": starts,
        "failures": failures,
        "trace_id": trace_id,
    }
    return Lease(**of_any) if tenant_id is None else TenantLease(tenant_id=tenant_id, **of_any)
