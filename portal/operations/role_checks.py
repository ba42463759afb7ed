"""Start-up checks of the database roles: what a role is, may become and was given, against what the models write."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from connections.tenancy.row_security import OWNER, STAFF, WEB, WORKER, NoRowSecurity, RowSecurity
from portal.operations.checks import COMMANDS

BACKUP, READS_ALL = "portal_backup", "pg_read_all_data"
RUNTIME = (WEB, WORKER, STAFF)
# Beat only asks which jobs are due, which either runtime role may.
ROLES = {"web": (WEB,), "worker": (WORKER,), "beat": (WEB, WORKER), "owner": (OWNER,), "backup": (BACKUP,)}
# Web becomes staff by SET ROLE, for one transaction, and has none of its rights by itself.
MAY_BECOME = {WEB: frozenset({STAFF})}

ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolbypassrls": "BYPASSRLS",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
    "rolreplication": "REPLICATION",
}
FORBIDDEN_TO_OWNER = ("SUPERUSER", "BYPASSRLS")  # the owner makes tables, and of the demo's server databases for tests
NEVER_GRANTED = {"TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN"}
PUBLIC = "PUBLIC"

Messages = list[CheckMessage]


@dataclass(frozen=True)
class Login:
    """What PostgreSQL says about the role this process came in with. Each set reaches through every other role."""

    role: str
    session: str = ""  # whom RESET ROLE would make of it
    attributes: frozenset[str] = frozenset()  # its own, and of whatever it is a member of
    member_of: frozenset[str] = frozenset()
    inherits: frozenset[str] = frozenset()  # whose rights it has without a word
    becomes: frozenset[str] = frozenset()
    administers: frozenset[str] = frozenset()  # whom it could grant to itself or to others
    owned: int = 0  # things in this database that belong to it or to a role it reaches
    creates: frozenset[str] = field(default_factory=frozenset)  # where it may make things of its own


def login() -> Login:
    """Who this process is to the database, read from its catalogues in three queries."""
    names = ", ".join(ATTRIBUTES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT rolname, {names}, pg_has_role(current_user, oid, 'MEMBER'),"  # noqa: S608  # nosec B608
            " pg_has_role(current_user, oid, 'USAGE'), pg_has_role(current_user, oid, 'SET'),"
            " pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION'), current_user, session_user FROM pg_roles"
            " WHERE pg_has_role(current_user, oid, 'MEMBER') OR pg_has_role(current_user, oid, 'USAGE')"
        )
        rows = cursor.fetchall()
        me, session = rows[0][-2:]
        others = [row for row in rows if row[0] != me]
        attributes = {
            name for row in rows for name, is_set in zip(ATTRIBUTES.values(), row[1:-6], strict=True) if is_set
        }
        cursor.execute(
            "SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND dbid IN"
            " (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND refobjid IN"
            " (SELECT oid FROM pg_roles WHERE rolname = ANY (%s))",
            [[me, *({STAFF} & {row[0] for row in others})]],
        )
        owned = cursor.fetchone()[0]
        cursor.execute(
            "SELECT 'schema public' WHERE has_schema_privilege('public', 'CREATE') UNION ALL SELECT 'the database'"
            " WHERE has_database_privilege(current_database(), 'CREATE')"
        )
        creates = frozenset(name for (name,) in cursor.fetchall())
    member, inherits, becomes, administers = (
        frozenset(row[0] for row in others if row[place]) for place in (-6, -5, -4, -3)
    )
    return Login(me, session, frozenset(attributes), member, inherits, becomes, administers, owned, creates)


@register(Tags.database)
def role(app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any) -> Messages:
    """Row security holds only for a role that cannot step around it."""
    if not databases:
        return []
    names = ROLES[settings.PROCESS]
    current = login()
    if current.role not in names or session_role(current) != current.role:
        return [
            Error(
                f"This {settings.PROCESS} process is signed in to the database as {session_role(current)}.",
                hint=f"Its DATABASE_URL must name {' or '.join(names)}.",
                id="portal.E001",
            )
        ]
    if current.role == BACKUP:
        return _backup_role(current)
    power = _owners_power(current) if current.role == OWNER else _power(current)
    if not power:
        return []
    return [
        Error(
            f"The database role {current.role} could step around row security (it {power}).",
            hint="Take that from it: a runtime role owns nothing, has no attribute, is a member of no role, and web alone"
            " may become portal_staff (GRANT portal_staff TO portal_web WITH INHERIT FALSE, SET TRUE).",
            id="portal.E002",
        )
    ]


def _backup_role(current: Login) -> Messages:
    """It has to read every row of every tenant, and must be able to do nothing else."""
    if "BYPASSRLS" not in current.attributes or READS_ALL not in current.inherits:
        return [
            Error(
                f"The database role {BACKUP} does not see every row, so that a backup would not be whole.",
                hint="Run deploy/roles.sql again, as a superuser of the database.",
                id="portal.E033",
            )
        ]
    excess = (
        current.attributes - {"BYPASSRLS"}
        or (current.member_of | current.becomes | current.administers) - {READS_ALL}
        or current.creates
    )
    writes = _writable_tables()
    if not (excess or current.owned or writes):
        return []
    return [
        Error(
            f"The database role {BACKUP} may do more than read: {_listed({*excess, *writes}) or 'it owns things here'}.",
            hint=f"Take that from it; besides BYPASSRLS and {READS_ALL} it needs nothing but CONNECT.",
            id="portal.E034",
        )
    ]


def _writable_tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
            " AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
        )
        return {f"changing {name}" for (name,) in cursor.fetchall()}


def session_role(current: Login) -> str:
    return current.session


def _owners_power(current: Login) -> str:
    excess = current.attributes & set(FORBIDDEN_TO_OWNER)
    return f"has {_listed(excess)}" if excess else ""


def _power(current: Login) -> str:
    allowed = MAY_BECOME.get(current.role, frozenset())
    for excess, says in (
        (current.attributes, "or a role it is a member of has {}"),
        (current.member_of - allowed, "is a member of {}"),
        (current.inherits, "inherits the rights of {}"),
        (current.becomes - allowed, "may become {}"),
        (current.administers, "may hand out {}"),
        (current.creates, "may create things in {}"),
    ):
        if excess:
            return says.format(_listed(excess))
    if current.owned:
        return f"owns {current.owned} things in this database"
    missing = allowed - current.becomes
    return f"may not become {_listed(missing)}, which it must" if missing else ""


def _listed(names: Iterable[str], most: int = 3) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


# -- rights ------------------------------------------------------------------------------------------------------------

Rights = dict[str, set[tuple[str, str, str]]]  # by table: (role, privilege, column or '')


def spelled(rights: str) -> Iterator[tuple[str, str]]:
    """`SELECT, UPDATE (state, name)` as (privilege, column), column '' for the whole table."""
    for privilege, columns in re.findall(r"(\w+)\s*(?:\(([^)]*)\))?\s*(?:,|$)", rights):
        if columns:
            yield from ((privilege, column.strip()) for column in columns.split(","))
        else:
            yield privilege, ""


def declared_rights() -> Rights:
    """What the models' own constraints write."""
    rights: Rights = {}
    for model in apps.get_models(include_auto_created=True):
        constraint = next((c for c in model._meta.constraints if isinstance(c, RowSecurity | NoRowSecurity)), None)
        if constraint is not None:
            by_role = ((WEB, constraint.web), (WORKER, constraint.worker), (STAFF, constraint.staff))
            rights[model._meta.db_table] = {(name, *right) for name, text in by_role for right in spelled(text)}
    return rights


