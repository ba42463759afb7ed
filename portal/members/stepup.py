"""Sensitive steps ask who is there once more, unless this session has shown it within the last five minutes."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

JOINED_AT = "members_joined_at"


def remember_new_password(request: HttpRequest) -> None:
    """Who has just set their password by an invitation need not type it again at once."""
    request.session[JOINED_AT] = time.time()


def recently_proved(request: HttpRequest) -> bool:
    """Whether the person signed in, or confirmed it, within the time allauth calls recent (five minutes)."""
    moments = [record["at"] for record in get_authentication_records(request, request.user)]
    moments.append(request.session.get(JOINED_AT, 0.0))
    return time.time() - max(moments) < app_settings.REAUTHENTICATION_TIMEOUT


def ask_again(request: HttpRequest, back_to: str) -> HttpResponse:
    """To the page that asks for the password or a code, and back to `back_to`. What was sent is not kept anywhere."""
    messages.warning(request, _("Nothing was changed yet: confirm first that it is you, then do it again."))
    return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': back_to})}")
