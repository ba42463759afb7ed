"""The request budget: so many calls in a period, told in three headers of every answer."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from connections.sandbox.kit import Kit

DEFAULT = {"limit": 1000, "seconds": 3600}  # the document's example


@dataclass(frozen=True)
class Budget:
    """Where one caller stands: `reset` is in seconds left, not an instant."""

    limit: int
    remaining: int
    reset: int
    over: bool = False

    def headers(self) -> dict[str, str]:
        return {
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Reset": str(self.reset),
        }


class Quota:
    """A period begins with a caller's first call; the limit is kept, the counts do not outlive a restart."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._lock = threading.Lock()
        self._periods: dict[str, tuple[float, int]] = {}

    def change(self, limit: int, seconds: int) -> None:
        """From now on, for everybody, beginning with a new period."""
        self._kit.store.set("rate", {"limit": limit, "seconds": seconds})
        with self._lock:
            self._periods.clear()

    def count_call(self, caller: str, *, counted: bool = True) -> Budget:
        """Count one call, unless it is over the limit or not to be `counted`."""
        rate, now = self._kit.store.get("rate", DEFAULT), self._kit.clock.now()
        limit, seconds = int(rate["limit"]), int(rate["seconds"])
        with self._lock:
            begun, used = self._periods.get(caller, (now, 0))
            if not 0 <= now - begun < seconds:
                begun, used = now, 0
            over = used >= limit
            used += counted and not over
            self._periods[caller] = (begun, used)
        return Budget(limit, limit - used, max(1, math.ceil(begun + seconds - now)), over)
