"""`make manage`, `make shell`, `make dbshell`: a command of Django's on the portal that `make run` has started.

The command runs as the owner of the tables, with the database, broker and simulators of that run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from portal import env
from portal.devserver import binaries
from portal.devserver.children import OURS, owner_environment
from portal.devserver.locks import is_locked
from portal.devserver.state import state_folder
from portal.operations.refusal import Refused

NOTHING_RUNS = 1


def main(arguments: Sequence[str]) -> int:
    """Becomes `manage.py` with these arguments; returns an exit code where it cannot."""
    try:
        environment = running_environment(state_folder())
    except Refused as refusal:
        print(f"manage: {refusal}", file=sys.stderr)
        return refusal.exit_code
    program = str(env.BASE_DIR / "manage.py")
    os.execve(sys.executable, [sys.executable, program, *arguments], environment)  # noqa: S606  # nosec B606


def running_environment(state: Path) -> dict[str, str]:
    """What a command needs that runs beside the processes of this state folder. Raises Refused where none do."""
    if not is_locked(state):
        message = (
            f"nothing runs in {state}. Start it with `make run` in another terminal; PORTAL_VAR names another folder"
        )
        raise Refused(message, exit_code=NOTHING_RUNS)
    path = owner_environment(state)
    try:
        environment: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"the portal in {state} is still starting. Try again when it says where everything is"
        raise Refused(message, exit_code=NOTHING_RUNS) from None
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). Use the account that started the portal"
        raise Refused(message, exit_code=NOTHING_RUNS) from None
    others = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**others, **environment, "PATH": _with_psql(others.get("PATH", ""))}


def _with_psql(path: str) -> str:
    """The embedded server's own client comes last: one of this machine may know more of the terminal."""
    try:
        return f"{path}{os.pathsep}{binaries.find_postgres().folder}"
    except Refused:
        return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
