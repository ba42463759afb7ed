"""PostgreSQL as our own direct child, for the demo and tests.

Unix socket only; the server dies with us and leaves a folder the next start can use, whatever killed it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from portal.devserver import binaries
from portal.devserver.process_user import ProcessUser, candidate_users
from portal.devserver.servers import Pause, await_ready, server_environment, stop, tail
from portal.devserver.state import Folders
from portal.env import EMBEDDED_CLUSTER_NAME
from portal.operations.refusal import Refused

SUPERUSER = "postgres"
HOME_NOTE = "postgres_home.json"

_THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One embedded cluster. `start` returns when it accepts connections; `first_start` tells that it is new."""

    name = "postgres"

    def __init__(
        self,
        folders: Folders,
        *,
        superuser_password: str = "",
        throw_away: bool = False,
        cluster_name: str = EMBEDDED_CLUSTER_NAME,
    ) -> None:
        self.folders = folders
        self.programs = binaries.find_postgres()
        self.first_start = False
        self.process: subprocess.Popen[bytes] | None = None
        self.superuser_password = superuser_password
        self._throw_away = throw_away
        self._cluster_name = cluster_name
        self._home = self._read_home_note() or folders.state
        self._process_user = ProcessUser()
        self._socket_folder = Path()

    @property
    def data(self) -> Path:
        return self._home / "postgres"

    @property
    def exists(self) -> bool:
        """Whether there is a cluster already, here or where an earlier start had to put it."""
        return self.data.exists()

    def address(self, role: str, password: str, database: str = "portal") -> str:
        """URL for one role over the unix socket. Only after `start`."""
        login = f"{quote(role)}:{quote(password, safe='')}"
        return f"postgresql://{login}@/{quote(database)}?host={quote(str(self._socket_folder))}"

    def admin_address(self, database: str = "postgres") -> str:
        return self.address(SUPERUSER, self.superuser_password, database)

    def start(self, pause: Pause = time.sleep) -> None:
        """Again at the same address. Raises Refused, and whatever `pause` raises."""
        self.check_version()
        self._choose_user()
        if not self.data.exists():
            self._initdb()
            self.first_start = True
        self._process_user.give_ownership(self.data)
        _wait_until_stopped(self.data, pause)
        self._socket_folder = self._make_socket_folder()
        self._process_user.give_ownership(self._socket_folder)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_folder),
            "unix_socket_permissions": "0700",
            "cluster_name": self._cluster_name,
            **(_THROW_AWAY if self._throw_away else {}),
        }
        if self.programs.major >= 18:
            settings["io_method"] = "sync"  # no processes that read ahead for a database as small as ours
        command: list[str | Path] = [self.programs.postgres, "-D", self.data]
        command += [f"--{name}={value}" for name, value in settings.items()]
        log = self.folders.fresh_log("postgres")
        with log.open("wb") as output:
            self.process = self._process_user.spawn(
                command, output=output, environment=server_environment(), parent_signal=signal.SIGINT
            )
        await_ready(self.process, self._ready, log, "PostgreSQL", pause)

    def stop(self) -> None:
        """Fast shutdown; immediate after 15 s."""
        stop(self.process, (signal.SIGINT, 15), (signal.SIGQUIT, 5))
        if self._socket_folder.parent != self.folders.run and self._socket_folder.name:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _make_socket_folder(self) -> Path:
        if self._home == self.folders.state:
            is_kept = bool(self._socket_folder.name) and self._socket_folder.is_dir()
            return self._socket_folder if is_kept else self.folders.socket_folder("postgres")
        folder = self._home / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def _choose_user(self) -> None:
        """Choose the user PostgreSQL runs as; where nobody can reach our folders, move the cluster to one it can."""
        users = candidate_users()
        self._process_user = users[0]
        if self._process_user.uid is None:
            return
        if self._home == self.folders.state:
            for user in users:
                if self._can_reach(user):
                    self._process_user = user
                    return
            self._home = self._make_reachable_home()
        self.programs = self.programs.copy_to(self._home)

    def _can_reach(self, user: ProcessUser) -> bool:
        probe = self.folders.run / "probe"
        probe.mkdir(mode=0o700, exist_ok=True)
        user.give_ownership(probe)
        try:
            return user.can_access(execute=self.programs.initdb, write=probe)
        finally:
            shutil.rmtree(probe)

    def _read_home_note(self) -> Path | None:
        """Where an earlier start had to put the cluster. Raises Refused."""
        note = self.folders.state / HOME_NOTE
        if not note.exists():
            return None
        home = Path(json.loads(note.read_text(encoding="utf-8")))
        if (
            home.is_symlink()
            or not home.is_dir()
            or home.stat().st_uid not in {user.uid for user in candidate_users()}
        ):
            message = (
                f"{note} names {home}, which is gone or not ours; delete the note to start with an empty database"
            )
            raise Refused(message)
        return home

    def _make_reachable_home(self) -> Path:
        # Not the ordinary temporary folder: the data must outlive a reboot.
        home = Path(tempfile.mkdtemp(prefix="portal-postgres-", dir="/var/tmp"))  # nosec B108
        self._process_user.give_ownership(home)
        (self.folders.state / HOME_NOTE).write_text(json.dumps(str(home)), encoding="utf-8")
        return home

    def check_version(self) -> None:
        """Raises Refused where the cluster is of another major version than the programs."""
        note = self.data / "PG_VERSION"
        if not note.exists():
            return
        cluster_version = note.read_text(encoding="ascii").strip()
        if cluster_version != str(self.programs.major):
            message = (
                f"{self.data} was made by PostgreSQL {cluster_version}, but {self.programs.folder} is version "
                f"{self.programs.major}; set PG_BIN to version {cluster_version}, "
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
            file.write(self.superuser_password)
        self._process_user.give_ownership(draft)
        self._process_user.give_ownership(password)
        command: list[str | Path] = [self.programs.initdb, "-D", draft, "-U", SUPERUSER, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        if self.programs.major >= 17:
            # No index then depends on the host's C library.
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._throw_away:
            command += ["--no-sync"]
        log = self.folders.log / "initdb.log"
        with log.open("wb") as output:
            code = self._process_user.spawn(command, output=output, environment=server_environment()).wait()
        password.unlink()
        if code != 0:
            message = f"initdb failed ({tail(log, 1)}); see {log}"
            raise Refused(message)
        draft.rename(self.data)

    def _ready(self) -> bool:
        lines = _postmaster_file_lines(self.data)
        return (
            len(lines) > 7 and self.process is not None and lines[0] == str(self.process.pid) and lines[7] == "ready"
        )


def _postmaster_file_lines(data: Path) -> list[str]:
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []


def _wait_until_stopped(data: Path, pause: Pause) -> None:
    """Let a postmaster whose supervisor was killed finish, and forget one whose number somebody else has now."""
    deadline = time.monotonic() + 20
    while lines := _postmaster_file_lines(data):
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
