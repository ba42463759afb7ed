"""Sensitive steps ask who is there once more, unless this session has shown it lately."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY, get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.members.pending_request import suspend
from portal.members.request_labels import label_of

JOINED_AT = "members_joined_at"
FACTOR_SET_UP_AT = "members_factor_set_up_at"
READING = ("GET", "HEAD")

View = TypeVar("View", bound=Callable[..., HttpResponse])


def remember_new_password(request: HttpRequest) -> None:
    """Who has just set their password by an invitation need not type it again at once."""
    request.session[JOINED_AT] = time.time()


def remember_new_factor(request: HttpRequest) -> None:
    """Who has just set up a second factor has shown a code of it."""
    request.session[FACTOR_SET_UP_AT] = time.time()


def forget_factors(request: HttpRequest) -> None:
    """A second factor that is gone was not used."""
    request.session.pop(FACTOR_SET_UP_AT, None)
    records = get_authentication_records(request, request.user)
    request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [each for each in records if each.get("method") != "mfa"]


def has_second_factor(user: Any) -> bool:
    return bool(is_mfa_enabled(user, [Authenticator.Type.TOTP]))


def recently_proved(request: HttpRequest) -> bool:
    """Whether the person signed in, or confirmed it, within the time allauth calls recent (`ACCOUNT_REAUTHENTICATION_TIMEOUT`).

    For somebody with a second factor only the moment counts at which that was used: a password is no proof of it.
    """
    records = get_authentication_records(request, request.user)
    by_factor = [record["at"] for record in records if record.get("method") == "mfa"]
    by_factor.append(request.session.get(FACTOR_SET_UP_AT, 0.0))
    by_password = [record["at"] for record in records if record.get("method") != "mfa"]
    by_password.append(request.session.get(JOINED_AT, 0.0))
    if _is_recent(max(by_factor)):
        return True
    return _is_recent(max(by_password)) and not has_second_factor(request.user)


def _is_recent(moment: float) -> bool:
    return bool(time.time() - moment < app_settings.REAUTHENTICATION_TIMEOUT)


def ask_again(request: HttpRequest, back_to: str, *, resumes: bool = True) -> HttpResponse:
    """To the page that asks for the password or a code, and on to what was pressed; or back to `back_to`.

    What may hold a secret is not kept: its person comes back to the form, and is told so before. Nor is what `resumes` is
    False for.
    """
    next_address = back_to
    if request.method in READING:
        messages.warning(request, _("Confirm first that it is you; then the page opens."))
    elif not resumes:
        messages.warning(request, _("Confirm first that it is you; then press again."))
    elif resume_address := suspend(request, back_to, by_confirmation=True):
        next_address = resume_address
        name = request.resolver_match.view_name if request.resolver_match else ""
        messages.warning(
            request,
            _("Nothing was changed yet. Confirm that it is you, and it is carried out: %(what)s.")
            % {"what": label_of(name)},
        )
    else:
        messages.warning(
            request,
            _(
                "Nothing was changed yet. What you typed may hold a secret, so it was not kept: confirm first that it is"
                " you, then fill it in and press again."
            ),
        )
    page = "mfa_reauthenticate" if has_second_factor(request.user) else "account_reauthenticate"
    return redirect(f"{reverse(page)}?{urlencode({'next': next_address})}")


def step_up_required(
    back_to: Callable[..., str], *, reading: bool = False, resumes: bool = True
) -> Callable[[View], View]:
    """Let a view run only for who has shown lately that it is them; with `reading`, also when it is only looked at.

    `back_to` names the page to come back to, from the request and what the view is given. `resumes`: what was pressed is
    carried out once that is shown; a file that answers would leave its person on the page that asks.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            is_free = request.method in READING and not reading
            if not is_free and not recently_proved(request):
                return ask_again(request, back_to(request, *args, **kwargs), resumes=resumes)
            return view(request, *args, **kwargs)

        return inside  # type: ignore[return-value]

    return decorate
