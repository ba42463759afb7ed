"""The one place where transport asks this machine for the time of day."""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone


def now() -> datetime:
    """Aware, in UTC. Leases, claims and quota slots use the database's clock instead."""
    return datetime.now(timezone.utc)


def wait_for_whole_second(started: float) -> int:
    """Sleep until the second that is under way is over; return which one it is, counted from `started`.

    `started`: of time.monotonic. What takes between one and two seconds always takes two.
    """
    elapsed = time.monotonic() - started
    whole = max(math.ceil(elapsed), 1)
    time.sleep(max(whole - elapsed, 0))
    return whole
