"""The simulator's clock: real time plus an offset that tests may move."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from connections.sandbox.kit.store import Store


class Clock:
    """Seconds since the epoch as the simulator sees them; the offset outlives a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = float(store.get("clock_offset_seconds", 0.0))

    @property
    def offset_seconds(self) -> float:
        return self._offset

    def now(self) -> float:
        return time.time() + self._offset

    def instant(self) -> datetime:
        return datetime.fromtimestamp(self.now(), tz=UTC)

    def move(self, offset_seconds: float) -> None:
        """Set how far this clock runs ahead of real time (negative: behind)."""
        self._store.set("clock_offset_seconds", offset_seconds)
        self._offset = offset_seconds
