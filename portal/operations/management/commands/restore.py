"""`manage.py restore FILE`: a backup into an empty database, where no job is done until `manage.py release`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.operations import backup, backup_file
from portal.operations.owner import refuse_unless_owner


class Command(BaseCommand):
    help = (
        "Puts a backup into an empty database, all of it or nothing. The copy calls no provider and sends no mail until"
        " `manage.py release`."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="what `manage.py backup` wrote")
        parser.add_argument("--private-key", type=Path, required=True, help="backup_private.json")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unless_owner(migrated=False)
        try:
            made_at = backup.restore(options["file"], options["private_key"])
        except (backup.BackupFailed, backup_file.Unusable) as reason:
            text = f"nothing was restored: {reason}."
            raise CommandError(text) from None
        except OSError as error:
            text = f"nothing was restored: {error.filename or options['file']}: {error.strerror}."
            raise CommandError(text) from None
        self.stdout.write(f"Restored as it was at {made_at:%Y-%m-%d %H:%M} UTC.")
        self.stdout.write(
            "Now `manage.py migrate`, in case this release is newer, and start the portal with the keys of the old one."
            " Pages are shown; no provider is called and no mail is sent until `manage.py release`."
        )
