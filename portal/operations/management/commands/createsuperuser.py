"""Django's command of this name knows nothing of our people: it says what to use instead."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Not used here: see bootstrap and recover."
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Whatever options somebody gives it, the answer is the same."""
        super().run_from_argv(argv[:2])

    def handle(self, *args: Any, **options: Any) -> None:
        text = (
            "there are no superusers here. `manage.py bootstrap` makes the first admin of an empty installation; further"
            " staff are added in the admin. For an admin who lost the second factor: `manage.py recover <e-mail>`."
        )
        raise CommandError(text)
