"""When to try again: the provider's own wish as a floor, else 1, 2, 4, 8, 16 seconds plus jitter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

STEPS = (1.0, 2.0, 4.0, 8.0, 16.0)  # Procountor certification 7
LONGEST = 24 * 3600.0


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
