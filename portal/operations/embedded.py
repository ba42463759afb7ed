"""PostgreSQL and Valkey as our own direct children, for the demo, small installations and tests.

Unix sockets only; the servers die with us and leave a folder the next start can use, whatever killed them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from portal.operations import binaries
from portal.operations.refusal import Refused
from portal.operations.seat import Seat, seats

SUPERUSER = "postgres"
CLUSTER_NAME = "portal-embedded"  # by which a production start recognises the demo's server, and refuses it
LONGEST_SOCKET_FOLDER = 90  # a socket's whole path may have 107 bytes

Pause = Callable[[float], None]

_THROW_AWAY = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


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
        """Raises Refused where the state folder cannot be written."""
        try:
            for folder in (self.state, self.run, self.log):
                folder.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0 and self.state.stat().st_uid == 0:
                # The account PostgreSQL sits in must pass through; what is secret below is closed by itself.
                for folder in (self.state, self.run):
                    folder.chmod(0o711)
            probe = self.state / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            message = (
                f"the state folder {self.state} cannot be written ({error.strerror}); set PORTAL_VAR to one that can"
            )
            raise Refused(message) from None

    def socket_folder(self, name: str) -> Path:
        """`run/<name>`, 0700, or a short temporary folder where that path is too long for a socket."""
        folder = self.run / name
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
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


class Postgres:
    """One embedded cluster. `start` returns when it accepts connections; `first_start` tells that it is new."""

    def __init__(self, folders: Folders, *, superuser_password: str, throw_away: bool = False) -> None:
        self.folders = folders
        self.programs = binaries.find_postgres()
        self.first_start = False
        self.process: subprocess.Popen[bytes] | None = None
        self._password = superuser_password
        self._throw_away = throw_away
        self._home = folders.state
        self._seat = Seat()
        self._socket_folder = Path()

    @property
    def data(self) -> Path:
        return self._home / "postgres"

    def address(self, role: str, password: str, database: str = "portal") -> str:
        """URL for one role over the unix socket. Only after `start`."""
        login = f"{quote(role)}:{quote(password, safe='')}"
        return f"postgresql://{login}@/{quote(database)}?host={quote(str(self._socket_folder))}"

    def admin_address(self, database: str = "postgres") -> str:
        return self.address(SUPERUSER, self._password, database)

    def start(self, pause: Pause = time.sleep) -> None:
        """Raises Refused, and whatever `pause` raises."""
        self._take_seat()
        self._check_version()
        if not self.data.exists():
            self._initdb()
            self.first_start = True
        self._seat.own(self.data)
        _await_departure(self.data, pause)
        self._socket_folder = self._sockets()
        self._seat.own(self._socket_folder)
        command: list[str | Path] = [
            self.programs.postgres,
            "-D",
            self.data,
            "-k",
            self._socket_folder,
            "-c",
            "listen_addresses=",
        ]
        command += [
            "-c",
            "unix_socket_permissions=0700",
            "-c",
            f"cluster_name={CLUSTER_NAME}",
            *(_THROW_AWAY if self._throw_away else ()),
        ]
        log = self.folders.log / "postgres.log"
        with log.open("ab") as output:
            self.process = self._seat.spawn(
                command, output=output, environment=_environment(), parent_signal=signal.SIGINT
            )
        _await(self.process, self._ready, log, "PostgreSQL", pause)

    def stop(self) -> None:
        """Fast shutdown; immediate after 15 s."""
        stop(self.process, (signal.SIGINT, 15), (signal.SIGQUIT, 5))
        if self._socket_folder.parent != self.folders.run and self._socket_folder.name:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _sockets(self) -> Path:
        if self._home == self.folders.state:
            return self.folders.socket_folder("postgres")
        folder = self._home / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def _take_seat(self) -> None:
        """Choose the user PostgreSQL runs as; where nobody can reach our folders, move the cluster to one it can."""
        candidates = seats()
        self._seat = candidates[0]
        if self._seat.uid is None:
            return
        for seat in candidates:
            probe = self.folders.run / "seat"
            probe.mkdir(mode=0o700, exist_ok=True)
            seat.own(probe)
            reached = seat.may(execute=self.programs.initdb, write=probe)
            shutil.rmtree(probe)
            if reached:
                self._seat = seat
                return
        self._home = self._reachable_home()
        self.programs = self.programs.copy_to(self._home)

    def _reachable_home(self) -> Path:
        note = self.folders.state / "postgres_home.json"
        if note.exists():
            home = Path(json.loads(note.read_text(encoding="utf-8")))
            if home.is_dir() and not home.is_symlink() and home.stat().st_uid == self._seat.uid:
                return home
            message = (
                f"{note} names {home}, which is gone or not ours; delete the note to start with an empty database"
            )
            raise Refused(message)
        # Not the ordinary temporary folder: the data must outlive a reboot.
        home = Path(tempfile.mkdtemp(prefix="portal-postgres-", dir="/var/tmp"))
        self._seat.own(home)
        note.write_text(json.dumps(str(home)), encoding="utf-8")
        return home

    def _check_version(self) -> None:
        note = self.data / "PG_VERSION"
        if not note.exists():
            return
        kept = note.read_text(encoding="ascii").strip()
        if kept != str(self.programs.major):
            message = (
                f"{self.data} was made by PostgreSQL {kept}, but {self.programs.folder} is version "
                f"{self.programs.major}; set PG_BIN to version {kept}, "
                "or dump with the old one, move the folder away and restore"
            )
            raise Refused(message)

    def _initdb(self) -> None:
        """Into a sibling that becomes the cluster by one rename: a half-made cluster is never used."""
        draft, password = self.data.with_name("postgres.new"), self.data.with_name("postgres.password")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._password)
        self._seat.own(draft)
        self._seat.own(password)
        command: list[str | Path] = [self.programs.initdb, "-D", draft, "-U", SUPERUSER, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        if self.programs.major >= 17:
            # No index then depends on the host's C library.
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._throw_away:
            command += ["--no-sync"]
        log = self.folders.log / "initdb.log"
        with log.open("wb") as output:
            code = self._seat.spawn(command, output=output, environment=_environment()).wait()
        password.unlink()
        if code != 0:
            message = f"initdb failed ({tail(log, 1)}); see {log}"
            raise Refused(message)
        draft.rename(self.data)

    def _ready(self) -> bool:
        lines = _postmaster_note(self.data)
        return (
            len(lines) > 7 and self.process is not None and lines[0] == str(self.process.pid) and lines[7] == "ready"
        )


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
        command: list[str | Path] = [
            self.program,
            "--port",
            "0",
            "--unixsocket",
            self._socket,
            "--unixsocketperm",
            "700",
            "--dir",
            data,
        ]
        command += ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""]
        log = self.folders.log / "valkey.log"
        with log.open("ab") as output:
            self.process = Seat().spawn(
                command, output=output, environment=_environment(), parent_signal=signal.SIGTERM
            )
        _await(self.process, self._ready, log, "Valkey", pause)

    def stop(self) -> None:
        stop(self.process, (signal.SIGTERM, 10))
        if self._socket.parent.parent != self.folders.run and self._socket.name:
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def _ready(self) -> bool:
        return listens(self._socket)


def listens(path: Path) -> bool:
    """Whether somebody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def stop(process: subprocess.Popen[bytes] | None, *steps: tuple[int, float]) -> None:
    """Send each signal and wait its seconds; SIGKILL after the last. Does nothing for what has ended."""
    if process is None:
        return
    for number, patience in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(patience)
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


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _await(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, name: str, pause: Pause) -> None:
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


def _postmaster_note(data: Path) -> list[str]:
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []


def _await_departure(data: Path, pause: Pause) -> None:
    """Let a postmaster whose supervisor was killed finish, and forget one whose number somebody else has now."""
    deadline = time.monotonic() + 20
    while lines := _postmaster_note(data):
        try:
            its_folder = Path(f"/proc/{int(lines[0])}/cwd").resolve(strict=True)
        except (OSError, ValueError):
            its_folder = None
        if its_folder != data.resolve():
            if Path("/proc/self").exists():
                (data / "postmaster.pid").unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            message = f"another PostgreSQL (process {lines[0]}) still runs on {data}; stop it first"
            raise Refused(message)
        pause(0.05)
