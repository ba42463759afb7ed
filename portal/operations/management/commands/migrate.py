"""`manage.py migrate`: Django's, refused in one line where it does not run as the owner of the tables, or came too late."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal.operations.owner import refuse_unless_owner


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        refuse_unless_owner(migrated=False)
        refuse_skipped_release()
        return super().execute(*args, **options)


def refuse_skipped_release() -> None:
    """Raises CommandError where only some of the migrations that were squashed into one have run, and the rest are gone.

    Django would take such a database for a new one, or skip what the rest made.
    """
    applied, on_disk = MigrationRecorder(connection).applied_migrations(), MigrationLoader(None).disk_migrations
    for key, migration in on_disk.items():
        missing = [replaced for replaced in migration.replaces if replaced not in applied and replaced not in on_disk]
        if missing and key not in applied and any(replaced in applied for replaced in migration.replaces):
            text = (
                f"this database is of an older release: {'.'.join(missing[0])} has not run. Nothing was changed."
                " Run `manage.py migrate` of the release before this one first."
            )
            raise CommandError(text)
