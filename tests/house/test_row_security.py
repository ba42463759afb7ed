"""The catalogue against the models: every table is behind the fence or says why not, and no role has more than is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from connections.tenancy.row_security import OWNER, STAFF, WEB, WORKER, NoRowSecurity, RowSecurity, SameTenant
from connections.transport.log import partitions

RUNTIME = (WEB, WORKER, STAFF)
ALL = "SELECT, INSERT, UPDATE, DELETE"
# Rights on tables that come with Django and allauth, which no model of ours can tell.
BROUGHT = {
    "django_session": {"web": ALL},
    "usersessions_usersession": {"web": ALL},
    "account_emailaddress": {"web": ALL, "staff": "SELECT, INSERT"},
    "account_emailconfirmation": {"web": ALL},
    "mfa_authenticator": {"web": ALL, "staff": "SELECT (id, type, user_id, created_at, last_used_at), DELETE"},
    "django_content_type": {"web": "SELECT", "staff": "SELECT"},
    "django_admin_log": {"staff": "SELECT, INSERT"},
    "django_migrations": {"web": "SELECT", "worker": "SELECT"},
}
# Django's own, which no runtime role touches: groups and permissions are not used, mail and addresses have their own rows.
WITHOUT_RIGHTS = {"auth_group", "auth_permission", "auth_group_permissions"}
PARTITION = re.compile(rf"{partitions.TABLE}_\d{{4}}_\d{{2}}")
# Unique without the tenant, with the reason.
UNIQUE_ELSEWHERE = {
    (
        "support_visit",
        "user_id",
    ): "one of our people visits one tenant at a time, and none of the tenants can write it",
    ("members_invitation", "digest"): "a SHA-256 of a random secret; two of them never meet",
    ("vault_grant", "connection_id"): "a connection's id is random and, by the composite key, of one tenant only",
    ("onboarding_onboarding", "connection_id"): "the same",
    ("sync_schedule", "connection_id"): "the same",
    ("transport_departure", "connection_id"): "the same",
}
LOG_RIGHTS = {"web": "SELECT", "worker": "SELECT, INSERT", "staff": "SELECT"}

pytestmark = pytest.mark.django_db


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def tables() -> set[str]:
    return {
        name
        for (name,) in rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        if not PARTITION.fullmatch(name)
    }


def constraint_of(model: type[models.Model]) -> RowSecurity | NoRowSecurity | None:
    return next((c for c in model._meta.constraints if isinstance(c, RowSecurity | NoRowSecurity)), None)


def declared() -> dict[str, RowSecurity | NoRowSecurity]:
    return {
        model._meta.db_table: constraint
        for model in apps.get_models(include_auto_created=True)
        if (constraint := constraint_of(model)) is not None
    }


def fenced() -> set[str]:
    return {table for table, constraint in declared().items() if isinstance(constraint, RowSecurity)} | {
        partitions.TABLE
    }


# -- where every table stands ------------------------------------------------------------------------------------------


def test_every_table_is_fenced_or_says_why_not() -> None:
    accounted = set(declared()) | {partitions.TABLE} | set(BROUGHT) | WITHOUT_RIGHTS
    assert tables() - accounted == set(), "give the model RowSecurity(...) or NoRowSecurity(reason=...)"
    assert accounted - tables() == set(), "listed, but there is no such table"


def test_whoever_stands_outside_gives_a_reason() -> None:
    for table, constraint in declared().items():
        if isinstance(constraint, NoRowSecurity):
            assert len(constraint.reason) > 20, table


def test_a_model_with_a_tenant_is_fenced_unless_it_says_why_not() -> None:
    for model in apps.get_models():
        if "tenant" in {field.name for field in model._meta.concrete_fields} and model._meta.managed:
            assert constraint_of(model) is not None, model


def test_every_fence_stands() -> None:
    found = rows(
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relname = ANY (%s)",
        sorted(fenced()),
    )
    assert {name for name, *_ in found} == fenced()
    assert [name for name, enabled, forced in found if not (enabled and forced)] == []


def test_every_fence_has_the_policies_it_should_and_no_other() -> None:
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for table, name, roles, command, using, check in rows(
        "SELECT tablename, policyname, roles::text[], cmd, qual, with_check FROM pg_policies WHERE schemaname = 'public'"
    ):
        found.setdefault(table, {})[name] = (set(roles), command, using, check)
    assert set(found) == fenced()
    for table, policies in found.items():
        constraint = declared().get(table)
        staff = LOG_RIGHTS["staff"] if constraint is None else constraint.staff
        person = getattr(constraint, "person", "")
        expected = {"owner", "tenant"} | ({"staff"} if staff else set()) | ({"person"} if person else set())
        assert set(policies) == expected, table
        assert policies["owner"][0] == {OWNER}
        roles, command, using, check = policies["tenant"]
        assert (roles, command) == ({WEB, WORKER}, "ALL"), table
        assert using == check, table
        assert "tenant_id = " in using, table
        assert "portal.tenant_id" in using, table
        if staff:
            assert policies["staff"][0] == {STAFF}, table
        if person:
            assert policies["person"][:2] == ({WEB}, "SELECT"), table
            assert person in policies["person"][2], table


# -- what every role may -----------------------------------------------------------------------------------------------


def spelled(rights: str) -> Iterator[tuple[str, str]]:
    """`SELECT, UPDATE (state, name)` as (privilege, column), column '' for the whole table."""
    for privilege, columns in re.findall(r"(\w+)\s*(?:\(([^)]*)\))?\s*(?:,|$)", rights):
        if columns:
            yield from ((privilege, column.strip()) for column in columns.split(","))
        else:
            yield privilege, ""


def written() -> set[tuple[str, str, str, str]]:
    """(role, table, privilege, column) as models and migrations spell them."""
    found = set()
    for table, constraint in declared().items():
        for role, rights in ((WEB, constraint.web), (WORKER, constraint.worker), (STAFF, constraint.staff)):
            found |= {(role, table, *right) for right in spelled(rights)}
    for table, by_role in {**BROUGHT, partitions.TABLE: LOG_RIGHTS}.items():
        for role, rights in by_role.items():
            found |= {(f"portal_{role}", table, *right) for right in spelled(rights)}
    return found


def granted() -> set[tuple[str, str, str, str]]:
    """The same as the catalogue has it, for the runtime roles and for everybody."""
    whole = rows(
        "SELECT coalesce(r.rolname, 'PUBLIC'), c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a"
        " LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND coalesce(r.rolname, 'PUBLIC') <> %s",
        OWNER,
    )
    columns = rows(
        "SELECT coalesce(r.rolname, 'PUBLIC'), c.relname, a.privilege_type, t.attname FROM pg_attribute t"
        " JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE c.relnamespace = 'public'::regnamespace AND coalesce(r.rolname, 'PUBLIC') <> %s",
        OWNER,
    )
    return {(role, table, privilege, "") for role, table, privilege in whole} | set(columns)


def test_rights_are_exactly_the_written_ones() -> None:
    assert granted() - written() == set(), "granted, but nowhere written"
    assert written() - granted() == set(), "written, but not granted"


def test_staff_have_no_right_on_passwords_and_the_web_none_on_who_is_staff() -> None:
    rights = {right for right in granted() if right[1] == "members_user"}
    staff = {right for right in rights if right[0] == STAFF}
    assert not {right for right in staff if right[3] in ("", "password")}  # '' would be every column
    web = {(privilege, column) for role, _, privilege, column in rights if role == WEB}
    assert not {right for right in web if right[0] != "SELECT" and right[1] in ("", "staff_role", "is_active")} - {
        ("INSERT", "is_active")
    }


def test_nobody_may_truncate_or_make_triggers() -> None:
    assert not {right for right in granted() if right[2] in ("TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN")}


def test_partitions_are_reached_through_their_parent_only() -> None:
    assert not {right for right in granted() if PARTITION.fullmatch(right[1])}
    assert len([name for (name,) in rows("SELECT relname FROM pg_class WHERE relkind = 'r'") if PARTITION.match(name)])


def test_nothing_is_granted_in_advance() -> None:
    assert rows("SELECT defaclobjtype FROM pg_default_acl") == []


@pytest.mark.parametrize("role", RUNTIME)
def test_a_runtime_role_owns_nothing_and_cannot_step_around(role: str) -> None:
    [powers] = rows(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = %s",
        role,
    )
    assert not any(powers)
    assert rows("SELECT relname FROM pg_class WHERE relowner = %s::regrole", role) == []
    assert rows("SELECT nspname FROM pg_namespace WHERE nspowner = %s::regrole", role) == []
    may_become = {name for (name,) in rows("SELECT rolname FROM pg_roles WHERE pg_has_role(%s, oid, 'SET')", role)}
    assert may_become == {role} | ({STAFF} if role == WEB else set())
    # What it may become is not what it is: staff's rights come with SET ROLE, never by themselves.
    assert rows("SELECT pg_has_role(%s, %s, 'USAGE')", role, STAFF) == [(role == STAFF,)]


def test_the_owner_is_no_superuser() -> None:
    assert rows("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", OWNER) == [(False, False)]


# -- ways around the fence ---------------------------------------------------------------------------------------------


def test_there_are_no_views_and_no_functions_that_run_as_their_owner() -> None:
    assert (
        rows("SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace")
        == []
    )
    assert rows("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace") == []


def test_foreign_keys_between_tenants_rows_carry_the_tenant() -> None:
    found = rows(
        "SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text, array(SELECT attname::text"
        " FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = ANY (c.conkey)) FROM pg_constraint c"
        " WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace"
    )
    between = [(name, columns) for name, source, target, columns in found if {source, target} <= fenced()]
    assert between, "there are such keys"
    assert [name for name, columns in between if "tenant_id" not in columns] == []


def test_every_relation_between_tenants_rows_has_its_composite_key() -> None:
    for model in apps.get_models():
        if not isinstance(constraint_of(model), RowSecurity):
            continue
        same = {constraint.field for constraint in model._meta.constraints if isinstance(constraint, SameTenant)}
        for field in model._meta.concrete_fields:
            if field.is_relation and isinstance(constraint_of(field.related_model), RowSecurity):
                assert field.name in same, f"{model.__name__}.{field.name} needs SameTenant"
                assert not field.db_constraint, (
                    f"{model.__name__}.{field.name}: the plain key would ignore row security"
                )


def test_what_is_unique_is_unique_within_its_tenant() -> None:
    found = rows(
        "SELECT i.indrelid::regclass::text, array(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid"
        " AND attnum = ANY (i.indkey)) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique"
        " AND NOT i.indisprimary AND c.relnamespace = 'public'::regnamespace"
    )
    bare = {(table, ",".join(columns)) for table, columns in found if table in fenced() and "tenant_id" not in columns}
    assert bare == set(UNIQUE_ELSEWHERE)


# -- the tests themselves can fail -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("CREATE TABLE planted (tenant_id uuid)", test_every_table_is_fenced_or_says_why_not),
        ("ALTER TABLE sync_record NO FORCE ROW LEVEL SECURITY", test_every_fence_stands),
        ("CREATE POLICY extra ON sync_record USING (true)", test_every_fence_has_the_policies_it_should_and_no_other),
        ("GRANT SELECT ON sync_record TO portal_staff", test_rights_are_exactly_the_written_ones),
        ("GRANT SELECT (ciphertext) ON vault_credential TO portal_web", test_rights_are_exactly_the_written_ones),
        (
            "GRANT SELECT (password) ON members_user TO portal_staff",
            test_staff_have_no_right_on_passwords_and_the_web_none_on_who_is_staff,
        ),
        (
            "GRANT UPDATE (staff_role) ON members_user TO portal_web",
            test_staff_have_no_right_on_passwords_and_the_web_none_on_who_is_staff,
        ),
        ("GRANT TRUNCATE ON sync_record TO portal_worker", test_nobody_may_truncate_or_make_triggers),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO portal_web", test_nothing_is_granted_in_advance),
        (
            "CREATE VIEW planted AS SELECT * FROM sync_record",
            test_there_are_no_views_and_no_functions_that_run_as_their_owner,
        ),
        (
            "CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM sync_record'",
            test_there_are_no_views_and_no_functions_that_run_as_their_owner,
        ),
        (
            "ALTER TABLE sync_record ADD CONSTRAINT planted FOREIGN KEY (connection_id) REFERENCES vault_connection (id)",
            test_foreign_keys_between_tenants_rows_carry_the_tenant,
        ),
        (
            "CREATE UNIQUE INDEX planted ON sync_record (external_id)",
            test_what_is_unique_is_unique_within_its_tenant,
        ),
    ],
)
def test_damage_is_noticed(damage: str, check: Any) -> None:
    check()
    with connection.cursor() as cursor:
        cursor.execute(damage)
    with pytest.raises(AssertionError):
        check()
