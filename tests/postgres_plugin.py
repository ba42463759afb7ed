"""Gives a test run its own PostgreSQL, Valkey and keys before Django reads its settings, and takes them away after.

Named in pytest's `addopts`. Nothing starts where the caller brings DATABASE_URL (of a server prepared as below) or
BROKER_URL, nor in the workers of pytest-xdist, which inherit the environment of the run that started them. A killed run
leaves no server behind.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders
from portal.devserver.valkey import Valkey
from portal.operations import roles
from portal.operations.keys import KeyFolder, ensure_keys
from portal.operations.refusal import Refused

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

_started: list[Postgres | Valkey] = []
_rooms: list[Path] = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    _remove_what_killed_runs_left()
    folders = Folders(Path(tempfile.mkdtemp(prefix=f"portal-tests-{os.getpid()}-")))
    _rooms.append(folders.state)
    atexit.register(_stop)  # pytest does not unconfigure a run that fails while it loads
    try:
        folders.make()
        keys = ensure_keys(folders.state / "keys")
        environment = {
            "PORTAL_SECRET_KEY_FILE": str(keys.secret_key),
            "PORTAL_WEB_KEYSET_FILE": str(keys.web_keyset),
            "PORTAL_KEK_FILE": str(keys.kek),
            "PORTAL_VAR": str(folders.state),
            "PORTAL_MODE": "demo",
            "PORTAL_PROCESS": "owner",
            "PORTAL_ORIGIN": "http://localhost:8000",
        }
        if "DATABASE_URL" not in os.environ:
            environment |= _database(folders, keys)
        if "BROKER_URL" not in os.environ:
            valkey = Valkey(folders)
            _started.append(valkey)
            valkey.start()
            environment["BROKER_URL"] = valkey.address
    except Refused as refusal:
        _stop()
        message = f"the tests' servers cannot start: {refusal}"
        raise pytest.UsageError(message) from None
    os.environ.update(environment)


def pytest_unconfigure() -> None:
    _stop()


def _database(folders: Folders, keys: KeyFolder) -> dict[str, str]:
    postgres = Postgres(folders, superuser_password=keys.password("postgres"), throw_away=True)
    _started.append(postgres)
    postgres.start()
    passwords = {role: keys.password(role) for role in roles.LOGINS}
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


def _remove_what_killed_runs_left() -> None:
    for room in Path(tempfile.gettempdir()).glob("portal-tests-*-*") if Path("/proc/self").exists() else ():
        pid = room.name.split("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and room.lstat().st_uid == os.geteuid():
            shutil.rmtree(room, ignore_errors=True)


def _stop() -> None:
    while _started:
        _started.pop().stop()
    while _rooms:
        shutil.rmtree(_rooms.pop(), ignore_errors=True)
