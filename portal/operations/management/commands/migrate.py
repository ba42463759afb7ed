"""`manage.py migrate`: Django's, refused in one line where it does not run as the owner of the tables."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from portal.operations.owner import refuse_unless_owner


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        refuse_unless_owner(migrated=False)
        return super().execute(*args, **options)
