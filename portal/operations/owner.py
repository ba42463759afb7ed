"""Commands that only one database role may run: the owner's (bootstrap, maintenance, ...), and that of backups."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from connections.tenancy.row_security import OWNER
from portal.operations import database_checks, role_checks


class OwnerCommand(BaseCommand):
    """Refuses with one line, before it does anything, where the database is not reached, not the owner's or not ready."""

    requires_system_checks = []  # the ones that matter here are below, in one line each

    def execute(self, *args: Any, **options: Any) -> str | None:
        refuse_unless_owner()
        return super().execute(*args, **options)


class BackupCommand(BaseCommand):
    """The same for the one command that the role of backups runs."""

    requires_system_checks = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        _refuse_unless(role_checks.BACKUP)
        return super().execute(*args, **options)


def refuse_unless_owner(*, migrated: bool = True) -> None:
    """`migrated`: nothing may be pending. Raises CommandError."""
    _refuse_unless(OWNER)
    executor = MigrationExecutor(connection)
    if migrated and executor.migration_plan(executor.loader.graph.leaf_nodes()):
        text = "migrations are pending. Run `manage.py migrate` first."
        raise CommandError(text)


def _refuse_unless(role: str) -> None:
    for message in database_checks.reachable():
        text = f"{message.msg} {message.hint}"
        raise CommandError(text)
    current = role_checks.login()
    if current.role != role:
        text = f"this command needs the database role {role}, and DATABASE_URL signs in as {current.role}."
        raise CommandError(text)
    for message in role_checks.role(databases=["default"]):
        text = f"{message.msg} {message.hint} ({message.id})"
        raise CommandError(text)


def refuse_unless_links_work() -> None:
    """Links are signed with the web's key and lead to the portal's address. Raises CommandError."""
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        key = ""
    if not key:
        text = "PORTAL_SECRET_KEY_FILE is missing. Name the web process's own: links are signed with it."
        raise CommandError(text)
    if not settings.ORIGIN:
        text = "PORTAL_ORIGIN is missing. Set it to what people type, such as https://portal.example.com"
        raise CommandError(text)
