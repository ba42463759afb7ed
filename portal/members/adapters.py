"""How the portal differs from allauth's defaults: people come by invitation only, and TOTP seeds are sealed."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.mail import EmailMessage
from django.http import HttpRequest

from connections.vault.sealing import Place, seal_for_web, unseal_for_web
from connections.vault.secret import Secret

SEED = Place("mfa_authenticator", uuid.UUID(int=0), "secret")


# Anybody may have these sent; all other mails of allauth say that something was changed, and pass them by.
ASKED_FOR_BY_ANYBODY = {
    "account/email/account_already_exists",
    "account/email/email_confirmation",
    "account/email/email_confirmation_signup",
    "account/email/password_reset",
    "account/email/password_reset_code",
    "account/email/password_reset_key",
    "account/email/unknown_account",
}


@dataclass(frozen=True)
class House:
    """What mails call the portal; allauth would take the name from the request's Host header."""

    name: str
    domain: str


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up uninvited, and mails carry the configured address, whatever host a request named."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        message: EmailMessage = super().render_mail(template_prefix, email, context, headers)
        message.is_urgent = template_prefix not in ASKED_FOR_BY_ANYBODY  # type: ignore[attr-defined]
        return message

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
        return base64.b64encode(seal_for_web(SEED, Secret(text))).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal_for_web(SEED, base64.b64decode(encrypted_text)).reveal()
