"""Codes of the second factor: typed in the digits of any script, taken once, and wrong ones are counted.

A phone's clock may be half a minute off (MFA_TOTP_TOLERANCE), so that a code is right for a minute and a half.
Wrong ones are counted as wrong passwords are: by network, by person, by known browser.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from allauth.core import context
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa import app_settings
from allauth.mfa.base import forms as allauth_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp_forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.members import known_browser
from portal.members.models import User
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.spending import RateLimited, Spent, spend


def normalize_code(text: str) -> str:
    """`۱۲۳ ۴۵۶`, `１２３-４５６` and `123\u00a0456` are `123456`: letters and digits alone, the digits as ASCII has them."""
    letters = (each for each in unicodedata.normalize("NFKC", text) if each.isalnum())
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in letters)


def mark_used(user: User, code: str) -> bool:
    """Whether a right code was not used before. It stays used for as long as it would be right.

    allauth's own mark ends with the half minute in which it was made, and by then the code is still right.
    """
    seconds = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
    return cache.add(_mark(user, code), "y", timeout=seconds)


def _mark(user: User, code: str) -> str:
    return f"members.used_code?user={user.pk}&code={code}"


def _used_already() -> ValidationError:
    return ValidationError(_("This code was used already. Wait until your app shows the next one."), code="used_code")


class CountedCode:
    """allauth's own limit counts per person alone: five wrong codes by whoever has the password would shut them out."""

    user: User
    cleaned_data: dict[str, Any]
    authenticator: Authenticator

    def clean_code(self) -> Any:
        request = context.request
        try:
            spent = _count(request, self.user)
        except RateLimited as refused:
            raise ValidationError(limit_sentence(request, refused), code="too_many_login_attempts") from None
        self.cleaned_data["code"] = normalize_code(self.cleaned_data["code"])
        if cache.get(_mark(self.user, self.cleaned_data["code"])):
            raise _used_already()
        code = super().clean_code()  # type: ignore[misc]
        if self.authenticator.type == Authenticator.Type.TOTP and not mark_used(self.user, code):
            raise _used_already()
        spent.refund()
        return code


class AuthenticateForm(CountedCode, allauth_forms.AuthenticateForm):
    """At the sign-in."""


class ReauthenticateForm(CountedCode, allauth_forms.ReauthenticateForm):
    """Before a sensitive step."""


class ActivateTOTPForm(totp_forms.ActivateTOTPForm):
    """Where a second factor is set up: the code that shows it works is used by that."""

    def clean_code(self) -> Any:
        self.cleaned_data["code"] = normalize_code(self.cleaned_data["code"])
        code = super().clean_code()
        mark_used(self.user, code)
        return code


def _count(request: HttpRequest, user: User) -> Spent:
    if number := known_browser.number_for(request, user):
        return spend(limits.SIGN_IN_CODE_KNOWN_BROWSER, {Scope.BROWSER: number})
    return spend(limits.SIGN_IN_CODE, {Scope.PERSON: user.pk, Scope.CLIENT_AND_PERSON: f"{get_ip(request)} {user.pk}"})
