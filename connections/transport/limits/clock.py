"""The one place where transport asks for the time."""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone


def now() -> datetime:
    """Aware, in UTC. Leases, claims and quota slots use the database's clock instead."""
    return datetime.now(timezone.utc)


def whole_seconds(started: float) -> int:
    """Wait for the end of the second that is under way, counted from `started` (of time.monotonic), and tell which it is."""
    passed = time.monotonic() - started
    whole = max(math.ceil(passed), 1)
    time.sleep(max(whole - passed, 0))
    return whole
