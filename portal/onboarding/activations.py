"""The pages of one request to connect several companies: who asks, which ones, and what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from connections.transport.activation import decide
from connections.vault.services import Refused
from portal.members.access import MemberRequest, member
from portal.members.models import Role
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding.activating import Activating, shown
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

UNCHANGED = 204  # htmx leaves the page alone and asks again


@require_GET
@never_cache
@member(Role.OPERATOR)
def activation(request: MemberRequest, activation: UUID) -> HttpResponse:
    return render(request, "onboarding/activation.html", _context(request, shown(request, activation)))


@require_GET
@never_cache
@member(Role.OPERATOR)
def activation_news(request: MemberRequest, activation: UUID) -> HttpResponse:
    """What htmx asks for while a worker is at it."""
    found = shown(request, activation)
    if found.fingerprint == request.GET.get("seen"):
        return HttpResponse(status=UNCHANGED)
    return render(request, "onboarding/activation_moving.html", _context(request, found))


@require_POST
@member(Role.OPERATOR)
@limited(limits.ACTIVATION_DECISION)
def decide_activation(request: MemberRequest, activation: UUID) -> HttpResponse:
    """A person's word: the companies that are ticked are connected, all others declined."""
    found = shown(request, activation)
    if not recently_proved(request):
        return ask_again(request, reverse("activation", args=[request.tenant.slug, activation]))
    chosen = [] if "none" in request.POST else request.POST.getlist("company")
    if not chosen and "none" not in request.POST:
        messages.error(request, _("Choose at least one company, or decline them all."))
        return redirect("activation", request.tenant.slug, activation)
    try:
        decide(activation=found.row, approved=chosen, actor=request.user.actor)
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("activation", request.tenant.slug, activation)


def _context(request: MemberRequest, found: Activating) -> dict[str, Any]:
    return {"found": found, "provider": found.provider, "proved": recently_proved(request)}
