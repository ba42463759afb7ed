"""The Celery application. PostgreSQL is the queue; Celery only rings the doorbell (connections/jobs)."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any

from billiard.util import get_logger as get_pool_logger
from celery import Celery
from celery.signals import (
    after_task_publish,
    beat_init,
    setup_logging,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_shutting_down,
)
from django.db import close_old_connections

from connections.jobs import owners, stopping
from connections.jobs.bootsteps import LostAcknowledgements
from connections.jobs.heartbeats import HeartbeatKind, Pulse, WorkerHeartbeat
from portal.operations.parent_death import die_with_worker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Celery would run Django's checks and end in a page of text; refuse_bad_start says it in one line.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["connections.jobs"])
# Celery's fix-up for Django would close every connection before and after each task. Kept ones are closed where Django
# closes a request's: when they are too old, or failed (connections/jobs/kept_connection.py has the rest).
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
app.steps["consumer"].add(LostAcknowledgements)
app.steps["consumer"].add(WorkerHeartbeat)

# A pool child that is deep in a call would not notice that its worker was killed.
worker_process_init.connect(die_with_worker)


@task_prerun.connect
def close_failed_connections(**kwargs: Any) -> None:
    close_old_connections()


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Who answers here keeps Celery from adding handlers of its own: workers and beat log as settings.py says.

    The pool's logger hands nothing on by itself, and would write plain text.
    """
    get_pool_logger().propagate = True


@worker_init.connect
def begin_worker(sender: Any, **kwargs: Any) -> None:
    from portal.operations.start import refuse_bad_start  # needs the apps, which load after this module

    refuse_bad_start("worker")
    owners.begin_worker(sender.concurrency if isinstance(sender.concurrency, int) else os.cpu_count() or 1)


@worker_process_init.connect
def begin_child(**kwargs: Any) -> None:
    from connections.jobs.tasks import take_over_from_the_dead  # needs the apps, which load after this module

    # A child that does not come up within four seconds is killed, and a database may let us wait for longer.
    threading.Thread(target=take_over_from_the_dead, name="take-over", daemon=True).start()


@worker_shutting_down.connect
def end_worker(**kwargs: Any) -> None:
    stopping.ask_to_stop()


@beat_init.connect
def refuse_bad_beat(**kwargs: Any) -> None:
    from portal.operations.start import refuse_bad_start  # needs the apps, which load after this module

    refuse_bad_start("beat")


@beat_init.connect
def begin_beat(**kwargs: Any) -> None:
    """Each time the broker took its message, the beat lives."""
    pulse = Pulse(HeartbeatKind.BEAT, f"beat@{socket.gethostname()}")
    after_task_publish.connect(lambda **_: pulse.write(), sender="jobs.sweep", weak=False)
