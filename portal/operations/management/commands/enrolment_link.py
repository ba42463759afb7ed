"""`manage.py enrolment_link`: another link for a staff person's second factor, where no admin can make one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from connections.spec.text import duration
from portal.members.enrolment import VALID_FOR
from portal.members.services import NotAllowed
from portal.operations import bootstrap
from portal.operations.owner import OwnerCommand, refuse_unless_links_work


class Command(OwnerCommand):
    help = "Prints a link by which a staff person sets up a second factor. What they had stops working."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the staff person's e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unless_links_work()
        try:
            address = bootstrap.new_enrolment_link(options["email"])
        except bootstrap.PersonNotFound as reason:
            raise CommandError(str(reason)) from None
        except NotAllowed as refused:
            raise CommandError(str(refused.sentence)) from None
        self.stdout.write(f"Hand over this link yourself. It works once, within {duration(VALID_FOR)}:")
        self.stdout.write(f"  {address}")
