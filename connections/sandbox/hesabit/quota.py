"""The day's budget of a client id: 20,000 calls over all its tokens, until midnight in Tehran."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connections.sandbox.hesabit.errors import ApiError
from connections.sandbox.kit import Kit

DAILY_CALLS = 20_000  # the document's
TEHRAN = ZoneInfo("Asia/Tehran")  # where its day ends is inferred


class Quota:
    """Counts and limit are kept; a day's counts stay until a reset."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._store = kit, kit.store

    @property
    def limit(self) -> int:
        return int(self._store.get("daily_limit", DAILY_CALLS))

    def change(self, limit: int) -> None:
        self._store.set("daily_limit", limit)

    def reset(self) -> None:
        self.change(DAILY_CALLS)
        self._store.write("DELETE FROM calls")

    def count_call(self, client_id: str) -> None:
        """Count one call. Raises Trouble when the day's calls were used up before it."""
        day, limit = self._today(), self.limit
        sql = """INSERT INTO calls (client_id, day, counted, refused) VALUES (?1, ?2, 1 - ?3, ?3)
            ON CONFLICT DO UPDATE SET counted = counted + 1 - ?3, refused = refused + ?3"""
        with self._store.transaction():
            row = self._store.row("SELECT counted FROM calls WHERE client_id = ? AND day = ?", client_id, day)
            over = (row["counted"] if row else 0) >= limit
            self._store.write(sql, client_id, day, int(over))
        if over:
            answer = self._kit.switches["over_budget"]
            wait = {"Retry-After": str(self._seconds_left())} if answer == "429_retry_after" else {}
            raise ApiError(403 if answer == "403" else 429, "quota_exceeded", headers=wait)

    def usage(self) -> dict[str, Any]:
        """Today's counts by client id, for the control API."""
        rows = self._store.rows("SELECT * FROM calls WHERE day = ? ORDER BY client_id", self._today())
        return {
            "limit": self.limit,
            "day": self._today(),
            "seconds_left": self._seconds_left(),
            "clients": {row["client_id"]: {"calls": row["counted"], "refused": row["refused"]} for row in rows},
        }

    def _now(self) -> datetime:
        return self._kit.clock.instant().astimezone(TEHRAN)

    def _today(self) -> str:
        return self._now().date().isoformat()

    def _seconds_left(self) -> int:
        now = self._now()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=TEHRAN)
        return max(1, math.ceil((midnight - now).total_seconds()))
