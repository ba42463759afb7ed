"""When to try again: the provider's own wish (retry_after.py) as a floor, else 1, 2, 4, 8, 16 seconds plus jitter."""

from __future__ import annotations

import random
import threading
from functools import cache

BUDGET = 0.1  # retries in place per call; beyond that trouble would feed itself
AT_FIRST, AT_MOST = 3.0, 20.0  # retries that are there before any call, and that can be saved up
STEPS = (1.0, 2.0, 4.0, 8.0, 16.0)  # Procountor certification 7


class Budget:
    """Retries that this process may still make at one provider: a tenth of its calls (SECURITY RTE-3)."""

    def __init__(self) -> None:
        self._left = AT_FIRST
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call is made."""
        with self._lock:
            self._left = min(self._left + BUDGET, AT_MOST)

    def spend(self) -> bool:
        """Whether a retry may be made; it is counted."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


@cache
def budget_of(place: str) -> Budget:
    """`place`: the provider and its environment."""
    return Budget()


def delay(attempt: int, floor: float = 0.0) -> float:
    """Seconds to wait after attempt 1, 2, ...: never before the step or the floor, jitter on top."""
    step = STEPS[min(attempt, len(STEPS)) - 1]
    return max(step, floor) + random.uniform(0, step / 4)  # noqa: S311
