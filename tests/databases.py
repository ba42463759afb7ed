"""The test database of one process: a copy of the template that the first process made, emptied after committing tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection as database
from django.test.utils import setup_databases, teardown_databases
from psycopg import sql
from psycopg.pq import TransactionStatus

from connections.transport.log import partitions
from portal import env
from tests import postgres_plugin, warm_server

KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission", "jobs_dispatchswitch")


@contextmanager
def test_database() -> Iterator[None]:
    """Migrated, and named after this process or PORTAL_TEST_DATABASE. Where the caller brings a server, migrated each time."""
    if postgres_plugin.start_servers():
        _read_settings_again()
    name = os.environ.get("PORTAL_TEST_DATABASE", f"test_portal_{os.getpid()}")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        name = f"{name}_{worker}"
    if template := os.environ.get("PORTAL_TEST_TEMPLATE"):
        with _copied(template, name):
            yield
    else:
        with _migrated(name):
            yield


@contextmanager
def _migrated(name: str) -> Iterator[None]:
    database.settings_dict["TEST"]["NAME"] = name
    made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
    # Tests write entries of some hours ago, on the first day of a month as well.
    partitions.make_ahead()
    yield
    teardown_databases(made, verbosity=0)


@contextmanager
def _copied(template: str, name: str) -> Iterator[None]:
    with warm_server.locked(warm_server.WarmServer().folder), _server() as server:
        found = server.execute("SELECT FROM pg_database WHERE datname = %s", [template]).fetchone()
        if found is None:
            draft = f"test_{template}"
            with _migrated(draft):
                database.close()
                server.execute(
                    _statement("CREATE DATABASE {} TEMPLATE {} OWNER portal_owner", f"{draft}_whole", draft)
                )
            server.execute(_statement("ALTER DATABASE {} RENAME TO {}", f"{draft}_whole", template))
        server.execute(_statement("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))
        server.execute(_statement("CREATE DATABASE {} TEMPLATE {} OWNER portal_owner", name, template))
    before = database.settings_dict["NAME"]
    database.close()
    settings.DATABASES["default"]["NAME"] = database.settings_dict["NAME"] = name
    yield
    database.close()
    settings.DATABASES["default"]["NAME"] = database.settings_dict["NAME"] = before
    with _server() as server:
        server.execute(_statement("DROP DATABASE {} WITH (FORCE)", name))


def _statement(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


@contextmanager
def _server() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(warm_server.WarmServer().admin_address(), autocommit=True) as server:
        yield server


def _read_settings_again() -> None:
    """What stood in the settings was an address where nobody is."""
    from portal.celery import app

    database.settings_dict.update(env.database("DATABASE_URL"))
    settings.CELERY_BROKER_URL = app.conf.broker_url = env.broker("BROKER_URL")


def empty() -> None:
    """Every row goes, and what a test has set in its session; the connection stays where it is whole."""
    with database.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT tests.empty_tables(%s)", [list(KEPT_TABLES)])
    if _is_idle():
        with database.cursor() as cursor:
            # All that DISCARD ALL does, but that psycopg still knows which statements are prepared.
            cursor.execute(
                "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();"
                " DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES"
            )
        database.init_connection_state()
    else:
        database.close()


def _is_idle() -> bool:
    opened = database.connection
    is_outside = not database.in_atomic_block and not database.needs_rollback and database.get_autocommit()
    return opened is not None and is_outside and opened.info.transaction_status == TransactionStatus.IDLE
