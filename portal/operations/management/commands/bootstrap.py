"""`manage.py bootstrap`: the first admin, the first tenant and its owner, on an empty installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils.text import slugify

from connections.spec.text import duration
from portal.members.enrolment import VALID_FOR as ENROLMENT_VALID_FOR
from portal.members.services import VALID_FOR as INVITATION_VALID_FOR
from portal.operations import bootstrap
from portal.operations.owner import OwnerCommand, refuse_unless_links_work

ASKED = {
    "admin_email": "Your own e-mail address, as first admin",
    "tenant": "Name of the first tenant",
    "slug": "Its short name in addresses",
    "owner_email": "E-mail address of its owner",
}


class Command(OwnerCommand):
    help = "Founds the first admin, the first tenant and its owner. Asks for what is not given."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, question in ASKED.items():
            parser.add_argument(f"--{name.replace('_', '-')}", help=question)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bootstrap.refuse_unless_empty()
            refuse_unless_links_work()
            wanted = self._ask(options)
            founded = bootstrap.found(
                admin_email=wanted["admin_email"],
                tenant_name=wanted["tenant"],
                slug=wanted["slug"],
                owner_email=wanted["owner_email"],
            )
        except bootstrap.NotEmpty as reason:
            raise CommandError(str(reason)) from None
        except ValidationError as error:
            text = f"nothing was founded. {bootstrap.problem_of(error)}"
            raise CommandError(text) from None
        self.stdout.write(f"{wanted['tenant']} is founded; a worker makes its keys as soon as one runs.")
        if founded.mailed:
            self.stdout.write(f"Links were mailed to {wanted['admin_email']} and {wanted['owner_email']}.")
            self._tell_enrolment(founded)
            return
        self.stdout.write("No mail can leave yet, so hand over these links yourself. Each lets one person in, once.")
        for_admin, for_owner = duration(settings.PASSWORD_RESET_TIMEOUT), duration(INVITATION_VALID_FOR)
        self.stdout.write(f"  {wanted['admin_email']} (admin, within {for_admin}): {founded.admin_link}")
        self.stdout.write(f"  {wanted['owner_email']} (owner, within {for_owner}): {founded.owner_link}")
        self._tell_enrolment(founded)

    def _tell_enrolment(self, founded: bootstrap.Founded) -> None:
        within = duration(ENROLMENT_VALID_FOR)
        self.stdout.write(f"The admin, once signed in, sets up the second factor with this link, within {within}:")
        self.stdout.write(f"  {founded.enrolment_link}")

    def _ask(self, options: dict[str, Any]) -> dict[str, str]:
        """What was given, and what a person types for the rest. Raises CommandError where nobody can type."""
        wanted: dict[str, str] = {}
        for name, question in ASKED.items():
            wanted[name] = (options[name] or "").strip()
            suggestion = slugify(wanted["tenant"]) if name == "slug" else ""
            while not wanted[name]:
                hint = f" [{suggestion}]" if suggestion else ""
                try:
                    wanted[name] = input(f"{question}{hint}: ").strip() or suggestion
                except EOFError:
                    text = f"--{name.replace('_', '-')} is missing, and nobody is at the terminal to ask."
                    raise CommandError(text) from None
        return wanted
