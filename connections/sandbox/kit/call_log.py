"""What the API was asked: the newest calls, and counters; never a secret, never a whole address."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from connections.sandbox.kit.clock import Clock

MAX_CALLS = 2000
HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Call:
    """One call as it is shown: `path` is a template, `query` plain paging and filter values, `note` why it was refused."""

    number: int
    at: float
    method: str
    path: str
    query: str
    status: int
    company: str
    user: str
    milliseconds: float
    note: str

    @property
    def operation(self) -> str:
        return f"{self.method} {self.path}"


class CallLog:
    """Calls since the simulator was started, or since the counters were reset."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._calls: deque[Call] = deque(maxlen=MAX_CALLS)
            self._operations: Counter[str] = Counter()
            self._statuses: Counter[str] = Counter()
            self._token_requests: deque[float] = deque()
            self._tokens_issued = 0
            self._recent: dict[str, deque[float]] = {}
            self._peaks: dict[str, int] = {}
            self._number = 0

    def count_call(self, company: str) -> int:
        """Count one request of a company in its sliding second; returns how many that second holds now."""
        now = time.monotonic()
        with self._lock:
            recent = self._recent.setdefault(company, deque())
            recent.append(now)
            while recent[0] <= now - 1.0:
                recent.popleft()
            self._peaks[company] = max(self._peaks.get(company, 0), len(recent))
            return len(recent)

    def note(
        self,
        *,
        method: str,
        path: str,
        query: str,
        status: int,
        company: str,
        user: str,
        seconds: float,
        token: bool,
        note: str,
    ) -> None:
        """Write one finished call down; `token` marks a token request, status 0 an answer that never left."""
        at = self._clock.now()
        with self._lock:
            self._number += 1
            call = Call(self._number, at, method, path, query, status, company, user, round(seconds * 1000, 2), note)
            self._calls.appendleft(call)
            self._operations[call.operation] += 1
            self._statuses[str(status)] += 1
            if token:
                self._token_requests.append(at)
                self._tokens_issued += status in (200, 201)

    def newest(self, limit: int = 200) -> list[Call]:
        with self._lock:
            return [call for _, call in zip(range(limit), self._calls, strict=False)]

    def counters(self) -> dict[str, Any]:
        now = self._clock.now()
        with self._lock:
            return {
                "calls": self._number,
                "calls_by_operation": dict(self._operations),
                "calls_by_status": dict(self._statuses),
                "token_requests": len(self._token_requests),
                "token_requests_last_hour": sum(1 for at in self._token_requests if now - HOUR_SECONDS < at <= now),
                "tokens_issued": self._tokens_issued,
                "peak_per_second": max(self._peaks.values(), default=0),
                "peak_per_second_by_company": dict(self._peaks),
            }
