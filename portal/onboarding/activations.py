"""The pages of one request to connect several companies: who asks, which ones, whether they mean it, what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.tenancy.scope import SYSTEM
from connections.vault.keys import KeyUnavailable
from connections.vault.services import Refused
from portal.members.access import MemberRequest, member, membership_of
from portal.members.models import Role
from portal.members.polling import render_if_changed
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding import consents
from portal.onboarding.activating import NO_KEYS, Activating, shown
from portal.onboarding.callbacks import unreferred
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_GET
@never_cache
@member(Role.OPERATOR)
def activation(request: MemberRequest, activation: UUID) -> HttpResponse:
    return render(request, "onboarding/activation.html", _context(request, shown(request, activation)))


@require_GET
@never_cache
@member(Role.OPERATOR)
def activation_poll(request: MemberRequest, activation: UUID) -> HttpResponse:
    """What htmx asks for while a worker is at it."""
    found = shown(request, activation)
    return render_if_changed(
        request,
        "onboarding/activation_moving.html",
        lambda: _context(request, found),
        fingerprint=found.fingerprint,
    )


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
        consents.decide(activation=found.row, approved=chosen, tenant=request.tenant, user=request.user)
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("activation", request.tenant.slug, activation)


@require_POST
@member(Role.OPERATOR)
@limited(limits.CONSENT_MAIL)
def ask_consent(request: MemberRequest, activation: UUID) -> HttpResponse:
    """A mail to whoever chose the companies at the provider."""
    found = shown(request, activation)
    try:
        consents.ask(activation=found.row, tenant=request.tenant, user=request.user)
    except (Refused, KeyUnavailable) as refused:
        messages.error(request, str(refused if isinstance(refused, Refused) else NO_KEYS))
    return redirect("activation", request.tenant.slug, activation)


@require_http_methods(["GET", "HEAD", "POST"])
@unreferred
@limited(limits.CONSENT_ANSWER)
def activation_consent(request: HttpRequest, token: str) -> HttpResponse:
    """The link in that mail. Looking changes nothing; one that cannot be answered is answered alike, whatever the reason."""
    with consents.opened(token) as question:
        if question is None:
            return _consent_again(request, token)
        if request.method != "POST":
            response = render(request, "onboarding/consent.html", {"question": question})
            # A form of a page that names no origin at all would be taken for somebody else's.
            response.headers["Referrer-Policy"] = "strict-origin"
            return response
        is_meant = "confirm" in request.POST
        try:
            actor = request.user.actor if request.user.is_authenticated else SYSTEM
            (consents.confirm if is_meant else consents.decline)(question, actor)
        except Refused:  # pressed twice
            return _consent_again(request, token)
        return render(request, "onboarding/consent_given.html", {"question": question, "is_meant": is_meant})


def _consent_again(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever answered it is led to where the answer led: to the request, if they may decide it, else to the same thanks."""
    user = request.user
    question = consents.answered_by(token, user) if user.is_authenticated else None
    if question is None or not user.is_authenticated:
        return render(request, "onboarding/consent_void.html", status=404)
    if membership_of(user, question.tenant.id, Role.OPERATOR) is not None:
        return redirect("activation", question.tenant.slug, question.activation.id)
    is_meant = question.row.confirmed_at is not None
    return render(request, "onboarding/consent_given.html", {"question": question, "is_meant": is_meant})


def _context(request: MemberRequest, found: Activating) -> dict[str, Any]:
    return {"found": found, "provider": found.provider, "proved": recently_proved(request)}
