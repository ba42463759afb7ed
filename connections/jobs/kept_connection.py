"""A worker keeps its connection to the database from job to job, and finds out by its first statement whether it still stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, InternalError, OperationalError, connection

Answer = TypeVar("Answer")
# InternalError: the server takes no writes (25006), as one that was made a standby while we were idle.
LOST = (OperationalError, InterfaceError, InternalError)


def ask(question: Callable[[], Answer]) -> Answer:
    """What `question` returns, asked once more over a new connection where a kept one had failed.

    Only for a question that is one transaction of its own, and that may be asked twice: where the first commit's news was
    lost, a job is taken and forgotten, and taken over when its lease ends. Raises what the database says to the second.
    """
    is_kept = connection.connection is not None and not connection.in_atomic_block
    try:
        return question()
    except LOST:
        if not is_kept:
            raise
        connection.close()
        return question()
