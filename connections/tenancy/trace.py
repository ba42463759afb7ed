"""One id for everything that one request sets off: its own log lines, the jobs that it asks for, and the calls that they make.

32 hexadecimal digits, as trace ids are everywhere (W3C Trace Context). It says nothing of anybody.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")
_job_id: ContextVar[str] = ContextVar("job_id", default="")


def trace_id() -> str:
    """Of what is being done, '' where nobody has begun anything."""
    return _trace_id.get()


def job_id() -> str:
    """Of the job that is being done, '' outside of one."""
    return _job_id.get()


@contextmanager
def tracing(known: str = "", *, job: str = "") -> Iterator[str]:
    """Until the block ends, everything belongs to this trace; to a new one where none is known."""
    trace = known or uuid.uuid4().hex
    tokens = _trace_id.set(trace), _job_id.set(job)
    try:
        yield trace
    finally:
        _trace_id.reset(tokens[0])
        _job_id.reset(tokens[1])
