"""Valkey as our own direct child: the doorbell of the demo and of tests, on a unix socket only."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from portal.operations import binaries
from portal.operations.seat import Seat
from portal.operations.servers import Pause, await_ready, plain_environment, stop
from portal.operations.state import Folders, listens


class Valkey:
    """One embedded broker, kept in an append-only file. Losing it loses nothing: PostgreSQL is the queue."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.program = binaries.find_valkey()
        self.process: subprocess.Popen[bytes] | None = None
        self._socket = Path()

    @property
    def address(self) -> str:
        return f"redis+socket://{quote(str(self._socket))}"

    def start(self, pause: Pause = time.sleep) -> None:
        """Raises Refused, and whatever `pause` raises."""
        data = self.folders.state / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        self._socket = self.folders.socket_folder("valkey") / "valkey.sock"
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(data),
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "save": "",
        }
        command: list[str | Path] = [self.program]
        for name, value in settings.items():
            command += [f"--{name}", value]
        log = self.folders.fresh_log("valkey")
        with log.open("wb") as output:
            self.process = Seat().spawn(
                command, output=output, environment=plain_environment(), parent_signal=signal.SIGTERM
            )
        await_ready(self.process, self._ready, log, "Valkey", pause)

    def stop(self) -> None:
        stop(self.process, (signal.SIGTERM, 10))
        if self._socket.parent.parent != self.folders.run and self._socket.name:
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def _ready(self) -> bool:
        return listens(self._socket)
