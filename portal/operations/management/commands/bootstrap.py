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

QUESTIONS = {
    "admin_email": "Your own e-mail address, as first admin",
    "tenant": "Name of the first tenant",
    "slug": "Its short name in addresses",
    "owner_email": "E-mail address of its owner",
}


class Command(OwnerCommand):
    help = "Founds the first admin, the first tenant and its owner. Asks for what is not given."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, question in QUESTIONS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", help=question)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bootstrap.refuse_unless_empty()
            refuse_unless_links_work()
            answers = self._answers(options)
            links = bootstrap.create_first_people(
                admin_email=answers["admin_email"],
                tenant_name=answers["tenant"],
                slug=answers["slug"],
                owner_email=answers["owner_email"],
            )
        except bootstrap.InstallationInUse as reason:
            raise CommandError(str(reason)) from None
        except ValidationError as error:
            text = f"nothing was founded. {bootstrap.problem_of(error)}"
            raise CommandError(text) from None
        self.stdout.write(f"{answers['tenant']} is founded; a worker makes its keys as soon as one runs.")
        if links.mailed:
            self.stdout.write(f"Links were mailed to {answers['admin_email']} and {answers['owner_email']}.")
            self._write_enrolment_link(links)
            return
        self.stdout.write("No mail can leave yet, so hand over these links yourself. Each lets one person in, once.")
        for_admin, for_owner = duration(settings.PASSWORD_RESET_TIMEOUT), duration(INVITATION_VALID_FOR)
        self.stdout.write(f"  {answers['admin_email']} (admin, within {for_admin}): {links.admin_link}")
        self.stdout.write(f"  {answers['owner_email']} (owner, within {for_owner}): {links.owner_link}")
        self._write_enrolment_link(links)

    def _write_enrolment_link(self, links: bootstrap.BootstrapLinks) -> None:
        within = duration(ENROLMENT_VALID_FOR)
        self.stdout.write(f"The admin, once signed in, sets up the second factor with this link, within {within}:")
        self.stdout.write(f"  {links.enrolment_link}")

    def _answers(self, options: dict[str, Any]) -> dict[str, str]:
        """What was given, and what a person types for the rest. Raises CommandError where nobody can type."""
        answers: dict[str, str] = {}
        for name, question in QUESTIONS.items():
            answers[name] = (options[name] or "").strip()
            suggestion = slugify(answers["tenant"]) if name == "slug" else ""
            while not answers[name]:
                hint = f" [{suggestion}]" if suggestion else ""
                try:
                    answers[name] = input(f"{question}{hint}: ").strip() or suggestion
                except EOFError:
                    text = f"--{name.replace('_', '-')} is missing, and nobody is at the terminal to ask."
                    raise CommandError(text) from None
        return answers
