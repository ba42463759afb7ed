"""A worker beside the one that is treated badly: it calls an honest provider, over and over, in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

PAUSE = 0.1  # seconds between two calls
CONTEXT = multiprocessing.get_context("fork")


class Neighbour:
    """Begins with what this process has loaded, and shares nothing with it from then on but the database."""

    def __init__(self, connection: Any, hosts: dict[str, Any]) -> None:
        """`hosts`: where this worker alone finds its provider."""
        from django.db import connection as database

        self._answers, self._gap = CONTEXT.Value("q", 0), CONTEXT.Value("d", 0.0)
        database.close()
        self._child = CONTEXT.Process(target=self._go, args=(connection, hosts), daemon=True)
        self._child.start()

    def begin(self) -> int:
        """From now on the longest gap counts. Gives what `gap` wants to know."""
        with self._gap.get_lock():
            self._gap.value = 0.0
        return int(self._answers.value)

    def gap(self, since: int, seconds: float) -> float:
        """The longest time between two good answers since `begin`, in seconds; `seconds` where none came for so long."""
        until = time.monotonic() + seconds
        while self._answers.value < since + 2:  # the first may have been on its way before
            if time.monotonic() > until or not self._child.is_alive():
                return seconds
            time.sleep(PAUSE)
        return float(self._gap.value)

    def stop(self) -> None:
        self._child.kill()
        self._child.join()

    def _go(self, connection: Any, hosts: dict[str, Any]) -> None:
        from django.conf import settings

        from connections.spec.errors import CallFailed
        from connections.transport.client import Client

        settings.SANDBOX_HOSTS = hosts
        last = time.monotonic()
        while True:
            try:
                Client(connection=connection).send("session")
            except CallFailed:
                continue  # nothing but a good answer ends the gap
            now = time.monotonic()
            with self._gap.get_lock():
                self._gap.value = max(self._gap.value, now - last)
            with self._answers.get_lock():
                self._answers.value += 1
            last = now
            time.sleep(PAUSE)
