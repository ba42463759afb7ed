"""Valkey as our own direct child: the doorbell of the demo and of tests, on a unix socket only."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from portal.devserver import binaries
from portal.devserver.process_user import ProcessUser
from portal.devserver.servers import Pause, await_ready, server_environment, stop
from portal.devserver.state import Folders, listens


class Valkey:
    """One embedded broker, kept in an append-only file. Losing it loses nothing: PostgreSQL is the queue."""

    name = "valkey"

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.program = binaries.find_valkey()
        self.process: subprocess.Popen[bytes] | None = None
        self._socket = Path()

    @property
    def address(self) -> str:
        return f"redis+socket://{quote(str(self._socket))}"

    def start(self, pause: Pause = time.sleep) -> None:
        """Again at the same address. Raises Refused, and whatever `pause` raises."""
        self.start_with({}, pause)

    def start_with(self, more: Mapping[str, str], pause: Pause = time.sleep) -> None:
        """The same with settings of the server's own. Raises as `start` does."""
        data = self.folders.state / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        if not self._socket.parent.is_dir() or not self._socket.name:
            self._socket = self.folders.socket_folder("valkey") / "valkey.sock"
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(data),
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "save": "",
            **more,
        }
        command: list[str | Path] = [self.program]
        for name, value in settings.items():
            command += [f"--{name}", value]
        log = self.folders.fresh_log("valkey")
        with log.open("wb") as output:
            self.process = ProcessUser().spawn(
                command, output=output, environment=server_environment(), parent_signal=signal.SIGTERM
            )
        await_ready(self.process, self._ready, log, "Valkey", pause)

    def stop(self) -> None:
        stop(self.process, (signal.SIGTERM, 10))
        if self._socket.parent.parent != self.folders.run and self._socket.name:
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def _ready(self) -> bool:
        return listens(self._socket)
