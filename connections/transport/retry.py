"""When to try again: the provider's own wish as a floor, else 1, 2, 4, 8, 16 seconds plus jitter."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache

BUDGET = 0.1  # retries in place per call; beyond that trouble would feed itself
AT_FIRST, AT_MOST = 3.0, 20.0  # retries that are there before any call, and that can be saved up
STEPS = (1.0, 2.0, 4.0, 8.0, 16.0)  # Procountor certification 7
LONGEST = 24 * 3600.0


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


def asked_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the provider asks us to wait, a day at most: Retry-After (seconds or date), or X-Rate-Limit-Reset where
    nothing is left of the allowance (SmartBusiness: seconds left). Nonsense is None.
    """
    seconds = _seconds(headers.get("retry-after", ""), now)
    if seconds is None and _number(headers.get("x-rate-limit-remaining", "0")) == 0:
        seconds = _number(headers.get("x-rate-limit-reset", ""))
    return None if seconds is None else min(seconds, LONGEST)


def delay(attempt: int, floor: float = 0.0) -> float:
    """Seconds to wait after attempt 1, 2, ...: never before the step or the floor, jitter on top."""
    step = STEPS[min(attempt, len(STEPS)) - 1]
    return max(step, floor) + random.uniform(0, step / 4)  # noqa: S311


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _seconds(text: str, now: datetime) -> float | None:
    if (number := _number(text)) is not None:
        return number
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return max((at - now) / timedelta(seconds=1), 0.0)
