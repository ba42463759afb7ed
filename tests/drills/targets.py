"""Where a drill's writes go: an operation, a body for a reference, what goes wrong with it, and how often it was done."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from tests.drills.house import House
from tests.transport.hostile import HostileServer, Line

HELD = 2.5  # seconds; long enough to find and kill whoever waits for the answer
LATE = 20.0  # seconds between a lost answer and the deed

# What the other side does with a write, by name. `kill`: whoever sent it dies while it waits for the answer.
FATES = (
    "fine",
    "refused",
    "busy",
    "cut-before",
    "cut-during",
    "cut-after",
    "500-before",
    "500-after",
    "503-before",
    "504-after",
    "late",
    "kill-before",
    "kill-after",
    "kill-late",
)


class Target(Protocol):
    """One provider's write as the drill sees it. Another provider is another one of these.

    A simulator of the sandbox sets its faults for the next call of a path, so it takes one write `at_once`.
    """

    operation: str
    at_once: int
    is_looked_up: bool
    hosts: Mapping[str, Mapping[str, str]]  # stand in for the simulators' own
    app: str  # the workers' Celery application

    def connect(self, house: House) -> Any:
        """A connection that stands. The house runs."""

    def body(self, reference: str) -> Any: ...

    def prepare(self, reference: str, fate: str) -> None:
        """From now on the write with this reference meets this fate, once."""

    def done(self, reference: str) -> int:
        """How often it was really done."""

    def close(self) -> None: ...


class Double:
    """A ledger of made-up things behind a line that can be cut, in this very process."""

    operation = "things.create"
    at_once = 10
    is_looked_up = True
    app = "tests.drills.doubled"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.server = HostileServer(folder)
        self.server.behave = self._behave
        self.hosts = {"procountor": {"api": f"{self.server.address}/api", "ca": self.server.ca}}
        self._lock = threading.Lock()
        self._fates: dict[str, str] = {}
        self._done: Counter[str] = Counter()
        self.received: Counter[str] = Counter()

    def connect(self, house: House) -> Any:
        from tests.drills.doubled import stand_in

        stand_in()
        return house.connected()

    def body(self, reference: str) -> Any:
        return {"reference": reference, "amount": 1}

    def prepare(self, reference: str, fate: str) -> None:
        with self._lock:
            self._fates[reference] = fate

    def done(self, reference: str) -> int:
        with self._lock:
            return self._done[reference]

    def close(self) -> None:
        self.server.close()

    def _behave(self, line: Line) -> None:
        method, address = line.asked.split(" ")
        if address.endswith("/oauth/token"):
            line.answer(200, {"access_token": "tok-1", "expires_in": 3600})
        elif method == "POST":
            reference = json.loads(line.body)["reference"]
            with self._lock:
                self.received[reference] += 1
                fate = self._fates.pop(reference, "fine")
            self._meet(fate, line, lambda: self._do(reference))
        else:
            [reference] = parse_qs(urlsplit(address).query)["reference"]
            line.answer(200, {"things": [{"reference": reference}] * self.done(reference)})

    def _do(self, reference: str) -> None:
        with self._lock:
            self._done[reference] += 1

    def _meet(self, fate: str, line: Line, do: Callable[[], None]) -> None:
        what, _dash, when = fate.partition("-")
        if fate == "refused":
            line.answer(400, {})
        elif fate == "busy":
            line.answer(429, {})
        elif fate == "late":
            threading.Timer(LATE, do).start()
            line.hang_up()
        elif what == "kill":
            if when == "after":
                do()
            time.sleep(HELD)
            if when == "late":
                do()
            line.hang_up()
        else:
            if when != "before":
                do()
            if what.isdigit():
                line.answer(int(what), {})
            elif fate == "cut-during":
                line.write(b'HTTP/1.1 201 Whatever\r\nContent-Length: 400\r\n\r\n{"id": ')
                line.hang_up()
            elif what == "cut":
                line.hang_up()
            else:
                line.answer(201, {"reference": "kept"})
