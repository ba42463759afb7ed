"""`manage.py demo_data`: people and tenants to try the portal with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.devserver import demo_data
from portal.operations.owner import OwnerCommand


class Command(OwnerCommand):
    help = "Makes the demo's people, tenants and client registrations; with PORTAL_MODE=demo only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sandbox", type=Path, help="the sandbox's addresses.json")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            notes = demo_data.create_demo_data(sandbox=options["sandbox"])
        except demo_data.DemoDataError as reason:
            raise CommandError(str(reason)) from None
        self.stdout.write(f"Demo sign-ins are in {notes}.")
