"""How the portal differs from allauth's defaults: people come by invitation only, and TOTP seeds are sealed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest

from connections.vault.sealing import Unopenable
from portal.members import seeds, sessions
from portal.members.models import User
from portal.members.security_events import notify_security, record

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class House:
    """What mails call the portal; allauth would take the name from the request's Host header."""

    name: str
    domain: str


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up uninvited, and mails carry the configured address, whatever host a request named."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        sessions.start_clock(request)

    def set_password(self, user: User, password: str) -> None:
        """Every way to a new password comes through here; Django ends the sessions that had the old one."""
        user.set_password(password)
        user.save(update_fields=["password"])  # the web has no right on every column
        record(user, "password.changed", self.request)
        notify_security(user, "password.changed")

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        is_confirmed = super().confirm_email(request, email_address)
        if is_confirmed and not request.user.is_authenticated:
            # Signed in, portal.members.account_pages sees the difference.
            record(email_address.user, "address.confirmed", request, email=email_address.email)
            notify_security(email_address.user, "address.confirmed", email=email_address.email)
        return bool(is_confirmed)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Whoever has a second factor shows that one: a password alone is no proof of it."""
        methods = super().get_reauthentication_methods(user)
        return [each for each in methods if each["id"] != "reauthenticate"] or methods

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        asked, ours = self.request.build_absolute_uri("/"), f"{settings.ORIGIN}/"
        words = {
            key: value.replace(asked, ours) if isinstance(value, str) else value for key, value in context.items()
        }
        house = House("Pilotage", urlsplit(settings.ORIGIN).netloc)
        super().send_mail(template_prefix, email, {**words, "current_site": house})


class MFAAdapter(DefaultMFAAdapter):
    """Seals seeds and recovery codes with the web class: the web process must read them to check a code."""

    def encrypt(self, text: str) -> str:
        return seeds.unsealed(text)

    def decrypt(self, encrypted_text: str) -> str:
        """What does not open in its own row is no second factor of that person: no code fits it."""
        try:
            return seeds.open_seed(encrypted_text).reveal()
        except Unopenable as error:
            logger.error("a second factor does not open where it stands: %s", error)
            raise self.validation_error("incorrect_code") from None  # noqa: EM101  (the name of a text)
