"""Every way of giving a database role more than it should have, and less: nothing starts with it.

Role grants belong to a whole server, so they are tried on one of their own, each in a transaction that never ends well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.base import DatabaseWrapper

from portal import env
from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders
from portal.operations import database_checks, role_checks, roles, start
from portal.operations.keys import ensure_keys
from tests.kinds import starts_processes
from tests.roles import acting_as

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
@starts_processes
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A PostgreSQL with the portal's roles and nothing in it, entered as its superuser."""
    folders = Folders(tmp_path_factory.mktemp("server") / "state")
    folders.make()
    keys = ensure_keys(folders.state / "keys")
    passwords = {role: keys.password(role) for role in roles.LOGINS}
    postgres = Postgres(folders, superuser_password="root", throw_away=True, cluster_name="portal-check")
    postgres.start()
    try:
        roles.ensure_database(postgres.admin_address(), "portal")
        roles.ensure_roles(postgres.admin_address("portal"), passwords)
        yield SimpleNamespace(
            keys=keys,
            admin=postgres.admin_address("portal"),
            address=lambda role: postgres.address(role, passwords[role]),
        )
    finally:
        postgres.stop()


@pytest.fixture(scope="module")
def superuser(server: SimpleNamespace) -> Iterator[DatabaseWrapper]:
    os.environ["THE_SUPERUSERS"] = server.admin
    settings = {
        "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "TIME_ZONE": None, "TEST": {}, **env.database("THE_SUPERUSERS")
    }  # fmt: skip
    wrapper = DatabaseWrapper(settings, alias="superuser")
    yield wrapper
    wrapper.close()
    del os.environ["THE_SUPERUSERS"]


@pytest.fixture
def signed_in(
    superuser: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, settings: Any, django_db_blocker: Any
) -> Callable[..., list[str | None]]:
    """`signed_in(role, statements)` gives the ids that a process of this role finds after these statements."""
    monkeypatch.setattr(role_checks, "connection", superuser)
    monkeypatch.setattr(database_checks, "connection", superuser)

    def check(process: str, *statements: str, role: str = "", check: Any = role_checks.role) -> list[str | None]:
        settings.PROCESS = process
        role = role or {"beat": "portal_worker"}.get(process, f"portal_{process}")
        with django_db_blocker.unblock(), superuser.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                for statement in statements:
                    cursor.execute(statement)
                cursor.execute(f"SET LOCAL SESSION AUTHORIZATION {role}")
                return [message.id for message in check(databases=["default"])]
            finally:
                cursor.execute("ROLLBACK")

    return check


@pytest.mark.parametrize("process", ["web", "worker", "beat", "owner", "backup"])
def test_the_roles_as_make_run_makes_them_are_accepted(signed_in: Any, process: str) -> None:
    assert signed_in(process) == []


