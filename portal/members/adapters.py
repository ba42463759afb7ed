"""How the portal differs from allauth's defaults: people come by invitation only, and TOTP seeds are sealed."""

from __future__ import annotations

import base64
import logging
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse

from connections.vault.sealing import Place, seal_for_web, unseal_for_web
from connections.vault.secret import Secret
from portal.members import known_browser
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.pages import spend_by
from portal.rate_limits.spending import RateLimited, Spent, forget, spend

logger = logging.getLogger(__name__)

# Mails of allauth that somebody asked for; every other warns a person about their own sign-in.
ASKED_FOR = (
    "account/email/password_reset_key",
    "account/email/unknown_account",
    "account/email/email_confirmation",
    "account/email/email_confirmation_signup",
    "account/email/account_already_exists",
)
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
        if not self._has_budget(template_prefix, email):
            return
        super().send_mail(template_prefix, email, {**words, "current_site": house})

    def _has_budget(self, template_prefix: str, email: str) -> bool:
        """Warnings about a sign-in have a budget of their own, which no flood of other mail uses up.

        A mail over the budget is left out without a word to whoever asked: the answer tells nothing about an address.
        The pages that ask for mail have limits of their own, which are told.
        """
        try:
            if template_prefix in ASKED_FOR:
                spend_by(self.request, limits.ACCOUNT_MAIL, recipient=email)
            else:
                spend(limits.SECURITY_MAIL, {Scope.RECIPIENT: email})
        except RateLimited as refused:
            logger.warning("a mail was not sent: the limit %s is reached", refused.limit.name)
            return False
        return True

    # -- wrong passwords: counted per network and person, and slower per person, with a way in for the known browser ----

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            self._attempt = _count_attempt(request, credentials.get("email", "").lower())
        except RateLimited as refused:
            raise ValidationError(limit_sentence(request, refused), code="too_many_login_attempts") from None

    def _rollback_login_failed_rl_usage(self) -> None:
        """The password was right: it was no try."""
        self._attempt.refund()

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """The password was set anew by a mail: earlier tries are over, wherever this person is now."""
        forget(limits.SIGN_IN, _subjects(request, credentials.get("email", "").lower()))

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        known_browser.remember(request, response, user)
        return response


def _count_attempt(request: HttpRequest, login: str) -> Spent:
    """Raises RateLimited, alike for an address that nobody has."""
    if number := known_browser.number_of(request, login):
        return spend(limits.SIGN_IN_KNOWN_BROWSER, {Scope.BROWSER: number})
    return spend(limits.SIGN_IN, _subjects(request, login))


def _subjects(request: HttpRequest, login: str) -> dict[Scope, object]:
    client = get_ip(request)
    return {Scope.CLIENT: client, Scope.RECIPIENT: login, Scope.CLIENT_AND_RECIPIENT: f"{client} {login}"}


class MFAAdapter(DefaultMFAAdapter):
    """Seals seeds and recovery codes with the web class: the web process must read them to check a code."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(seal_for_web(SEED, Secret(text))).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal_for_web(SEED, base64.b64decode(encrypted_text)).reveal()