def granted_rights() -> tuple[Rights, set[str]]:
    """What the catalogue has for the runtime roles and for everybody, and the names that nobody needs a right on.

    Things that belong to an extension are its own affair.
    """
    rights: Rights = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH ours AS (SELECT c.* FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
            " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (SELECT 1 FROM pg_depend d"
            " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),"
            " acls AS (SELECT relname, relacl AS acl, '' AS attname FROM ours UNION ALL"
            " SELECT relname, attacl, attname FROM pg_attribute a JOIN ours ON ours.oid = a.attrelid"
            " WHERE a.attacl IS NOT NULL)"
            " SELECT relname, coalesce(rolname, %s), privilege_type, is_grantable, attname FROM acls, aclexplode(acl)"
            " LEFT JOIN pg_roles r ON r.oid = grantee"
            " WHERE grantee = 0 OR rolname = ANY (%s)",
            [PUBLIC, list(RUNTIME)],
        )
        for table, name, privilege, is_grantable, column in cursor.fetchall():
            rights[table].add((name, privilege, column))
            if is_grantable:
                rights[table].add((name, f"{privilege} WITH GRANT OPTION", column))
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND (relispartition OR relkind IN ('v', 'm', 'f', 'S'))"
        )
        return rights, {name for (name,) in cursor.fetchall()}


