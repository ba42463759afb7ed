"""Celery as it comes, with late acknowledgement, on the same broker: what the portal's jobs are measured against.

celery --app tests.benchmarks.plain_celery worker ...
"""

from __future__ import annotations

import os

from celery import Celery

from tests.benchmarks.started import note

BROKER = "PORTAL_BENCH_BROKER"
QUEUE = "plain"

app = Celery("plain", broker=os.environ.get(BROKER), set_as_current=False, fixups=[])
app.conf.update(task_acks_late=True, task_ignore_result=True, task_default_queue=QUEUE)


@app.task(name="plain.tiny")
def tiny(name: str) -> None:
    note(name)
