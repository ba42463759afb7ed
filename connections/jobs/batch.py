"""Jobs that were taken together and are done one after the other; none of them waits for long for another."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from connections.jobs import services, stopping
from connections.jobs.keeper import keeper
from connections.jobs.lease import Lease

LONG_SECONDS = 0.02  # a job that lasts longer keeps none of the others waiting
BATCH_SECONDS = 0.01  # how long the jobs of a batch may take, because who comes meanwhile waits for its end
MOST_JOBS = 64


class Batch:
    """Ends are written together, when all is done or when a job turns out to be long; then the others are put back, too.

    So a crash loses the ends of jobs that were done within the last 20 ms: those are done again, as one is whose worker
    dies between its work and the writing of its end. Of the jobs of a dead batch only the one in hand counts as crashed,
    and only if it was long; they are taken over one by one, and counted as they begin (services.claim).
    """

    def __init__(self, leases: Sequence[Lease], *, is_counted: bool) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(leases)
        self._done: list[Lease] = []
        self._in_hand: Lease | None = None
        self._begun = 0.0
        self._is_counted = is_counted
        self.was_long = False  # whether one of its jobs was
        self.seconds = 0.0  # that its jobs took; what the database takes is the same for few and for many

    def work(self, do: Callable[[Lease], bool]) -> None:
        """Call `do` for each job. It returns whether the job is done; else it has written down itself what became of it."""
        if not self._is_counted:  # one that is alone keeps nobody waiting
            keeper.watch(self)
        try:
            while (lease := self._next()) is not None:
                is_done = do(lease)
                with self._lock:
                    self._in_hand = None
                    lasted = time.monotonic() - self._begun
                    self.seconds += lasted
                    self.was_long |= lasted > LONG_SECONDS
                    if is_done:
                        self._done.append(lease)
        finally:
            keeper.leave(self)
            with self._lock:
                self._in_hand = None
                self._write()

    def _next(self) -> Lease | None:
        with self._lock:
            if not self._waiting or stopping.is_asked():
                return None
            self._in_hand, self._begun = self._waiting.popleft(), time.monotonic()
            return self._in_hand

    def settle(self) -> bool:
        """Called by the keeper's thread every 20 ms, until it returns True. While it writes, the next job does not begin."""
        with self._lock:
            is_long = time.monotonic() - self._begun > LONG_SECONDS
            if self._in_hand is None or not (is_long or stopping.is_asked()):
                return False
            if not self._is_counted:
                services.count_start(self._in_hand)
                self._is_counted = True
            self._write()
            return True

    def _write(self) -> None:
        services.succeed(*self._done)
        self._done.clear()
        services.put_back(self._waiting)
        self._waiting.clear()


class BatchSize:
    """How many jobs this process takes at once: twice as many while batches are quick, one after a long job."""

    def __init__(self) -> None:
        self.jobs = 2

    def learn(self, batch: Batch, jobs: int) -> None:
        """From a batch of so many jobs that is done."""
        if batch.was_long:
            self.jobs = 1
        elif batch.seconds > BATCH_SECONDS:
            self.jobs = max(self.jobs // 2, 2)  # not one: who asks for two and gets one knows that no more are due
        elif jobs >= self.jobs:
            self.jobs = min(self.jobs * 2, MOST_JOBS)
