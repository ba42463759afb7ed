"""What the runtime roles may do, read from the catalogue of the connected database."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db import connection

from connections.tenancy.row_security import STAFF, WEB, WORKER
from connections.transport.log import partitions

ROLES = (WEB, STAFF, WORKER)
PARTITION = re.compile(rf"{partitions.TABLE}_\d{{4}}_\d{{2}}")
VERBS = {"SELECT": "read", "INSERT": "insert", "UPDATE": "change", "DELETE": "delete"}
MOST_NAMED = 6  # columns that may be named by leaving out the others

# has_..._privilege counts what comes by PUBLIC and by inherited roles, too.
COLUMNS = """
SELECT c.relname, a.attname, r.role, p.privilege, has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
 unnest(%s::text[]) AS r (role), unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p (privilege)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname, a.attnum
"""
DELETES = """
SELECT c.relname, r.role FROM pg_class c, unnest(%s::text[]) AS r (role)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 AND has_table_privilege(r.role, c.oid, 'DELETE, TRUNCATE')
"""
SECURED = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, array(SELECT policyname::text FROM pg_policies p
 WHERE p.schemaname = 'public' AND p.tablename = c.relname AND p.policyname <> 'owner' ORDER BY policyname DESC)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
"""
BECOME = "SELECT o.rolname FROM pg_roles o WHERE o.rolname <> %s AND pg_has_role(%s, o.oid, 'SET') ORDER BY 1"
SEQUENCES = """
SELECT DISTINCT c.relname FROM pg_class c, unnest(%s::text[]) AS r (role) WHERE c.relkind = 'S'
 AND c.relnamespace = 'public'::regnamespace AND has_sequence_privilege(r.role, c.oid, 'USAGE, SELECT, UPDATE')
"""
FUNCTIONS = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"


@dataclass(frozen=True)
class Table:
    """`can`: by role and privilege, the columns that it counts for; of DELETE all or none."""

    name: str
    columns: tuple[str, ...]
    can: dict[str, dict[str, set[str]]]
    row_security: str

    def readable(self, roles: set[str]) -> set[str]:
        return set[str]().union(*(self.can[role]["SELECT"] for role in roles))

    def does(self, roles: set[str], privilege: str) -> bool:
        return any(self.can[role][privilege] for role in roles)

    def said(self, role: str) -> str:
        """The rights of one role in words."""
        told = []
        for privilege, verb in VERBS.items():
            columns = self.can[role][privilege]
            if not columns:
                continue
            rest = [column for column in self.columns if column not in columns]
            if not rest:
                told.append(verb)
            elif len(rest) <= MOST_NAMED and len(rest) < len(columns):
                told.append(f"{verb} all but {_named(rest)}")
            else:
                told.append(f"{verb} {_named([column for column in self.columns if column in columns])}")
        return "; ".join(told) or "–"


@dataclass(frozen=True)
class Rights:
    roles: tuple[str, ...]
    tables: dict[str, Table]
    may_become: dict[str, list[str]]
    sequences: str
    functions: str

    def has(self, roles: set[str], name: str, privilege: str) -> bool:
        """Whether one of these roles has it on this `table.column`. Raises LookupError where there is none."""
        table, _dot, column = name.partition(".")
        if table not in self.tables or column not in self.tables[table].columns:
            message = f"there is no column {name}"
            raise LookupError(message)
        return any(column in self.tables[table].can[role][privilege] for role in roles)


def read_rights() -> Rights:
    roles = list(ROLES)
    columns: dict[str, list[str]] = {}
    can: dict[str, dict[str, dict[str, set[str]]]] = {}
    for table, column, role, privilege, has in _rows(COLUMNS, roles):
        if PARTITION.fullmatch(table):
            continue
        of_role = can.setdefault(table, {each: {verb: set() for verb in VERBS} for each in roles})[role]
        of_role[privilege] |= {column} if has else set()
        if column not in columns.setdefault(table, []):
            columns[table].append(column)
    for table, role in _rows(DELETES, roles):
        if table in can:
            can[table][role]["DELETE"] = set(columns[table])
    secured = {name: ", ".join(policies) if forced else "off" for name, forced, policies in _rows(SECURED)}
    return Rights(
        ROLES,
        {name: Table(name, tuple(columns[name]), can[name], secured[name]) for name in can},
        {role: [name for (name,) in _rows(BECOME, role, role)] for role in roles},
        ", ".join(f"`{name}`" for (name,) in _rows(SEQUENCES, roles)),
        ", ".join(f"`{name}`" for (name,) in _rows(FUNCTIONS)),
    )


def _rows(sql: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def _named(columns: list[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)
