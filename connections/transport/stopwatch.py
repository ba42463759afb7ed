"""Where a worker's time goes while somebody has it measured: waiting for a place, for a server, or for the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

LIMITER, BREAKER, PROVIDER, DATABASE = "limiter", "breaker", "provider", "database"


class Stopwatch:
    """Seconds by what they were spent on, each second once: what is measured inside of something else is not counted there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """For `connection.execute_wrapper`: every statement is the database's time."""
        with self.measure(DATABASE):
            return execute(sql, params, many, context)

    def _turn(self) -> None:
        now = self._clock()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


_running: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


@contextmanager
def running(stopwatch: Stopwatch) -> Iterator[None]:
    """`measure` below counts here until the block ends, in this thread."""
    token = _running.set(stopwatch)
    try:
        yield
    finally:
        _running.reset(token)


def measure(name: str) -> AbstractContextManager[None]:
    """Count the block as time of this kind, where anybody has it measured."""
    stopwatch = _running.get()
    return nullcontext() if stopwatch is None else stopwatch.measure(name)
