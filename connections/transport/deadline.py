"""Sockets that give up at one instant, however slowly they are fed: a socket's own timeout starts anew with every byte."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_local = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything that this thread reads or sends over TLS in the block ends within `seconds`, or raises TimeoutError."""
    _local.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _local.until = None


def left() -> float | None:
    """Seconds left of the block, None outside of one. Raises TimeoutError when they are over."""
    until: float | None = getattr(_local, "until", None)
    if until is None:
        return None
    remaining = until - time.monotonic()
    if remaining <= 0:
        message = "timed out"
        raise TimeoutError(message)
    return remaining


class TLSSocket(ssl.SSLSocket):
    """Made by the contexts of trust.py. What reads a status line, headers or a body goes through `recv_into`."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().send(*args, **kwargs)

    def _hurry(self) -> None:
        remaining, allowed = left(), self.gettimeout()
        if remaining is not None and (allowed is None or allowed > remaining):
            self.settimeout(remaining)
