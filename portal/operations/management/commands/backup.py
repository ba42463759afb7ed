"""`manage.py backup FILE`: everything in the database, sealed for whoever holds the private key of backups."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.operations import backup, backup_file
from portal.operations.owner import BackupCommand


class Command(BackupCommand):
    help = (
        "Writes everything in the database into a file that only the private key of backups opens. Runs as portal_backup"
        " (PORTAL_PROCESS=backup). The keys of the portal are not in it: keep copies of them elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file that is not there yet, or a folder")
        parser.add_argument("--public-key", type=Path, required=True, help="backup_public.json, see README")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        if file.is_dir():
            file /= f"pilotage-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.backup"
        try:
            size = backup.write(file, options["public_key"])
        except (backup.BackupFailed, backup_file.Unusable) as reason:
            text = f"nothing was backed up: {reason}."
            raise CommandError(text) from None
        except OSError as error:
            text = f"nothing was backed up: {error.filename or file}: {error.strerror}."
            raise CommandError(text) from None
        self.stdout.write(f"{file}: {size} bytes. Only the private key of backups opens it.")