WAYS = {
    "staff, plainly": ["REVOKE portal_staff FROM {role}", "ALTER ROLE {role} INHERIT", "GRANT portal_staff TO {role}"],
    "staff, inherited": ["GRANT portal_staff TO {role} WITH INHERIT TRUE"],
    "staff, inherited and never set": ["GRANT portal_staff TO {role} WITH INHERIT TRUE, SET FALSE"],
    "staff to hand out": ["GRANT portal_staff TO {role} WITH ADMIN TRUE, INHERIT FALSE, SET TRUE"],
    "the owner, to become": ["GRANT portal_owner TO {role} WITH INHERIT FALSE, SET TRUE"],
    "the owner, inherited": ["GRANT portal_owner TO {role} WITH INHERIT TRUE, SET FALSE"],
    "the owner, by name only": ["GRANT portal_owner TO {role} WITH INHERIT FALSE, SET FALSE"],
    "the owner to hand out": ["GRANT portal_owner TO {role} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"],
    "the owner through a third": [
        "CREATE ROLE third",
        "GRANT portal_owner TO third WITH INHERIT TRUE",
        "GRANT third TO {role} WITH INHERIT TRUE",
    ],
    "the owner through a third and a fourth": [
        "CREATE ROLE third",
        "CREATE ROLE fourth",
        "GRANT portal_owner TO third WITH INHERIT FALSE, SET TRUE",
        "GRANT third TO fourth WITH INHERIT FALSE, SET TRUE",
        "GRANT fourth TO {role} WITH INHERIT FALSE, SET TRUE",
    ],
    "the owner through staff": ["GRANT portal_owner TO portal_staff", "GRANT portal_staff TO {role} WITH SET TRUE"],
    "a harmless group": ["CREATE ROLE third", "GRANT third TO {role}"],
    **{
        f"the predefined {name}": [f"GRANT {name} TO {{role}}"]
        for name in (
            "pg_read_all_data",
            "pg_write_all_data",
            "pg_read_server_files",
            "pg_write_server_files",
            "pg_execute_server_program",
            "pg_signal_backend",
            "pg_monitor",
            "pg_checkpoint",
            "pg_create_subscription",
        )
    },
    **{
        f"the attribute {name}": [f"ALTER ROLE {{role}} {name}"]
        for name in ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION")
    },
    "a member that has BYPASSRLS": ["CREATE ROLE third BYPASSRLS", "GRANT third TO {role} WITH INHERIT FALSE"],
    "the database": ["ALTER DATABASE portal OWNER TO {role}"],
    "the schema": ["ALTER SCHEMA public OWNER TO {role}"],
    "a table": ["CREATE TABLE planted (id int)", "ALTER TABLE planted OWNER TO {role}"],
    "a function": ["CREATE FUNCTION planted() RETURNS int LANGUAGE sql AS 'SELECT 1'", "ALTER FUNCTION planted OWNER TO {role}"],
    "making things": ["GRANT CREATE ON SCHEMA public TO {role}"],
    "making things, to everybody": ["GRANT CREATE ON SCHEMA public TO PUBLIC"],
    "making schemas": ["GRANT CREATE ON DATABASE portal TO {role}"],
}  # fmt: skip


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
@pytest.mark.parametrize("way", WAYS)
def test_a_role_that_was_given_more_is_refused(signed_in: Any, process: str, way: str) -> None:
    role = "portal_web" if process == "web" else "portal_worker"
    assert signed_in(process, *(statement.format(role=role) for statement in WAYS[way])) == ["portal.E002"]


@pytest.mark.parametrize("what", ["BYPASSRLS", "SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION"])
def test_what_staff_may_the_web_may(signed_in: Any, what: str) -> None:
    assert signed_in("web", f"ALTER ROLE portal_staff {what}") == ["portal.E002"]


def test_what_staff_owns_the_web_owns(signed_in: Any) -> None:
    statements = ["CREATE TABLE planted (id int)", "ALTER TABLE planted OWNER TO portal_staff"]
    assert signed_in("web", *statements) == ["portal.E002"]


@pytest.mark.parametrize(
    "statement",
    ["REVOKE portal_staff FROM portal_web", "GRANT portal_staff TO portal_web WITH INHERIT FALSE, SET FALSE"],
)
def test_a_web_that_could_not_become_staff_is_refused(signed_in: Any, statement: str) -> None:
    assert signed_in("web", statement) == ["portal.E002"]


def test_a_superuser_that_only_looks_like_the_web_is_refused(
    signed_in: Any, superuser: DatabaseWrapper, settings: Any, django_db_blocker: Any
) -> None:
    """By `?options=-c role=portal_web` in the address: RESET ROLE would undo it."""
    settings.PROCESS = "web"
    with django_db_blocker.unblock(), transaction_of(superuser) as cursor:
        cursor.execute("SET LOCAL ROLE portal_web")
        assert [message.id for message in role_checks.role(databases=["default"])] == ["portal.E001"]


@contextmanager
def transaction_of(wrapper: DatabaseWrapper) -> Iterator[Any]:
    with wrapper.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            yield cursor
        finally:
            cursor.execute("ROLLBACK")


