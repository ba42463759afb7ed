"""The first page, which leads to the right home, and the page of an invitation."""

from __future__ import annotations

from typing import cast

from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from connections.spec.text import isolate
from portal.members import services
from portal.members.access import is_admitted_staff, signed_in
from portal.members.forms import NewPersonForm
from portal.members.memberships import memberships_of
from portal.members.models import User
from portal.members.sessions import keep_this_session
from portal.members.stepup import remember_new_password
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_GET
@signed_in
def front(request: HttpRequest) -> HttpResponse:
    """Straight to the only company's home, staff to their pages; else to the list."""
    memberships = memberships_of(cast(User, request.user))
    if len(memberships) == 1:
        return redirect("home", memberships[0].tenant.slug)
    if not memberships and cast(User, request.user).is_staff:
        return redirect("admin:index")  # which says what is missing, if anything is
    return redirect("tenants")


@require_GET
@signed_in
def tenants(request: HttpRequest) -> HttpResponse:
    memberships = memberships_of(cast(User, request.user))
    return render(
        request, "members/tenants.html", {"memberships": memberships, "admitted": is_admitted_staff(request)}
    )


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@limited(limits.NEW_PERSON)
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """A link that cannot be used answers alike, whether it is wrong, used, withdrawn or too old; but whoever joined by it
    is led to where it led."""
    with services.opened(token) as offer:
        if offer is not None:
            return _join(request, offer, token) if request.user.is_authenticated else _enter(request, offer)
    if request.user.is_authenticated:
        tenant = services.joined_by(token, request.user)
        if tenant is not None:
            return redirect("home", tenant.slug)
    return render(request, "members/invitation_void.html", status=404)


def _join(request: HttpRequest, offer: services.OpenInvitation, token: str) -> HttpResponse:
    user = cast(User, request.user)
    if not services.is_addressee(user, offer):
        return render(request, "members/invitation_other.html", {"offer": offer}, status=403)
    if request.method == "POST":
        try:
            services.accept(offer=offer, user=user)
        except services.NotAllowed as refused:
            if services.joined_by(token, user) is not None:  # the button was pressed twice
                return redirect("home", offer.tenant.slug)
            messages.error(request, str(refused.sentence))
            return redirect("front")
        keep_this_session(request)
        messages.success(request, _("You belong to %(name)s now.") % {"name": isolate(offer.tenant.name)})
        return redirect("home", offer.tenant.slug)
    return render(request, "members/invitation_join.html", {"offer": offer})


def _enter(request: HttpRequest, offer: services.OpenInvitation) -> HttpResponse:
    form = NewPersonForm(request.POST or None, email=offer.email)
    if request.method == "POST" and form.is_valid():
        try:
            user = services.accept_as_new(
                offer=offer, name=form.cleaned_data["name"], password=form.cleaned_data["password"]
            )
        except services.NotAllowed as refused:
            form.add_error(None, str(refused.sentence))
        else:
            response = perform_login(request, user, email=user.email)
            remember_new_password(request)
            return response
    return render(request, "members/invitation_enter.html", {"offer": offer, "form": form})
