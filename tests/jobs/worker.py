"""The Celery application as workers of tests run it: with kinds of jobs that misbehave.

celery --app tests.jobs.worker worker ...
"""

from __future__ import annotations

import os
import signal
import time

from connections.jobs import registry
from connections.jobs.lease import Lease
from portal.celery import app

KILLS, SLOW, QUICK = "test.kills", "test.slow", "test.quick"


def kills(lease: Lease) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def slow(lease: Lease) -> None:
    time.sleep(3)


def quick(lease: Lease) -> None:
    pass


def register() -> None:
    registry.register(KILLS, queue="sync", handler=kills)
    registry.register(SLOW, queue="sync", handler=slow)
    registry.register(QUICK, queue="sync", handler=quick)


register()
__all__ = ["KILLS", "QUICK", "SLOW", "app", "register"]
