"""How the portal differs from allauth's defaults: people come by invitation only, and TOTP seeds are sealed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse

from connections.vault.sealing import Unopenable
from portal.members import known_browser, seeds, sessions
from portal.members.mailing import mailbox
from portal.members.models import User
from portal.members.security_events import notify_security, record
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.pages import spend_by
from portal.rate_limits.spending import RateLimited, Spent, forget, spend

logger = logging.getLogger(__name__)


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
class PortalSite:
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
        message.about = mailbox(message.to[0])  # type: ignore[attr-defined]
        return message

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
        request_origin, ours = self.request.build_absolute_uri("/"), f"{settings.ORIGIN}/"
        words = {
            key: value.replace(request_origin, ours) if isinstance(value, str) else value
            for key, value in context.items()
        }
        site = PortalSite("Pilotage", urlsplit(settings.ORIGIN).netloc)
        if not self._has_budget(template_prefix, email):
            return
        super().send_mail(template_prefix, email, {**words, "current_site": site})

    def _has_budget(self, template_prefix: str, email: str) -> bool:
        """Warnings about a sign-in have a budget of their own, which no flood of other mail uses up.

        A mail over the budget is left out without a word to whoever asked: the answer tells nothing about an address.
        The pages that ask for mail have limits of their own, which are told.
        """
        try:
            if template_prefix in ASKED_FOR_BY_ANYBODY:
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
        return seeds.unsealed(text)

    def decrypt(self, encrypted_text: str) -> str:
        """What does not open in its own row is no second factor of that person: no code fits it."""
        try:
            return seeds.open_seed(encrypted_text).reveal()
        except Unopenable as error:
            logger.error("a second factor does not open where it stands: %s", error)
            raise self.validation_error("incorrect_code") from None  # noqa: EM101  (the name of a text)
