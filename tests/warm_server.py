"""The tests' PostgreSQL and Valkey, kept warm between runs: started by the first test that needs them, ended when idle.

Where they stay is named after a hash of all that decides what is in the database: migrations, the code of ours that they
import, models, roles, locked packages. Another hash is another server, so that none is trusted that was made for other code.

Three locks tell who lives, whatever was killed: `<folder>.use` is shared by every run that may use the servers,
`keeper` is held by the process that keeps them, `start` by a run that starts it or makes the template.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders
from portal.devserver.valkey import Valkey
from portal.operations import roles
from portal.operations.keys import ensure_keys
from portal.operations.refusal import Refused

REPOSITORY = Path(__file__).resolve().parent.parent
IDLE_MINUTES = "PORTAL_TEST_IDLE_MINUTES"
LOOK_SECONDS = 2.0
START_SECONDS = 60
TEMPLATE = "portal_template"
DECIDING = (
    "connections/**/migrations/*.py",
    "portal/**/migrations/*.py",
    "connections/**/models.py",
    "portal/**/models.py",
    "connections/tenancy/*.py",
    "portal/operations/*.py",
    "portal/devserver/*.py",
    "requirements.lock",
    "tests/warm_server.py",
    "tests/databases.py",
    "connections/transport/log/partitions.py",
)
_held: list[IO[bytes]] = []  # locks that end with this process
_IMPORT = re.compile(r"^\s*(?:from|import) ((?:connections|portal)[\w.]*)(?: import (\w+))?", re.MULTILINE)

# Emptying tables one by one is much faster than TRUNCATE, which makes every file of a table and its indexes anew.
# It lies in a schema of its own: the portal's has no function that runs as its owner.
_EMPTY = """
CREATE SCHEMA tests;
GRANT USAGE ON SCHEMA tests TO portal_owner;
CREATE FUNCTION tests.empty_tables(kept text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET session_replication_role = replica SET search_path = public AS $$
DECLARE
    name text;
    is_filled boolean;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> ALL (kept) LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO is_filled;
        IF is_filled THEN
            EXECUTE format('DELETE FROM %I', name);
        END IF;
    END LOOP;
END $$
"""


def fingerprint() -> str:
    """Of every file that decides what is in a fresh database, where the checkout lies, and who runs the tests.

    And of the month, whose partition of the request log is the first that a migration makes.
    """
    paths = {path for pattern in DECIDING for path in REPOSITORY.glob(pattern)}
    for path in [path for path in paths if path.parent.name == "migrations"]:
        for module, name in _IMPORT.findall(path.read_text(encoding="utf-8")):
            base = REPOSITORY / module.replace(".", "/")
            paths |= {each for each in (base.with_suffix(".py"), base / f"{name}.py") if each.is_file()}
    month = datetime.now(timezone.utc).strftime("%Y-%m")
    digest = hashlib.sha256(f"{REPOSITORY}\n{sys.version}\n{os.geteuid()}\n{month}".encode())
    for path in sorted(paths):
        digest.update(f"\n{path.relative_to(REPOSITORY)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class WarmServer:
    """What one run sees of it. `use` keeps it from ending while the run lives; `start` waits until it is there."""

    def __init__(self) -> None:
        # A run that a test starts has the server of that test, wherever its checkout lies.
        named = os.environ.get("PORTAL_TEST_SERVER") or Path(tempfile.gettempdir()) / f"portal-warm-{fingerprint()}"
        self.folder = Path(named)

    def use(self) -> None:
        """Held until this process ends. Removes what ended servers left, whatever ended them."""
        _remove_left_behind(self.folder)
        _held.append(_open_locked(_use_lock(self.folder), fcntl.LOCK_SH))

    def is_running(self) -> bool:
        return (self.folder / "addresses.json").exists() and _is_locked(self.folder / "keeper")

    def environment(self) -> dict[str, str]:
        """The addresses, by the names that our settings have for them. Raises OSError where it does not run."""
        found: dict[str, str] = self._addresses()["environment"]
        return found

    def admin_address(self, database: str = "postgres") -> str:
        """Of the superuser, who stands in no environment. Raises OSError where it does not run."""
        return str(self._addresses()["admin"]).replace("/postgres?", f"/{database}?", 1)

    def _addresses(self) -> Any:
        return json.loads((self.folder / "addresses.json").read_text(encoding="utf-8"))

    def start(self) -> None:
        """Raises Refused where it does not start."""
        with locked(self.folder):
            if self.is_running():
                return
            while _is_locked(self.folder / "keeper"):
                time.sleep(0.05)  # one that was told to stop
            shutil.rmtree(self.folder, ignore_errors=True)
            Folders(self.folder).make()
            command = [sys.executable, "-m", "tests.warm_server", str(self.folder)]
            output = (self.folder / "log" / "keeper.log").open("wb")
            with output:
                keeper = subprocess.Popen(
                    command,
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            until = time.monotonic() + START_SECONDS
            while not self.is_running():
                if keeper.poll() is not None or time.monotonic() > until:
                    keeper.kill()
                    message = f"the tests' servers do not start: {(self.folder / 'log' / 'keeper.log').read_text()}"
                    raise Refused(message)
                time.sleep(0.01)
            keeper.returncode = 0  # it outlives us: no warning of a child that is not waited for


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time starts servers or makes the template."""
    with _open_locked(_start_lock(folder), fcntl.LOCK_EX):
        yield


def _use_lock(folder: Path) -> Path:
    return folder.with_suffix(".use")


def _start_lock(folder: Path) -> Path:
    return folder.with_suffix(".start")


def _open_locked(path: Path, how: int) -> IO[bytes]:
    """The file with this lock, waited for; one that was removed meanwhile is made anew."""
    while True:
        file = path.open("ab")
        fcntl.flock(file, how)
        try:
            is_same = path.stat().st_ino == os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            is_same = False
        if is_same:
            os.utime(path)
            return file
        file.close()


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _remove_left_behind(but: Path) -> None:
    for folder in {path.with_suffix("") for path in but.parent.glob("portal-warm-*")}:
        is_ours = (
            all(path.lstat().st_uid == os.geteuid() for path in but.parent.glob(f"{folder.name}*")) and folder != but
        )
        if is_ours and not any(map(_is_locked, (folder / "keeper", _use_lock(folder), _start_lock(folder)))):
            _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _remove_locks(folder)


def _remove_locks(folder: Path) -> None:
    for path in (_use_lock(folder), _start_lock(folder)):
        path.unlink(missing_ok=True)


class Keeper:
    """The process that has the servers as its children: they die with it, and it ends them when nobody uses them."""

    def __init__(self, folder: Path) -> None:
        self.folders = Folders(folder)
        self.idle_seconds = float(os.environ.get(IDLE_MINUTES, "10")) * 60

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        with (self.folders.state / "keeper").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = ensure_keys(self.folders.state / "keys")
            self.postgres = Postgres(self.folders, superuser_password=keys.password("postgres"), throw_away=True)
            self.valkey = Valkey(self.folders)
            try:
                self.postgres.start()
                self.valkey.start()
                environment = {
                    "BROKER_URL": self.valkey.address,
                    "PORTAL_TEST_SERVER": str(self.folders.state),
                    "PORTAL_TEST_TEMPLATE": TEMPLATE,
                    **prepare(self.postgres, {role: keys.password(role) for role in roles.LOGINS}),
                }
                draft = self.folders.state / "addresses.new"
                draft.touch(mode=0o600)
                addresses = {"environment": environment, "admin": self.postgres.admin_address()}
                draft.write_text(json.dumps(addresses), encoding="utf-8")
                draft.rename(self.folders.state / "addresses.json")
                self._await_idleness()
            finally:
                (self.folders.state / "addresses.json").unlink(missing_ok=True)
                self.valkey.stop()
                self.postgres.stop()
                shutil.rmtree(self.folders.state, ignore_errors=True)

    def _await_idleness(self) -> None:
        """Returns with nobody using the servers, and nobody able to begin before they are gone."""
        path = _use_lock(self.folders.state)
        cleaned_at = 0.0
        while all(each.process and each.process.poll() is None for each in (self.postgres, self.valkey)):
            time.sleep(LOOK_SECONDS)
            if not self.folders.state.exists():
                return
            used_at = path.stat().st_mtime
            is_over = time.time() - used_at >= self.idle_seconds
            if not is_over and used_at == cleaned_at:
                continue
            use = path.open("ab")
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                use.close()
                continue
            if is_over:
                _held.append(use)
                _remove_locks(self.folders.state)
                return
            self._drop_databases()
            cleaned_at = used_at
            use.close()

    def _drop_databases(self) -> None:
        """Those that killed runs have left."""
        with psycopg.connect(self.postgres.admin_address(), autocommit=True) as admin:
            for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'").fetchall():
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def prepare(postgres: Postgres, passwords: dict[str, str]) -> dict[str, str]:
    """Roles, and what every database begins with; the addresses by the names of our settings."""
    with psycopg.connect(postgres.admin_address(), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET scram_iterations = 1")  # a connection is opened in every other test
        admin.execute("SELECT pg_reload_conf()")
    roles.ensure_database(postgres.admin_address(), "portal")
    roles.ensure_roles(postgres.admin_address("portal"), passwords, reset_passwords=True)
    with psycopg.connect(postgres.admin_address("template1")) as connection:
        # Django's runner makes its databases from this template.
        roles.own_schema(connection)
        connection.execute(_EMPTY)
        # A test of a page or a job becomes that process's role by SET ROLE.
        connection.execute(
            f"GRANT {roles.WEB}, {roles.WORKER}, {roles.STAFF} TO {roles.OWNER} WITH INHERIT FALSE, SET TRUE"
        )
    return {
        "DATABASE_URL": postgres.address(roles.OWNER, passwords[roles.OWNER]),
        "DATABASE_URL_WEB": postgres.address(roles.WEB, passwords[roles.WEB]),
        "DATABASE_URL_WORKER": postgres.address(roles.WORKER, passwords[roles.WORKER]),
    }


if __name__ == "__main__":
    Keeper(Path(sys.argv[1])).run()
