"""Which system user an embedded server runs as: PostgreSQL refuses to run as root.

As root an existing account is used (`postgres`, else `nobody`); none is created and no folder outside our own state
is opened up for it. Where a closed parent folder keeps that account out, a user namespace lets PostgreSQL see the
account's number while the files stay root's.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from portal.operations import parent_death
from portal.operations.refusal import Refused

_CLONE_NEWUSER = 0x10000000


@dataclass(frozen=True)
class ProcessUser:
    """A system user. `uid` None: the current one. `in_namespace`: the numbers are only what the process sees of itself."""

    uid: int | None = None
    gid: int | None = None
    in_namespace: bool = False

    def give_ownership(self, path: Path) -> None:
        """Make this user the owner of a file or a whole folder of our state."""
        if self.uid is None or self.gid is None:
            return
        owner = (0, 0) if self.in_namespace else (self.uid, self.gid)
        if path.lstat().st_uid == owner[0]:
            return
        for folder, names, files in os.walk(path):
            for name in (*names, *files):
                os.chown(Path(folder) / name, *owner, follow_symlinks=False)
        os.chown(path, *owner, follow_symlinks=False)

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        output: int | IO[bytes],
        environment: dict[str, str],
        parent_signal: int = signal.SIGKILL,
        cwd: Path = Path("/"),
    ) -> subprocess.Popen[bytes]:
        """Start a direct child in a session of its own that gets `parent_signal` when we die."""
        arguments: dict[str, Any] = {}
        if self.uid is not None and not self.in_namespace:
            arguments = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            preexec_fn=self._before_exec(parent_signal),
            **arguments,
        )

    def _before_exec(self, parent_signal: int) -> Callable[[], None]:
        parent = os.getpid()

        def prepare() -> None:
            if self.in_namespace:
                _enter_namespace(self.uid or 0, self.gid or 0)
            parent_death.die_with_parent(parent_signal, parent=parent)

        return prepare

    def can_access(self, *, execute: Path, write: Path) -> bool:
        """Whether this user can run the one and write into the other."""
        try:
            child = self.spawn(
                ["/bin/sh", "-c", 'test -x "$0" && test -r "$0" && test -w "$1"', execute, write],
                output=subprocess.DEVNULL,
                environment={},
            )
        except (OSError, subprocess.SubprocessError):
            return False  # no namespaces here, or no right to change user
        return child.wait() == 0


def _enter_namespace(uid: int, gid: int) -> None:
    if parent_death.LIBC is None or parent_death.LIBC.unshare(_CLONE_NEWUSER) != 0:
        failure = ctypes.get_errno()
        raise OSError(failure, os.strerror(failure))
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{gid} 0 1")):
        handle = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(handle, line.encode())
        os.close(handle)


def candidate_users() -> list[ProcessUser]:
    """The users to try, the plainest first. Raises Refused where root has no account to step down to."""
    if os.geteuid() != 0:
        return [ProcessUser()]
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return [
            ProcessUser(account.pw_uid, account.pw_gid),
            ProcessUser(account.pw_uid, account.pw_gid, in_namespace=True),
        ]
    message = (
        "root cannot run PostgreSQL and neither 'postgres' nor 'nobody' exists here; start as another user, "
        "or set DATABASE_URL"
    )
    raise Refused(message)
