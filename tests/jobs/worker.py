"""The Celery application as workers of tests run it: with kinds of jobs that misbehave.

celery --app tests.jobs.worker worker ...
"""

from __future__ import annotations

import os
import signal
import time

from connections.jobs import registry
from connections.jobs.lease import Lease, LeaseLost
from portal.celery import app

KILLS, SLOW, QUICK, COUNTED, PAGES = "test.kills", "test.slow", "test.quick", "test.counted", "test.pages"


def kills(lease: Lease) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def slow(lease: Lease) -> None:
    time.sleep(3)


def quick(lease: Lease) -> None:
    pass


def pages(lease: Lease) -> None:
    """Page after page for ever at its first start, as long as the job may go on here."""
    while lease.epoch == 1:
        time.sleep(0.1)
        if lease.is_lost:
            raise LeaseLost(str(lease.job_id))


def counted(lease: Lease) -> None:
    """An event of the system's trail for each time that it was done."""
    from connections.tenancy import audit  # needs the apps, which load after this module
    from connections.tenancy.scope import SYSTEM

    with lease.scope():
        audit.record_system(actor=SYSTEM, action=COUNTED, subject=str(lease.job_id))


def register() -> None:
    registry.register(KILLS, queue="sync", handler=kills, tenant_required=False)
    registry.register(SLOW, queue="sync", handler=slow, tenant_required=False)
    registry.register(QUICK, queue="sync", handler=quick, tenant_required=False)
    registry.register(PAGES, queue="sync", handler=pages, tenant_required=False)
    registry.register(COUNTED, queue="sync", handler=counted, tenant_required=False)


register()
__all__ = ["COUNTED", "KILLS", "PAGES", "QUICK", "SLOW", "app", "register"]
