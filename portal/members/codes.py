"""Codes of the second factor: wrong ones are counted as wrong passwords are, by network, by person, by known browser."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa.base import forms as allauth_forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from portal.members import known_browser
from portal.members.models import User
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.spending import RateLimited, Spent, spend


class CountedCode:
    """allauth's own limit counts per person alone: five wrong codes by whoever has the password would shut them out."""

    user: User

    def clean_code(self) -> Any:
        request = context.request
        try:
            spent = _count(request, self.user)
        except RateLimited as refused:
            raise ValidationError(limit_sentence(request, refused), code="too_many_login_attempts") from None
        code = super().clean_code()  # type: ignore[misc]
        spent.refund()
        return code


class AuthenticateForm(CountedCode, allauth_forms.AuthenticateForm):
    """At the sign-in."""


class ReauthenticateForm(CountedCode, allauth_forms.ReauthenticateForm):
    """Before a sensitive step."""


def _count(request: HttpRequest, user: User) -> Spent:
    if number := known_browser.number_for(request, user):
        return spend(limits.SIGN_IN_CODE_KNOWN_BROWSER, {Scope.BROWSER: number})
    return spend(limits.SIGN_IN_CODE, {Scope.PERSON: user.pk, Scope.CLIENT_AND_PERSON: f"{get_ip(request)} {user.pk}"})