@pytest.mark.parametrize("what", ["BYPASSRLS", "SUPERUSER"])
def test_an_owner_above_row_security_is_refused(signed_in: Any, what: str) -> None:
    assert signed_in("owner", f"ALTER ROLE portal_owner {what}") == ["portal.E002"]


# -- rights on tables --------------------------------------------------------------------------------------------------


GIVEN = {
    "a whole table": "GRANT DELETE ON vault_connection TO {role}",
    "a column": "GRANT SELECT (ciphertext) ON vault_credential TO {role}",
    "to hand on": "GRANT SELECT ON vault_connection TO {role} WITH GRANT OPTION",
    "everything": "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
    "a partition": "GRANT SELECT ON transport_entry_{month} TO {role}",
    "truncating": "GRANT TRUNCATE ON django_session TO {role}",
    "counting": "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "a view": "CREATE VIEW planted AS SELECT * FROM sync_record; GRANT SELECT ON planted TO {role}",
}


@pytest.mark.parametrize("role", ["portal_web", "portal_worker", "portal_staff", "PUBLIC"])
@pytest.mark.parametrize("way", GIVEN)
def test_rights_that_nobody_wrote_are_refused(db: None, settings: Any, way: str, role: str) -> None:
    if role == "PUBLIC" and way == "to hand on":
        pytest.skip("PostgreSQL gives nobody in general a grant option")
    settings.PROCESS = "worker"
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(relname) FROM pg_class WHERE relname ~ '^transport_entry_[0-9]{4}_[0-9]{2}$'")
        month = cursor.fetchone()[0].removeprefix("transport_entry_")
        cursor.execute(GIVEN[way].format(role=role, month=month))
    with acting_as("worker"):
        assert [message.id for message in role_checks.rights(databases=["default"])] == ["portal.E013"]


@pytest.mark.parametrize("table", ["django_session", "account_emailaddress", "django_migrations", "auth_group"])
def test_nobody_in_general_has_a_right_on_tables_that_others_brought(db: None, settings: Any, table: str) -> None:
    settings.PROCESS = "web"
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT SELECT ON {table} TO PUBLIC")
    with acting_as("web"):
        assert [message.id for message in role_checks.rights(databases=["default"])] == ["portal.E013"]


@pytest.mark.parametrize("role", ["portal_web", "portal_worker", "portal_staff", "PUBLIC"])
def test_rights_in_advance_are_refused(db: None, settings: Any, role: str) -> None:
    settings.PROCESS = "web"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}")
    with acting_as("web"):
        assert [message.id for message in role_checks.rights(databases=["default"])] == ["portal.E015"]


