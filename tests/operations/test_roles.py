"""Roles on somebody else's server: through a login that is no superuser, twice, without touching what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders
from portal.operations import roles
from portal.operations.refusal import Refused
from tests.kinds import starts_processes

PASSWORDS = {role: f"{role} pass/word@1" for role in roles.LOGINS}


@pytest.fixture(scope="module")
@starts_processes
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A PostgreSQL that has never heard of the portal, and its administrator's login without superuser rights."""
    folders = Folders(tmp_path_factory.mktemp("server") / "state")
    folders.make()
    postgres = Postgres(folders, superuser_password="root of all", throw_away=True)
    postgres.start()
    try:
        with psycopg.connect(postgres.admin_address(), autocommit=True) as connection:
            connection.execute("CREATE ROLE dba LOGIN CREATEROLE PASSWORD 'dba'")
            connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'clerk'")
            connection.execute("CREATE DATABASE office OWNER dba")
        admin = postgres.address("dba", "dba", "office")
        roles.ensure_roles(admin, PASSWORDS)
        yield SimpleNamespace(
            admin=admin,
            clerk=postgres.address("clerk", "clerk", "office"),
            login=lambda role: roles.address_as(admin, role, PASSWORDS[role]),
        )
    finally:
        postgres.stop()


def test_the_owner_owns_and_the_others_only_come_in(server: SimpleNamespace) -> None:
    with psycopg.connect(server.login(roles.OWNER)) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS thing (id int)")
    for role in (roles.WEB, roles.WORKER):
        with psycopg.connect(server.login(role)) as runtime:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                runtime.execute("CREATE TABLE mine (id int)")
            runtime.rollback()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                runtime.execute("SELECT * FROM thing")


def test_web_alone_becomes_staff_and_inherits_nothing_from_it(server: SimpleNamespace) -> None:
    with psycopg.connect(server.login(roles.OWNER)) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS desk (id int)")
        owner.execute("GRANT SELECT ON desk TO portal_staff")
    with psycopg.connect(server.login(roles.WEB)) as web:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("SELECT * FROM desk")
        web.rollback()
        web.execute("SET LOCAL ROLE portal_staff")
        web.execute("SELECT * FROM desk")
    with psycopg.connect(server.login(roles.WORKER)) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute("SET LOCAL ROLE portal_staff")


def test_no_role_has_an_attribute_that_steps_over_row_security(server: SimpleNamespace) -> None:
    with psycopg.connect(server.admin) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolreplication, rolcanlogin FROM pg_roles"
            " WHERE rolname LIKE 'portal%' ORDER BY rolname"
        ).fetchall()
    assert rows == [
        ("portal_owner", False, False, False, False, True),
        ("portal_staff", False, False, False, False, False),
        ("portal_web", False, False, False, False, True),
        ("portal_worker", False, False, False, False, True),
    ]


def test_again_changes_nothing_and_leaves_passwords_of_an_existing_installation(server: SimpleNamespace) -> None:
    roles.ensure_roles(server.admin, dict.fromkeys(roles.LOGINS, "another"))
    for role in roles.LOGINS:
        roles.check_login(server.login(role))
    stranger = roles.address_as(server.admin, roles.WEB, "another")
    with pytest.raises(Refused, match="portal_web cannot sign in"):
        roles.check_login(stranger)


def test_a_login_that_may_not_make_roles_is_told_so(server: SimpleNamespace) -> None:
    with pytest.raises(Refused, match="the database roles cannot be made"):
        roles.ensure_roles(server.clerk, PASSWORDS)


def test_nobody_else_may_enter_the_database_by_default(server: SimpleNamespace) -> None:
    with psycopg.connect(server.admin) as connection:
        connection.execute("SELECT has_database_privilege('clerk', 'office', 'CONNECT')")
        assert connection.execute("SELECT has_database_privilege('clerk', 'office', 'CONNECT')").fetchone() == (False,)


def test_an_address_for_another_role_keeps_the_server(tmp_path: Path) -> None:
    address = "postgresql://dba:old@db.example:5433/portal?sslmode=require"
    assert roles.address_as(address, "portal_web", "a/b@c") == (
        "postgresql://portal_web:a%2Fb%40c@db.example:5433/portal?sslmode=require"
    )
