"""`manage.py health`: whether web, workers, beat, queue and broker do what they are for, right now, in plain lines."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.operations.health_answers import answers, web

WORDS = {True: "ok   ", False: "WRONG", None: "     "}
ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}")


class Command(BaseCommand):
    help = (
        "Says whether database, broker, beat, sweep and the workers of each queue do their work, and asks the web processes"
        " that --web names. As any kind of process, within seconds. Ends with 1 where something is wrong."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--web",
            action="append",
            default=[],
            metavar="HOST:PORT",
            help="where a web process listens; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        addresses = options["web"]
        for address in addresses:
            if not ADDRESS.fullmatch(address):
                text = "--web is a host and a port, such as 127.0.0.1:8000."
                raise CommandError(text)
        wrong = 0
        for answer in (*map(web, addresses), *answers()):
            self.stdout.write(f"{WORDS[answer.is_right]} {answer.question}: {answer.text}")
            if answer.is_right is False:
                wrong += 1
                self.stdout.write(f"      {answer.hint}")
        if wrong:
            self.stdout.write(f"{wrong} to put right.")
            raise SystemExit(1)
        self.stdout.write("Everything works.")
