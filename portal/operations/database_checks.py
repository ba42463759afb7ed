"""Start-up checks of the database: its version, row security everywhere, nothing pending, one clock, an end to waiting."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from connections.tenancy.row_security import OWNER, NoRowSecurity
from portal import env
from portal.operations.checks import COMMANDS

MIN_SERVER_VERSION = 16
MAX_CLOCK_DRIFT_SECONDS = 60.0

Messages = list[CheckMessage]


def server_major() -> int:
    """The major version of the PostgreSQL that answers, such as 16. One query."""
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
    if major < MIN_SERVER_VERSION:
        return [
            Error(
                f"The database server is PostgreSQL {major}.",
                hint=f"Use version {MIN_SERVER_VERSION} or newer.",
                id="portal.E005",
            )
        ]
    if settings.DEMO:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('cluster_name')")
        if cursor.fetchone()[0] != env.EMBEDDED_CLUSTER_NAME:
            return []
    return [
        Error(
            "The database is the demo's embedded server.",
            hint="Set DATABASE_URL to a PostgreSQL that is kept up to date and backed up.",
            id="portal.E025",
        )
    ]


def models_with_row_security() -> Iterator[type[Model]]:
    """Every model with a tenant that does not say why it has no row security."""
    for model in apps.get_models():
        names = {field.name for field in model._meta.concrete_fields}
        if "tenant" in names and not any(isinstance(c, NoRowSecurity) for c in model._meta.constraints):
            yield model


@register(Tags.database)
def row_security(
    app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """Compares the catalogue with the models: row security may have been switched off by hand, or by a restore."""
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
        is_secured = {name: forced and scoped and not strange for name, forced, scoped, strange in cursor.fetchall()}
    # A table that is not there yet is a pending migration's affair.
    open_tables = sorted(
        table
        for model in models_with_row_security()
        if (table := model._meta.db_table) in is_secured and not is_secured[table]
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
    if not databases or settings.PROCESS in COMMANDS:
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
    if drift <= MAX_CLOCK_DRIFT_SECONDS:
        return []
    return [
        Error(
            f"This machine's clock is {drift:.0f} s away from the database's.",
            hint="Let both machines follow the same time servers.",
            id="portal.E006",
        )
    ]


@register(Tags.database)
def timeouts(
    app_configs: Sequence[Any] | None = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """A statement, a wait for a lock and an idle transaction end by themselves; the owner's migrations take their time."""
    if not databases or settings.PROCESS in COMMANDS:
        return []
    most = env.DATABASE_TIMEOUTS[settings.PROCESS]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting::int FROM pg_settings WHERE name = ANY (%s)", [list(most)])
        unbounded = sorted(name for name, milliseconds in cursor.fetchall() if not milliseconds)
    if not unbounded:
        return []
    return [
        Error(
            f"The database sets no limit to this {settings.PROCESS} process: {', '.join(unbounded)}.",
            hint="Take the options of DATABASE_URL away that do so; a pooler in between must pass them on, or the role"
            " must have them (ALTER ROLE ... SET).",
            id="portal.E016",
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
