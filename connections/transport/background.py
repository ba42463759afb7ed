"""Threads in which requests are made while their caller does something else. What runs there asks the database nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

MOST_THREADS = 16  # of one process; each keeps its connections to providers open


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="request")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not live on in a forked process


def begin(work: Callable[[], None]) -> Future[None]:
    """Start work in a thread; `result()` waits for its end and raises what it raised."""
    return _pool().submit(work)
