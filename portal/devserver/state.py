"""The state folder: where one installation keeps its servers' data, sockets and logs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from portal import env
from portal.operations.refusal import Refused

MAX_SOCKET_FOLDER_BYTES = 90  # a socket's whole path may have 107 bytes
ALLOWED_BEFORE_FIRST_START = {
    "mail",
    "sandbox",
}  # what other commands may have put into the state folder before the first start


def state_folder() -> Path:
    """What PORTAL_VAR names, else `var/` of this checkout."""
    return Path(env.text("PORTAL_VAR", str(env.BASE_DIR / "var"))).resolve()


@dataclass(frozen=True)
class Folders:
    """Where one installation's servers keep things. All of it is ours."""

    state: Path

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    def make(self) -> None:
        """Raises Refused where the state folder cannot be written, or holds something that is not ours."""
        marker = self.state / ".portal-state"
        try:
            foreign = (
                self.state.exists()
                and not marker.exists()
                and {p.name for p in self.state.iterdir()} - ALLOWED_BEFORE_FIRST_START
            )
            if foreign:
                # We remove sockets and change owners in there: never in somebody's home or in /var.
                message = (
                    f"{self.state} already holds other things ({min(foreign)}); set PORTAL_VAR to a folder of its own"
                )
                raise Refused(message)
            for folder in (self.state, self.run, self.log):
                folder.mkdir(parents=True, exist_ok=True)
            self.log.chmod(0o700)
            if os.geteuid() == 0 and self.state.stat().st_uid == 0:
                # The account PostgreSQL runs as must pass through; what is secret below is closed by itself.
                for folder in (self.state, self.run):
                    folder.chmod(0o711)
            marker.touch()
        except OSError as error:
            message = (
                f"the state folder {self.state} cannot be written ({error.strerror}); set PORTAL_VAR to one that can"
            )
            raise Refused(message) from None

    def fresh_log(self, name: str) -> Path:
        """The log of one process; the run before keeps its own as `<name>.log.1`."""
        path = self.log / f"{name}.log"
        if path.exists():
            path.replace(self.log / f"{name}.log.1")
        return path

    def socket_folder(self, name: str) -> Path:
        """`run/<name>`, 0700, or a short temporary folder where that path suits no socket address."""
        folder = self.run / name
        # A URL's host may be a list, so that libpq splits it at commas.
        if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES and re.fullmatch(r"[\w/.@+=-]+", str(folder), re.ASCII):
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
        short = Path(tempfile.mkdtemp(prefix="portal-"))
        with (self.run / "elsewhere").open("a", encoding="utf-8") as note:
            note.write(f"{short}\n")
        return short

    def clear_run(self) -> None:
        """Remove the sockets a killed start left, also those in short temporary folders, once nobody listens there."""
        note = self.run / "elsewhere"
        noted = note.read_text(encoding="utf-8").splitlines() if note.exists() else []
        short = [Path(line) for line in noted if Path(line).name.startswith("portal-") and not Path(line).is_symlink()]
        deadline = time.monotonic() + 10
        for path in (path for folder in (self.run / "valkey", *short) for path in folder.glob("*.sock")):
            while listens(path) and time.monotonic() < deadline:
                time.sleep(0.05)
        for folder in short:
            shutil.rmtree(folder, ignore_errors=True)
        for entry in self.run.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def listens(path: Path) -> bool:
    """Whether somebody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
