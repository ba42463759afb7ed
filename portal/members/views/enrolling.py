"""A staff person's way to a second factor: by the link an admin made, or whom to ask for one."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.members import enrolment
from portal.members.access import signed_in
from portal.members.models import User
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@limited(limits.ACCOUNT_CHANGE)
def enrol(request: HttpRequest, token: str) -> HttpResponse:
    """The link uses nothing up: the second factor does. Whatever is wrong with it answers alike."""
    link = enrolment.link_for_token(cast(User, request.user), token)
    if link is None:
        return render(request, "members/enrolment_void.html", status=404)
    if request.method == "POST":
        enrolment.keep_in_session(request, link)
        return redirect("mfa_activate_totp")
    return render(request, "members/enrolment.html", {"link": link})


def whom_to_ask(request: HttpRequest, user: User) -> HttpResponse:
    """Staff without a second factor and without a link."""
    admins = enrolment.admins_to_ask(user)
    return render(request, "members/enrolment_needed.html", {"admins": admins}, status=403)
