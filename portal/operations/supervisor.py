"""Keeps a set of processes as one thing: starts them, notices the first that ends, stops them all in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from portal.operations.bell import Bell
from portal.operations.broker import Valkey
from portal.operations.children import Child
from portal.operations.embedded import Postgres
from portal.operations.refusal import Refused
from portal.operations.servers import tail
from portal.operations.state import Folders


class ChildEnded(Exception):
    """A process that should run has ended. The text names it and its log's last lines."""


class Supervisor:
    """Servers first, then children; on the way down children first. The main thread alone may use it."""

    def __init__(self, *, folders: Folders, cwd: Path, bell: Bell) -> None:
        self.folders = folders
        self.cwd = cwd
        self.bell = bell
        self.servers: list[Postgres | Valkey] = []
        self.children: list[Child] = []

    def serve(self, server: Postgres | Valkey) -> None:
        """Start an embedded server. Raises Refused, StopAsked."""
        self.servers.append(server)
        server.start(self.bell.pause)

    def start(self, child: Child) -> None:
        self.bell.check()
        self.children.append(child)
        child.start(self.folders, self.cwd)

    def finish(self, child: Child, *, seconds: float) -> None:
        """Run a command to its end beside the others. Raises Refused with its last words, ChildEnded, StopAsked."""
        self.start(child)
        self.until(lambda: child.ended, seconds=seconds, what=child.name, may_end=child)
        self.children.remove(child)
        if child.process is not None and child.process.returncode != 0:
            log = self.folders.log / f"{child.name}.log"
            message = f"{child.name} failed; the end of {log}:\n{tail(log)}"
            raise Refused(message, exit_code=1)

    def until(self, reached: Callable[[], bool], *, seconds: float, what: str, may_end: Child | None = None) -> None:
        """Wait for a state, watching everybody. Raises Refused after `seconds`, ChildEnded, StopAsked."""
        deadline = time.monotonic() + seconds
        while not reached():
            self.watch(may_end=may_end)
            if time.monotonic() > deadline:
                message = f"{what} was not ready within {seconds:.0f} s; see {self.folders.log}"
                raise Refused(message, exit_code=1)
            self.bell.wait(0.05)
            self.bell.check()

    def run(self) -> None:
        """Wait until somebody asks us to stop, or a child ends. Raises StopAsked, ChildEnded."""
        while True:
            self.watch()
            self.bell.check()
            self.bell.wait()

    def watch(self, *, may_end: Child | None = None) -> None:
        """Raises ChildEnded."""
        for child in self.children:
            if child.ended and child is not may_end:
                raise _ended(child.name, child.process.returncode if child.process else 0, self.folders.log)
        for server in self.servers:
            if server.process is not None and server.process.poll() is not None:
                name = type(server).__name__.lower()
                raise _ended(name, server.process.returncode, self.folders.log)

    def stop(self) -> None:
        """Everybody, gently and then less so; a second request to stop skips the gentle part."""
        asked = self.bell.asked
        alive = [child for child in self.children if child.process is not None and not child.ended]
        rounds = max((len(child.steps) for child in alive), default=0)
        for turn in range(rounds):
            alive = self._turn(alive, turn, asked)
        for child in alive:
            if child.process is not None:
                child.process.kill()
                child.process.wait()
        for server in reversed(self.servers):
            server.stop()

    def _turn(self, alive: Sequence[Child], turn: int, asked: int) -> list[Child]:
        patience = 0.0
        for child in alive:
            if child.process is not None and turn < len(child.steps):
                number, seconds = child.steps[turn]
                child.process.send_signal(number)
                patience = max(patience, seconds)
        deadline = time.monotonic() + patience
        left = [child for child in alive if not child.ended]
        while left and self.bell.asked == asked and (remaining := deadline - time.monotonic()) > 0:
            self.bell.wait(remaining)
            left = [child for child in left if not child.ended]
        return left


def _ended(name: str, code: int, log: Path) -> ChildEnded:
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    path = log / f"{name}.log"
    message = f"{name} {how}; everything stops. The end of {path}:\n{tail(path)}"
    return ChildEnded(message)
