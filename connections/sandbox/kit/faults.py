"""Faults on demand: answers a test orders for the next calls of a path, before the simulator itself may answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

CUTS = ("before", "middle", "after")
_FIELDS = {"path", "method", "status", "times", "skip", "headers", "delay_ms", "cut", "body", "content_type"}


class WrongFault(ValueError):
    """A fault that was not understood; the text says why."""


@dataclass
class Fault:
    """What to do with the next `times` calls of `path` (a template without the base path, or `*`), after `skip` calls.

    `cut` ends the connection without an answer: `before` anything happened, `after` everything happened, or in the
    `middle` of an ordinary answer. `times` = None lasts until the faults are replaced.
    """

    path: str
    method: str | None = None
    status: int | None = None
    times: int | None = 1
    skip: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    cut: str | None = None
    body: str | None = None
    content_type: str = "application/json"

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not (self.path == "*" or self.path.startswith("/")):
            msg = "path must start with / or be *"
            raise WrongFault(msg)
        if self.cut is not None and self.cut not in CUTS:
            msg = f"cut must be one of {', '.join(CUTS)}"
            raise WrongFault(msg)
        if self.status is not None and not (isinstance(self.status, int) and 200 <= self.status <= 599):
            msg = "status must be a number from 200 to 599"
            raise WrongFault(msg)
        if self.status is None and self.body is not None:
            msg = "a body needs a status"
            raise WrongFault(msg)


class Faults:
    """The faults waiting to happen, in the order they were given; they do not outlive a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def replace(self, faults: Iterable[Mapping[str, Any]]) -> None:
        """Forget what was waiting and take these instead; an empty list heals everything. Raises WrongFault."""
        waiting = []
        for each in faults:
            if strange := set(each) - _FIELDS:
                msg = f"unknown field {', '.join(sorted(strange))}"
                raise WrongFault(msg)
            if "path" not in each:
                msg = "a fault needs a path"
                raise WrongFault(msg)
            waiting.append(Fault(**each))
        with self._lock:
            self._waiting = waiting

    def take(self, method: str, path: str) -> Fault | None:
        """The fault this call must meet, if any."""
        with self._lock:
            for fault in self._waiting:
                if fault.path not in ("*", path) or fault.method not in (None, method):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    if fault.times <= 0:
                        continue
                    fault.times -= 1
                return fault
        return None

    def waiting(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {
                    "path": f.path,
                    "method": f.method,
                    "status": f.status,
                    "cut": f.cut,
                    "times": f.times,
                    "skip": f.skip,
                }
                for f in self._waiting
                if f.times is None or f.times > 0
            ]
