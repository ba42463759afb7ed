"""`python -m portal.operations.compose_secrets FOLDER`: every secret that deploy/compose.yaml lends, each in its own file.

Run it as root, as the service `secrets` does: the files are the portal's own user's and, where the database reads them,
that of its image.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from psycopg import pq

from portal.operations import roles
from portal.operations.backup_file import make_key_pair
from portal.operations.keys import ensure_keys
from portal.operations.refusal import Refused

PORTAL_UID, POSTGRES_UID = 10001, 999  # of the portal's image, and of Debian's user in the one of PostgreSQL
ADDRESSES = {
    "owner": roles.OWNER,
    "web": roles.WEB,
    "worker": roles.WORKER,
    "backup": roles.BACKUP,
}


def ensure_secrets(folder: Path) -> None:
    """Make what is missing as a whole: one half of a password is of no use without the other. Raises Refused, OSError."""
    if (folder / "superuser").exists():
        return
    ensure_keys(folder)
    for name in ("backup_public.json", "backup_private.json"):  # of a run that was broken off
        (folder / name).unlink(missing_ok=True)
    make_key_pair(folder)
    logins = []
    for process, role in ADDRESSES.items():
        password = secrets.token_urlsafe(24)
        logins.append(f"ALTER ROLE {role} PASSWORD '{scram(password)}';\n")
        _write(folder / f"{process}.database", f"postgresql://{role}:{password}@database/portal\n")
    broker = secrets.token_urlsafe(24)
    _write(folder / "broker", f"redis://:{broker}@broker:6379/0\n")
    _write(folder / "broker.conf", f'requirepass {broker}\nsave ""\nappendonly no\n')
    _write(folder / "smtp", "smtp://USER:PASSWORD@mail.example:587\n")
    _write(folder / "logins.sql", "".join(logins))
    for path in folder.iterdir():
        _give(path, PORTAL_UID)
    _give(folder / "logins.sql", POSTGRES_UID)
    _write(folder / "superuser", secrets.token_urlsafe(24) + "\n")  # last: where it is, all the others are
    _give(folder / "superuser", POSTGRES_UID)


def scram(password: str) -> str:
    """What PostgreSQL keeps of a password, as libpq makes it, so that the password itself never reaches the server's log."""
    unconnected = pq.PGconn.connect_start(b"host=/nowhere")  # no server is asked: libpq wants a place for its errors
    return unconnected.encrypt_password(password.encode(), b"", b"scram-sha-256").decode()


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _give(path: Path, uid: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, uid)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m portal.operations.compose_secrets FOLDER")
    try:
        ensure_secrets(Path(sys.argv[1]))
    except (OSError, Refused) as error:
        sys.exit(f"portal: {error}")