@register(Tags.database)
def rights(
    app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """No role, and nobody in general, has more or less than what is written. The owner's migrations are what writes it."""
    if not databases or settings.PROCESS in COMMANDS:
        return []
    declared = declared_rights()
    granted, closed = granted_rights()
    errors: Messages = []
    excess = {
        _spell(table, right) for table, table_rights in granted.items() for right in table_rights if table in declared
    } - {_spell(table, right) for table, table_rights in declared.items() for right in table_rights}
    for table, table_rights in granted.items():
        if table not in declared:
            excess |= {_spell(table, right) for right in table_rights if table in closed or _is_never_granted(right)}
    if excess:
        errors.append(
            Error(
                f"Rights were granted that nobody wrote: {_listed(excess)}.",
                hint="Revoke them; what a role may is written in the models and comes with the migrations.",
                id="portal.E013",
            )
        )
    present = granted.keys() & declared.keys()
    missing = {_spell(table, right) for table in present for right in declared[table] - granted[table]}
    missing |= {_spell(table, right) for table in declared.keys() - present for right in declared[table]}
    if missing:
        errors.append(
            Error(
                f"Rights are missing: {_listed(missing)}.",
                hint="Restore the database with its privileges (without --no-privileges), or grant them as the owner.",
                id="portal.E014",
            )
        )
    in_advance = _granted_in_advance()
    if in_advance:
        errors.append(
            Error(
                f"Rights on what is yet to come are granted: {_listed(in_advance)}.",
                hint="Take them away with ALTER DEFAULT PRIVILEGES ... REVOKE, and REVOKE ... ON PARAMETER.",
                id="portal.E015",
            )
        )
    return errors


def _is_never_granted(right: tuple[str, str, str]) -> bool:
    name, privilege, _ = right
    return name == PUBLIC or privilege in NEVER_GRANTED or privilege.endswith("GRANT OPTION")


def _spell(table: str, right: tuple[str, str, str]) -> str:
    name, privilege, column = right
    return f"{privilege}{f' ({column})' if column else ''} on {table} to {name}"


def _granted_in_advance() -> set[str]:
    """Default privileges on tables, sequences and schemas, and settings that a role may change for itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT privilege_type, coalesce(rolname, %s) FROM pg_default_acl, aclexplode(defaclacl)"
            " LEFT JOIN pg_roles r ON r.oid = grantee"
            " WHERE rolname = ANY (%s) OR (grantee = 0 AND defaclobjtype IN ('r', 'S', 'n'))"
            " UNION SELECT privilege_type || ' of ' || parname, coalesce(rolname, %s) FROM pg_parameter_acl,"
            " aclexplode(paracl) LEFT JOIN pg_roles r ON r.oid = grantee WHERE grantee = 0 OR rolname = ANY (%s)",
            [PUBLIC, list(RUNTIME), PUBLIC, list(RUNTIME)],
        )
        return {f"{privilege} to {name}" for privilege, name in cursor.fetchall()}
