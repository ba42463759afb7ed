"""One worker of the demo: `python -m portal.devserver.worker --name sync --queues sync`. With `--beat` it rings, too.

Celery's own worker with threads instead of child processes, and its own beat as a thread: two processes that hold
Django do what takes ten of them in production. Threads cannot be killed, so Celery's time limits do not hold here.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence

from celery.beat import EmbeddedService
from celery.signals import beat_init, worker_ready

from portal.celery import app, refuse_bad_beat

THREADS = 4


def main(arguments: Sequence[str]) -> int:
    """Work until a signal asks to stop. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m portal.devserver.worker", description="A worker of the demo.")
    parser.add_argument("--name", required=True, help="what its log lines call it")
    parser.add_argument("--queues", required=True, help="the queues it serves, with commas between them")
    parser.add_argument("--beat", action="store_true", help="ring for due jobs, too")
    options = parser.parse_args(arguments)
    if options.beat:
        worker_ready.connect(start_beat)
    worker = app.Worker(
        hostname=f"{options.name}@{socket.gethostname()}",
        queues=options.queues,
        pool="threads",
        concurrency=THREADS,
        loglevel="INFO",
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def start_beat(**_: object) -> None:
    """In a thread, once the worker has passed its checks: they ask for more than beat's own, which want its environment."""
    beat_init.disconnect(refuse_bad_beat)
    EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler").start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
