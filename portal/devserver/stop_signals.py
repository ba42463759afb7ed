"""Waiting that a signal ends at once: for a person's Ctrl-C and for a child's death, without polling."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(Exception):
    """Somebody asked us to stop."""


class Bell:
    """Handles the stopping signals, also where the shell that put us in the background had them ignored.

    Handlers only count: raising there could lose a child between its fork and our note of it.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._hear, self._ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)
        for number in STOPPING:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1

    def wait(self, seconds: float | None = None) -> None:
        """Return at the next signal, or after `seconds`."""
        if select.select([self._hear], [], [], seconds)[0]:
            os.read(self._hear, 4096)

    def pause(self, seconds: float) -> None:
        """The whole time, unless somebody asks us to stop. Raises StopAsked."""
        deadline = time.monotonic() + seconds
        while not self.asked and (left := deadline - time.monotonic()) > 0:
            self.wait(left)
        self.check()

    def check(self) -> None:
        """Raises StopAsked."""
        if self.asked:
            raise StopAsked
