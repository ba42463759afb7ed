"""Who holds a job: the name of a worker's process, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from django.db import connection

_worker = 0  # the process id of the worker that this process belongs to; it has forked its pool's children
_concurrency = 1  # how many jobs that worker does at a time


def begin_worker(concurrency: int) -> None:
    """This process is a worker that will do so many jobs at a time, in threads or in children that it forks from now on."""
    global _worker, _concurrency
    _worker, _concurrency = os.getpid(), concurrency


def concurrency() -> int:
    """How many jobs the worker that this process belongs to does at a time; 1 where it belongs to none."""
    return _concurrency


def _place() -> str:
    """What all processes that see each other's ids have in common: this start of the machine, and its process namespace.

    '' where the system cannot say.
    """
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{started}{Path('/proc/self/ns/pid').readlink().name[4:].strip('[]:')}"
    except OSError:
        return ""


PLACE = _place()


def place_prefix() -> str:
    return f"{socket.gethostname()[:60]}:{PLACE}:"


def worker_prefix() -> str:
    """With which the names of all processes of this worker begin."""
    return f"{place_prefix()}{_worker or os.getpid()}:"


def worker_name() -> str:
    """This process, as the queue names it: `host:place:worker's process id:process id`."""
    return f"{worker_prefix()}{os.getpid()}"


def dead_owners() -> list[str]:
    """Owners of running jobs whose process was one of this machine and is no more. None where that cannot be known."""
    if not PLACE:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT owner FROM jobs_job WHERE state = 'running' AND lease_until > statement_timestamp()"
            " AND ended_at IS NULL AND starts_with(owner, %s)",
            [place_prefix()],
        )
        return [owner for (owner,) in cursor.fetchall() if not _lives(owner)]


def _lives(owner: str) -> bool:
    try:
        os.kill(int(owner.rpartition(":")[2]), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        return True  # another user's, or no process id of ours: nothing that we could know
    return True
