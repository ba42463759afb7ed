"""`manage.py maintenance`: partitions ahead, old rows away. For a daily timer."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import OperationalError

from portal.operations import maintenance
from portal.operations.owner import OwnerCommand


class Command(OwnerCommand):
    help = (
        "Makes the request log's next partitions; deletes old ones, ended jobs, sent mails, old sessions and events."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for sentence in maintenance.run():
                self.stdout.write(sentence)
        except OperationalError as busy:
            reason = str(busy).strip().partition("\n")[0]
            text = f"the database is too busy for maintenance now ({reason}). Run it again later; what was done stays done."
            raise CommandError(text) from None
