"""When a call is tried again: after 1, 2, 4, 8, 16 seconds plus jitter, never before the provider's own Retry-After."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from functools import cache

from connections.spec.errors import Unavailable
from connections.transport import clock, stopwatch

RETRIES_PER_CALL = 0.1  # retries in place per call; with more of them, trouble would feed itself
FIRST_RETRIES, MOST_RETRIES = 3.0, 20.0  # retries that are there before any call, and that can be saved up
STEPS_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)  # as Procountor demands of whoever it certifies, and gentle to the others
LONGEST_RETRY_WAIT_SECONDS = 8.0  # a caller waits for retries in all; beyond that the work is put down
LONGEST_CALL_SECONDS = 20.0  # after these nothing is retried in place, where the attempts themselves took so long


class RetryBudget:
    """Retries that this process may still make at one provider: a tenth of its calls (SECURITY RTE-3)."""

    def __init__(self) -> None:
        self._left = FIRST_RETRIES
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call is made."""
        with self._lock:
            self._left = min(self._left + RETRIES_PER_CALL, MOST_RETRIES)

    def spend(self) -> bool:
        """Whether a retry may be made; it is counted."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


@cache
def budget_of(place: str) -> RetryBudget:
    """The budget that all calls of this process to one provider share. `place`: the provider and its environment."""
    return RetryBudget()


class RetryWaits:
    """How long one call has waited for its retries, and whether it may wait once more."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self._began_at = time.monotonic()
        self._waited_seconds = 0.0

    def wait_or_raise(self, number: int, failure: Unavailable, *, may_retry: bool) -> None:
        """Sleep until attempt `number` (1, 2, ...) may be repeated, or raise `failure` with the time at which it may be."""
        pause = delay(number, floor=(failure.retry_at - clock.now()).total_seconds())
        is_too_long = (
            self._waited_seconds + pause > LONGEST_RETRY_WAIT_SECONDS
            or time.monotonic() - self._began_at > LONGEST_CALL_SECONDS
        )
        if not may_retry or is_too_long or not self._budget.spend():
            failure.retry_at = clock.now() + timedelta(seconds=pause)
            raise failure
        with stopwatch.measure(stopwatch.PROVIDER):
            time.sleep(pause)
        self._waited_seconds += pause


def delay(number: int, floor: float = 0.0) -> float:
    """Seconds to wait after attempt 1, 2, ...: never less than the step or the floor, with jitter on top."""
    step = STEPS_SECONDS[min(number, len(STEPS_SECONDS)) - 1]
    return max(step, floor) + random.uniform(0, step / 4)  # noqa: S311