def test_a_setting_that_switches_triggers_off_is_refused(signed_in: Any) -> None:
    grant = "GRANT SET ON PARAMETER session_replication_role TO portal_web"
    assert "portal.E015" in signed_in("web", grant, check=role_checks.rights)


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_a_restore_without_privileges_is_refused(db: None, settings: Any, process: str) -> None:
    settings.PROCESS = process
    with connection.cursor() as cursor:
        cursor.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM portal_web, portal_worker, portal_staff")
    with acting_as("web" if process == "web" else "worker"), transaction.atomic():
        assert [message.id for message in role_checks.rights(databases=["default"])] == ["portal.E014"]


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_the_limits_come_with_the_connection_and_with_the_role(
    server: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    role = "portal_web" if process == "web" else "portal_worker"
    monkeypatch.setenv("DATABASE_URL", server.address(role))
    monkeypatch.setenv("PORTAL_PROCESS", process)
    limits = env.DATABASE_TIMEOUTS[process]
    assert all(limits.values())
    for options, expected in (
        (env.database("DATABASE_URL")["OPTIONS"]["options"], limits),
        ("", env.DATABASE_TIMEOUTS["web" if process == "web" else "worker"]),
    ):
        with psycopg.connect(server.address(role), options=options) as line:
            rows = line.execute("SELECT name, setting::int FROM pg_settings WHERE name = ANY (%s)", [list(limits)])
            assert dict(rows.fetchall()) == expected


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
@pytest.mark.parametrize("name", env.DATABASE_TIMEOUTS["web"])
def test_a_process_without_a_limit_is_refused(signed_in: Any, process: str, name: str) -> None:
    limits = [f"SET LOCAL {each} = 1000" for each in env.DATABASE_TIMEOUTS["web"]]
    assert signed_in(process, *limits, check=database_checks.timeouts) == []
    assert signed_in(process, *limits, f"SET LOCAL {name} = 0", check=database_checks.timeouts) == ["portal.E016"]


def test_the_owner_has_no_limit_whatever_the_database_says(
    server: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", server.address("portal_owner"))
    monkeypatch.setenv("PORTAL_PROCESS", "owner")
    with psycopg.connect(server.admin, autocommit=True) as line:
        line.execute("ALTER DATABASE portal SET statement_timeout = '1s'")
        try:
            options = env.database("DATABASE_URL")["OPTIONS"]["options"]
            with psycopg.connect(server.address("portal_owner"), options=options) as owner:
                assert owner.execute("SHOW statement_timeout").fetchone() == ("0",)
        finally:
            line.execute("ALTER DATABASE portal RESET statement_timeout")


# -- real processes ----------------------------------------------------------------------------------------------------


PROGRAMS = {
    "web": ["manage.py", "serve", "--listen", "127.0.0.1:0"],
    "worker": ["-m", "celery", "-A", "portal", "worker", "-P", "solo", "-l", "INFO"],
    "beat": ["-m", "celery", "-A", "portal", "beat", "-s", "{folder}/beat", "-l", "INFO"],
    "owner": ["manage.py", "migrate"],
}
KEYS = {"web": "PORTAL_WEB_KEYSET_FILE", "worker": "PORTAL_KEK_FILE"}


@pytest.fixture
def started(server: SimpleNamespace, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`started("worker")` runs the real thing on that server until it ends; one that goes on is killed, and fails."""

    def start_one(process: str, **more: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        files = {"web": server.keys.web_keyset, "worker": server.keys.kek}
        environment = inherited | {
            "PORTAL_MODE": "demo",
            "PORTAL_PROCESS": process,
            "PORTAL_SECRET_KEY_FILE": str(server.keys.secret_key),
            "PORTAL_VAR": str(tmp_path),
            "BROKER_URL": "redis+socket:///nowhere/valkey.sock",
            "DATABASE_URL": server.address("portal_worker" if process in ("worker", "beat") else "portal_web"),
        }
        if process in KEYS:
            environment[KEYS[process]] = str(files[process])
        return subprocess.run(
            [sys.executable, *(part.format(folder=tmp_path) for part in PROGRAMS[process])],
            cwd=REPOSITORY,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return start_one


@pytest.fixture(scope="module")
def restored(server: SimpleNamespace) -> None:
    """As after `pg_restore --no-privileges`: even what was migrated may not be read."""
    with psycopg.connect(server.address("portal_owner")) as owner:
        owner.execute(
            "CREATE TABLE django_migrations (id bigint, app varchar(255), name varchar(255), applied timestamptz)"
        )


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_a_check_that_cannot_be_made_ends_the_process(restored: None, started: Any, process: str) -> None:
    done = started(process)
    assert done.returncode == start.REFUSED, done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("portal: ")]
    assert "permission denied for table django_migrations" in line
    assert "ready" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_the_owners_commands_refuse_in_one_line(restored: None, started: Any) -> None:
    done = started("owner")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "CommandError: this command needs the database role portal_owner, and DATABASE_URL signs in as portal_web."
    ]


@pytest.mark.parametrize("name", ["PORTAL_SECRET_KEY_FILE", "PORTAL_WEB_KEYSET_FILE", "DATABASE_URL_FILE"])
def test_an_unreadable_file_ends_the_web_for_good(restored: None, started: Any, name: str) -> None:
    done = started("web", **{name: "/nowhere/file"})
    assert done.returncode == start.REFUSED
    [line] = done.stderr.splitlines()
    assert line.startswith("portal: ")
