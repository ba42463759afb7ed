"""`manage.py recover E-MAIL`: an admin who lost the second factor gets in again, where no other admin can help."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from connections.spec.text import duration
from portal.members.enrolment import VALID_FOR
from portal.members.services import NotAllowed
from portal.operations import recovery
from portal.operations.bootstrap import PersonNotFound
from portal.operations.owner import OwnerCommand, refuse_unless_links_work


class Command(OwnerCommand):
    help = (
        "Takes away the lost second factor of a staff person, ends their sessions, and prints a link with which they set up"
        " another. It is written into the audit trail and mailed to them and to every admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the staff person's e-mail address")
        parser.add_argument("--password", action="store_true", help="print a link for a new password, too")
        parser.add_argument(
            "--although-others", action="store_true", help="even where another admin could make the link in the admin"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unless_links_work()
        try:
            links = recovery.recover(
                options["email"], with_password=options["password"], although_others=options["although_others"]
            )
        except (PersonNotFound, recovery.OthersCanHelp) as reason:
            raise CommandError(str(reason)) from None
        except NotAllowed as refused:
            raise CommandError(str(refused.sentence)) from None
        self.stdout.write("Be sure who asks. Hand over what follows yourself; each link works once.")
        if links.password:
            self.stdout.write(f"A new password, within {duration(settings.PASSWORD_RESET_TIMEOUT)}:")
            self.stdout.write(f"  {links.password}")
        self.stdout.write(f"Once signed in, a second factor, within {duration(VALID_FOR)}:")
        self.stdout.write(f"  {links.enrolment}")
