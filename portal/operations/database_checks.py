"""Start-up checks of the database: the right role without power, row security everywhere, nothing pending, one clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from connections.tenancy.row_security import OWNER, STAFF, WEB, WORKER, Unfenced
from portal.operations.embedded import CLUSTER_NAME

OLDEST_SERVER = 16
MOST_DRIFT = 60.0  # seconds

# Beat only asks which jobs are due, which either runtime role may.
ROLES = {"web": (WEB,), "worker": (WORKER,), "beat": (WEB, WORKER), "owner": (OWNER,)}
MAY_BECOME = {WEB: {STAFF}, WORKER: set[str]()}

Messages = list[CheckMessage]


@dataclass(frozen=True)
class Login:
    """What PostgreSQL says about the role this process came in with."""

    role: str
    is_powerful: bool  # superuser, BYPASSRLS, CREATEROLE or REPLICATION
    owns_tables: bool
    may_become: frozenset[str]


def login() -> Login:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication, EXISTS (SELECT 1 FROM pg_class"
            " WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace) FROM pg_roles r"
            " WHERE rolname = current_user"
        )
        role, is_powerful, owns_tables = cursor.fetchone()
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname <> current_user AND pg_has_role(current_user, oid, 'SET')"
        )
        return Login(role, is_powerful, owns_tables, frozenset(name for (name,) in cursor.fetchall()))


def server_major() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        return int(cursor.fetchone()[0])


@register(Tags.database)
def server(
    app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    if not databases:
        return []
    major = server_major()
    if major < OLDEST_SERVER:
        return [
            Error(
                f"The database server is PostgreSQL {major}.",
                hint=f"Use version {OLDEST_SERVER} or newer.",
                id="portal.E005",
            )
        ]
    if settings.DEMO:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('cluster_name')")
        if cursor.fetchone()[0] != CLUSTER_NAME:
            return []
    return [
        Error(
            "The database is the demo's embedded server.",
            hint="Set DATABASE_URL to a PostgreSQL that is kept up to date and backed up.",
            id="portal.E025",
        )
    ]


@register(Tags.database)
def role(app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any) -> Messages:
    """Row security holds only for a role that cannot step around it."""
    if not databases:
        return []
    wanted = ROLES[settings.PROCESS]
    found = login()
    if found.role not in wanted:
        return [
            Error(
                f"This {settings.PROCESS} process is signed in to the database as {found.role}.",
                hint=f"Its DATABASE_URL must name {' or '.join(wanted)}.",
                id="portal.E001",
            )
        ]
    if found.role == OWNER:
        return []
    excess = found.may_become - MAY_BECOME[found.role]
    if not (found.is_powerful or found.owns_tables or excess):
        return []
    return [
        Error(
            f"The database role {found.role} could step around row security (it {_power(found, excess)}).",
            hint="Take that from it: a runtime role owns nothing, has no attribute, and web alone may become staff.",
            id="portal.E002",
        )
    ]


def _power(found: Login, excess: set[str] | frozenset[str]) -> str:
    if found.is_powerful:
        return "is superuser or has BYPASSRLS, CREATEROLE or REPLICATION"
    if found.owns_tables:
        return "owns tables"
    return f"may become {', '.join(sorted(excess))}"


def fenced_models() -> Iterator[type[Model]]:
    """Every model with a tenant that does not say why it stands outside the fence."""
    for model in apps.get_models():
        names = {field.name for field in model._meta.concrete_fields}
        if "tenant" in names and not any(isinstance(c, Unfenced) for c in model._meta.constraints):
            yield model


@register(Tags.database)
def row_security(
    app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """Compares the catalogue with the models: a fence may have been taken down by hand, or by a restore."""
    if not databases:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity, relname IN (SELECT tablename FROM pg_policies"
            " WHERE policyname = 'tenant' AND qual LIKE '%%portal.tenant_id%%'),"
            " relname IN (SELECT tablename FROM pg_policies WHERE policyname NOT IN ('owner', 'tenant', 'staff', 'person')"
            " OR policyname <> 'owner' AND %s = ANY (roles) OR 'public' = ANY (roles))"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
            [OWNER],
        )
        seen = {name: forced and scoped and not strange for name, forced, scoped, strange in cursor.fetchall()}
    # A table that is not there yet is a pending migration's affair.
    open_tables = sorted(
        table for model in fenced_models() if (table := model._meta.db_table) in seen and not seen[table]
    )
    if not open_tables:
        return []
    return [
        Error(
            f"Row security is missing or altered on {', '.join(open_tables)}.",
            hint="Nothing may start like this. Compare the table's policies with a fresh installation's and restore them.",
            id="portal.E003",
        )
    ]


@register(Tags.database)
def migrations(
    app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """The owner migrates; everybody else waits for it."""
    if not databases or settings.PROCESS == "owner":
        return []
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not pending:
        return []
    return [
        Error(
            f"{len(pending)} migrations are pending, the first is {pending[0][0]}.",
            hint="Run `manage.py migrate` as the owner, then start again.",
            id="portal.E004",
        )
    ]


@register(Tags.database)
def clock(app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any) -> Messages:
    """Leases and tokens are judged by two clocks; they must agree."""
    if not databases:
        return []
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        there = cursor.fetchone()[0]
    after = time.time()
    drift = max(before - there, there - after, 0.0)
    if drift <= MOST_DRIFT:
        return []
    return [
        Error(
            f"This machine's clock is {drift:.0f} s away from the database's.",
            hint="Let both machines follow the same time servers.",
            id="portal.E006",
        )
    ]


def reachable() -> Messages:
    """Asked first at a start: without a database no other question makes sense."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        return [
            Error(
                f"The database does not let this process in: {reason}",
                hint="Look at DATABASE_URL and whether the server runs.",
                id="portal.E012",
            )
        ]
    return []
