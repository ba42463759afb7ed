"""`manage.py release`: a restored copy begins to work."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from portal.operations import dispatch
from portal.operations.owner import OwnerCommand


class Command(OwnerCommand):
    help = "Lets jobs be done: in a restored copy, or after `manage.py hold`. Without --yes it says what would begin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        if dispatch.is_on():
            self.stdout.write("Jobs are done already.")
            return
        if options["yes"]:
            dispatch.release()
            self.stdout.write("Released: jobs are done from now on.")
            return
        for each in dispatch.waiting():
            self.stdout.write(f"{each.jobs:8} {each.kind}")
        self.stdout.write(
            "These would begin at once: mails that wait are sent, also such as were sent after the backup was made, and"
            " providers are called. No other installation with the same data may be at work: they would take each other's"
            " tokens away. Nothing was changed; `manage.py release --yes` does it."
        )
