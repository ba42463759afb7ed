"""A person's own page: name and time zone. Password, second factor and sessions are allauth's pages."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.members import services
from portal.members.access import signed_in
from portal.members.forms import YouForm
from portal.members.models import User
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@limited(limits.PROFILE)
def you(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = YouForm(request.POST or None, initial={"name": user.name, "time_zone": user.time_zone})
    if request.method == "POST" and form.is_valid():
        services.describe(user=user, name=form.cleaned_data["name"], time_zone=form.cleaned_data["time_zone"])
        messages.success(request, _("Saved."))
        return redirect("you")
    return render(request, "members/you.html", {"form": form})
