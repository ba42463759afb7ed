"""Counts requests to stop (Ctrl-C, SIGTERM, SIGHUP), and waits in a way that any signal ends at once, without polling."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """Somebody asked us to stop."""


class StopSignals:
    """Handles the stopping signals, also where the shell that put us in the background had them ignored.

    The handlers only count: an exception there could lose a child between its fork and our note of it.
    """

    def __init__(self) -> None:
        self.stop_requests = 0
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in STOPPING:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1

    def wait(self, seconds: float | None = None) -> None:
        """Return at the next signal, or after `seconds`."""
        if select.select([self._read_end], [], [], seconds)[0]:
            os.read(self._read_end, 4096)

    def pause(self, seconds: float) -> None:
        """The whole time, unless somebody asks us to stop. Raises StopRequested."""
        deadline = time.monotonic() + seconds
        while not self.stop_requests and (remaining := deadline - time.monotonic()) > 0:
            self.wait(remaining)
        self.check()

    def check(self) -> None:
        """Raises StopRequested."""
        if self.stop_requests:
            raise StopRequested
