"""The portal's Celery application with one more kind of job, which only says that it was started.

celery --app tests.benchmarks.portal_worker worker ...
"""

from __future__ import annotations

from connections.jobs import registry
from connections.jobs.lease import Lease
from portal.celery import app
from tests.benchmarks.started import note

TINY = "bench.tiny"


def tiny(lease: Lease) -> None:
    note(str(lease.subject))


def register() -> None:
    registry.register(TINY, queue="interactive", handler=tiny, tenant_required=False)


register()
__all__ = ["TINY", "app", "register"]
