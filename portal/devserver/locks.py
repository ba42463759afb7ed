"""What belongs to one start alone: the state folder, by a lock, and its ports."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import IO

from portal.devserver.state import Folders
from portal.operations.refusal import Refused

ALREADY_RUNNING_EXIT_CODE, PORT_TAKEN_EXIT_CODE = 3, 4


LOCK = "up.lock"


def is_locked(state: Path) -> bool:
    """Whether a start has claimed this state folder and still lives."""
    try:
        with (state / LOCK).open("r", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # nobody has ever started anything there
    return False


def lock_state_folder(folders: Folders) -> tuple[IO[str], bool]:
    """The lock, which the kernel holds as long as we live, and whether the run before was killed. Raises Refused.

    A run that was killed has left its process number in the file.
    """
    lock = (folders.state / LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        message = (
            f"the portal already runs in {folders.state} (process {holder}); stop that one first, or set PORTAL_VAR "
            "to another folder and PORT to another port for a second one"
        )
        raise Refused(message, exit_code=ALREADY_RUNNING_EXIT_CODE) from None
    lock.seek(0)
    was_killed = bool(lock.read())
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock, was_killed


def check_port(port: int, first: int, *, wait_seconds: float) -> None:
    """Raises Refused where it is still taken after `wait_seconds`."""
    deadline = time.monotonic() + wait_seconds
    while not _is_free(port):
        if time.monotonic() >= deadline:
            whose = "" if port == first else ", which the simulator needs,"
            message = (
                f"port {port}{whose} is taken by another program; stop it, or choose another one for the portal: "
                f"make run PORT={first + 1000}"
            )
            raise Refused(message, exit_code=PORT_TAKEN_EXIT_CODE)
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            probe = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # no IPv6 here
        with probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    return False
    return True
