"""Starts servers and processes, starts again what ends, and stops them all in order."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from portal.devserver.children import Child
from portal.devserver.postgres import Postgres
from portal.devserver.servers import tail
from portal.devserver.state import Folders
from portal.devserver.stop_signals import StopSignals
from portal.devserver.valkey import Valkey
from portal.operations.refusal import Refused

# Seconds before what ended is started again: at once, and then later and later, as a database or a broker that is
# restarted needs its time as well. From the last one on it stays at that.
RESTART_WAITS_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
MAX_ENDS_IN_A_ROW = 20  # which takes about a quarter of an hour; then there is no use in going on
STABLE_SECONDS = 300.0  # who has run for so long ends for a new reason

Process = Child | Postgres | Valkey


class ChildEnded(Exception):
    """A process that should run has ended, and is not started again. The text names it and its log's last lines."""


@dataclass
class EndHistory:
    """How often a process has ended in a row, and when (of time.monotonic) it was started, and is to be."""

    count: int = 0
    started_at: float = 0.0
    due_at: float | None = None


class Supervisor:
    """Servers first, then children; on the way down children first. The main thread alone may use it."""

    def __init__(self, *, folders: Folders, cwd: Path, stop_signals: StopSignals) -> None:
        self.folders = folders
        self.cwd = cwd
        self.stop_signals = stop_signals
        self.servers: list[Postgres | Valkey] = []
        self.children: list[Child] = []
        self._ends: dict[str, EndHistory] = {}

    def serve(self, server: Postgres | Valkey) -> None:
        """Start an embedded server. Raises Refused, StopRequested."""
        self.servers.append(server)
        server.start(self.stop_signals.pause)

    def start(self, child: Child) -> None:
        self.stop_signals.check()
        self.children.append(child)
        child.start(self.folders, self.cwd)

    def finish(self, child: Child, *, seconds: float) -> None:
        """Run a command to its end beside the others. Raises Refused with its last words, ChildEnded, StopRequested."""
        self.start(child)
        self.until(lambda: child.ended, seconds=seconds, what=child.name, may_end=child)
        self.children.remove(child)
        if child.process is not None and child.process.returncode != 0:
            log = self.folders.log / f"{child.name}.log"
            message = f"{child.name} failed; the end of {log}:\n{tail(log)}"
            raise Refused(message, exit_code=1)

    def until(
        self, is_reached: Callable[[], bool], *, seconds: float, what: str, may_end: Child | None = None
    ) -> None:
        """Wait for a state, watching everybody. Raises Refused after `seconds`, ChildEnded, StopRequested."""
        deadline = time.monotonic() + seconds
        while not is_reached():
            self.watch(may_end=may_end)
            if time.monotonic() > deadline:
                message = f"{what} was not ready within {seconds:.0f} s; see {self.folders.log}"
                raise Refused(message, exit_code=1)
            self.stop_signals.wait(0.05)
            self.stop_signals.check()

    def run(self) -> None:
        """Wait until somebody asks us to stop, starting again whatever ends. Raises StopRequested, ChildEnded."""
        started_at = time.monotonic()
        self._ends = {each.name: EndHistory(started_at=started_at) for each in (*self.servers, *self.children)}
        while True:
            self.stop_signals.check()
            self.stop_signals.wait(self._restart_ended())

    def _restart_ended(self) -> float | None:
        """Seconds until there is something to start; None where all run. Raises StopRequested, ChildEnded."""
        now = time.monotonic()
        waits = []
        for each in (*self.servers, *self.children):  # servers first: the others need them
            if each.process is None or each.process.poll() is None:
                continue
            ends = self._ends[each.name]
            if ends.due_at is None:
                self._report_end(each, ends, now)
            if ends.due_at is not None and ends.due_at > now:
                waits.append(ends.due_at - now)
                continue
            ends.due_at = None
            self._start_again(each)
            ends.started_at = time.monotonic()
            waits.append(0.0)  # waiting for a server may have used up the signal of somebody else's end
        return min(waits, default=None)

    def _report_end(self, each: Process, ends: EndHistory, now: float) -> None:
        """Say that it has ended and when it is started again. Raises ChildEnded after too many ends in a row."""
        ends.count = 1 if now - ends.started_at > STABLE_SECONDS else ends.count + 1
        code = each.process.returncode if each.process else 0
        if ends.count > MAX_ENDS_IN_A_ROW:
            raise _end_error(each.name, code, self.folders.log, f", {ends.count} times in a row")
        pause = RESTART_WAITS_SECONDS[min(ends.count, len(RESTART_WAITS_SECONDS)) - 1]
        ends.due_at = now + pause
        when = f"in {pause:.0f} s" if pause else "at once"
        times = f", {ends.count} times in a row" if ends.count > 1 else ""
        path = self.folders.log / f"{each.name}.log"
        _say(
            f"{each.name} {_end_text(code)}{times}; it is started again {when}. The others go on. "
            f"Its log is {path} (after the start {path.name}.1); the last lines:\n{tail(path, 3)}"
        )

    def _start_again(self, each: Process) -> None:
        """One that cannot be started has ended once more. Raises StopRequested."""
        if isinstance(each, Child):
            each.start(self.folders, self.cwd)
            return
        try:
            each.start(self.stop_signals.pause)
        except Refused as refusal:
            _say(str(refusal))

    def watch(self, *, may_end: Child | None = None) -> None:
        """While everything is started, whatever ends ends it all. Raises ChildEnded."""
        for each in (*self.servers, *self.children):
            if each is not may_end and each.process is not None and each.process.poll() is not None:
                raise _end_error(each.name, each.process.returncode, self.folders.log)

    def stop(self) -> None:
        """Everybody, gently and then less so; a second request to stop skips the gentle part."""
        stop_requests = self.stop_signals.stop_requests
        alive = [child for child in self.children if child.process is not None and not child.ended]
        steps = max((len(child.steps) for child in alive), default=0)
        for turn in range(steps):
            alive = self._stop_step(alive, turn, stop_requests)
        for child in alive:
            if child.process is not None:
                child.process.kill()
                child.process.wait()
        for server in reversed(self.servers):
            server.stop()

    def _stop_step(self, alive: Sequence[Child], turn: int, stop_requests: int) -> list[Child]:
        wait_seconds = 0.0
        for child in alive:
            if child.process is not None and turn < len(child.steps):
                number, seconds = child.steps[turn]
                child.process.send_signal(number)
                wait_seconds = max(wait_seconds, seconds)
        deadline = time.monotonic() + wait_seconds
        running = [child for child in alive if not child.ended]
        while (
            running
            and self.stop_signals.stop_requests == stop_requests
            and (remaining := deadline - time.monotonic()) > 0
        ):
            self.stop_signals.wait(remaining)
            running = [child for child in running if not child.ended]
        return running


def _end_error(name: str, code: int, log: Path, times: str = "") -> ChildEnded:
    path = log / f"{name}.log"
    message = f"{name} {_end_text(code)}{times}; everything stops. The end of {path}:\n{tail(path)}"
    return ChildEnded(message)


def _end_text(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _say(text: str) -> None:
    print(f"up: {text}", file=sys.stderr, flush=True)
