"""What must not be cut in half: signals that would end or interrupt this process wait until a block is over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

# How a worker is told to stop, and (SIGUSR1) how Celery tells a task that its soft time limit is over.
DEFERRED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Signals that arrive in the block are delivered when it ends, however it ends; only kill -9 cuts through.

    Python handles signals in the main thread, so nothing needs holding back in another one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def defer(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    # Undone in reverse and to the end, even where a handler that is back in its place raises at once.
    with ExitStack() as stack:
        stack.callback(_deliver, arrived)
        for number in DEFERRED:
            handler = signal.getsignal(number)
            if handler is not None and handler != signal.SIG_IGN:
                stack.callback(signal.signal, number, handler)
                signal.signal(number, defer)
        yield


def _deliver(arrived: list[int]) -> None:
    with ExitStack() as stack:
        for number in dict.fromkeys(reversed(arrived)):
            stack.callback(signal.raise_signal, number)
