"""`manage.py evidence`: verifies the chain of evidence, and names every row that is not as it was."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.certification import chain
from portal.certification.models import HOUSE, ChainLink
from portal.operations.owner import OwnerCommand


class Command(OwnerCommand):
    help = "Verifies the chain of evidence from its start. With --link, rows that are new are linked first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--link", action="store_true", help="link new rows first; the nightly maintenance does so, too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["link"]:
            self.stdout.write(f"Linked {chain.link_new_rows()} rows.")
        findings = chain.verify()
        for finding in findings:
            self.stdout.write(f"{finding}.")
        head = ChainLink.objects.filter(chain=HOUSE).order_by("-position").first()
        if head is not None:
            self.stdout.write(f"Head of the house: {head.position} {head.hash}")
        chain.note_check(findings)
        if findings:
            text = f"{len(findings)} findings."
            raise CommandError(text)
        self.stdout.write("Everything is as it was linked.")
