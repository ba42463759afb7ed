"""The database roles and the database they share. Safe to run again, on our own server or on somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from portal.env import DATABASE_TIMEOUTS
from portal.operations.refusal import Refused

OWNER, WEB, WORKER, STAFF = "portal_owner", "portal_web", "portal_worker", "portal_staff"
LOGINS = (OWNER, WEB, WORKER)
BACKUP = "portal_backup"  # reads everything and writes nothing; only a superuser can make a role that row security lets pass
READS_ALL = "pg_read_all_data"


def address_as(dsn: str, role: str, password: str, *, database: str | None = None) -> str:
    """The same server's URL for another role, and another database if one is named."""
    url = urlsplit(dsn)
    server = url.netloc.rpartition("@")[2]
    path = f"/{quote(database)}" if database else url.path
    return urlunsplit(url._replace(netloc=f"{quote(role)}:{quote(password, safe='')}@{server}", path=path))


def ensure_roles(admin_dsn: str, passwords: Mapping[str, str], *, reset_passwords: bool = False) -> None:
    """Create the roles that are missing and give the database named in `admin_dsn` to the owner.

    The login needs CREATEROLE and must own the database; it need not be superuser. On a server of our own
    `reset_passwords` sets every password again; elsewhere an existing role keeps the one it has, because another
    installation may use it. Raises Refused.
    """
    try:
        with psycopg.connect(admin_dsn, connect_timeout=10) as connection:
            version = connection.info.server_version
            if version < 160000:
                message = f"the database server is PostgreSQL {version // 10000}; the portal needs 16 or newer"
                raise Refused(message)
            _ensure(connection, passwords, reset_passwords)
    except psycopg.Error as error:
        message = f"the database roles cannot be made: {_first_line(error)}"
        raise Refused(message) from None


def _ensure(connection: psycopg.Connection, passwords: Mapping[str, str], reset_passwords: bool) -> None:
    # Two starts at once would both miss the same role; the lock lives as long as this transaction.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('portal roles'))")
    [(admin, database, superuser, createdb)] = connection.execute(
        "SELECT current_user, current_database(), rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ).fetchall()
    present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'portal\\_%'")}

    for role in LOGINS:
        if role == admin:
            continue
        if role not in present:
            _run(connection, "CREATE ROLE {} LOGIN NOINHERIT NOCREATEROLE", role)
        if role not in present or reset_passwords:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(passwords[role]))
            connection.execute(statement)
    if STAFF not in present:
        _run(connection, "CREATE ROLE {} NOLOGIN NOINHERIT", STAFF)
    if superuser:
        if BACKUP not in present:
            _run(connection, "CREATE ROLE {} LOGIN INHERIT NOCREATEROLE BYPASSRLS", BACKUP)
        _run(connection, "GRANT {} TO {} WITH INHERIT TRUE, SET FALSE", READS_ALL, BACKUP)
    if superuser or createdb:
        _run(connection, "ALTER ROLE {} CREATEDB", OWNER)
    _run(connection, "GRANT {} TO {} WITH INHERIT FALSE, SET TRUE", STAFF, WEB)

    for role, process in ((WEB, "web"), (WORKER, "worker")):
        for name, milliseconds in DATABASE_TIMEOUTS[process].items():
            statement = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                *map(sql.Identifier, (role, database, name)), sql.Literal(milliseconds)
            )
            connection.execute(statement)

    if not superuser and admin != OWNER:
        # Handing a schema over asks for the right to become its new owner.
        _run(connection, "GRANT {} TO {} WITH INHERIT TRUE, SET TRUE", OWNER, admin)
    own_schema(connection)
    _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    _run(connection, "GRANT CONNECT ON DATABASE {} TO {}, {}", database, WEB, WORKER)
    if superuser:
        _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", database, BACKUP)
    _run(connection, "GRANT CONNECT, TEMPORARY, CREATE ON DATABASE {} TO {}", database, OWNER)


def own_schema(connection: psycopg.Connection) -> None:
    """Schema public belongs to the owner, and nobody else creates anything in it."""
    _run(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    _run(connection, "GRANT USAGE ON SCHEMA public TO {}, {}, {}", WEB, WORKER, STAFF)
    _run(connection, "ALTER SCHEMA public OWNER TO {}", OWNER)


def ensure_database(server_dsn: str, name: str) -> None:
    """Create database `name` through a login that may. Raises Refused."""
    try:
        with psycopg.connect(server_dsn, autocommit=True, connect_timeout=10) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                _run(connection, "CREATE DATABASE {}", name)
    except psycopg.Error as error:
        message = f"the database {name} cannot be made: {_first_line(error)}"
        raise Refused(message) from None


def check_login(dsn: str) -> None:
    """Refused, with the way out, where a role does not get in with the password we hold."""
    try:
        psycopg.connect(dsn, connect_timeout=10).close()
    except psycopg.Error as error:
        role = urlsplit(dsn).username
        message = (
            f"{role} cannot sign in to the database: {_first_line(error)}. If the role belongs to another "
            "installation on this server, use a server or cluster of its own"
        )
        raise Refused(message) from None


def _run(connection: psycopg.Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
