"""What every server process of ours needs: a plain environment, a wait until it is ready, a stop in steps."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from portal.operations.refusal import Refused

Pause = Callable[[float], None]
Step = tuple[int, float]  # a signal, and the seconds it is given to work


def stop(process: subprocess.Popen[bytes] | None, *steps: Step) -> None:
    """Send each signal and wait its seconds; SIGKILL after the last. Does nothing for what has ended."""
    if process is None:
        return
    for number, wait_seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, as one text."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def server_environment() -> dict[str, str]:
    """A server reads nothing of ours from its environment."""
    inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**inherited, "LC_ALL": "C", "TZ": "UTC"}


def await_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, name: str, pause: Pause
) -> None:
    """Raises Refused where it ends first or takes over a minute, and whatever `pause` raises."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            message = f"{name} ended at once: {tail(log, 3)} (see {log})"
            raise Refused(message)
        if ready():
            return
        pause(0.01)
    stop(process, (signal.SIGQUIT, 5))
    message = f"{name} was not ready within 60 s; see {log}"
    raise Refused(message)
