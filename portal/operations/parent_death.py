"""Ties a child process to its parent, so that a killed parent leaves nobody behind (Linux; elsewhere a no-op)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

# Loaded here, because a forked child must not load libraries before it execs.
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: int = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Ask the kernel to send this process `number` when the thread that forked it ends.

    `parent` is the expected parent's pid: whoever died before the request was made is noticed by it.
    A change of user clears the request, so call this after one. Raises OSError.
    """
    if LIBC is None:
        return
    if LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        failure = ctypes.get_errno()
        raise OSError(failure, os.strerror(failure))
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), number)


def die_with_worker(**_: object) -> None:
    """Receiver of Celery's ``worker_process_init``: a pool child ends with the worker that forked it."""
    die_with_parent(signal.SIGKILL)
