"""`manage.py doctor`: what is right here, what is wrong, and what to do about it, in plain lines."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.operations.doctor import answers

WORDS = {True: "ok   ", False: "WRONG", None: "     "}


class Command(BaseCommand):
    help = "Says what is right and wrong with this installation, and what to do. Ends with 1 where something is wrong."
    requires_system_checks = []  # they are among the questions

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        for answer in answers():
            self.stdout.write(f"{WORDS[answer.is_right]} {answer.question}: {answer.text}")
            if answer.is_right is not True and answer.hint:
                self.stdout.write(f"      {answer.hint}")
            wrong += answer.is_right is False
        if wrong:
            self.stdout.write(f"{wrong} to put right.")
            raise SystemExit(1)
        self.stdout.write("Nothing is wrong that can be seen from here.")
