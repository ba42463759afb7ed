"""The pages of one request to connect several companies: who asks, which ones, whether they mean it, what became of it."""

from __future__ import annotations

from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.tenancy.scope import SYSTEM
from connections.vault.keys import KeyUnavailable
from connections.vault.services import ActionRefused
from portal.members.access import MemberRequest, member, membership_of
from portal.members.permissions import Action
from portal.members.polling import render_if_changed
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding import consents
from portal.onboarding.activation_requests import NO_KEYS, ActivationPage, get_activation_or_404
from portal.onboarding.callback_views import no_referrer
from portal.onboarding.forms import CompaniesForm
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_GET
@never_cache
@member(Action.CONNECT)
def activation(request: MemberRequest, activation_id: UUID) -> HttpResponse:
    return render(
        request, "onboarding/activation.html", _context(request, get_activation_or_404(request, activation_id))
    )


@require_GET
@never_cache
@member(Action.CONNECT)
def activation_poll(request: MemberRequest, activation_id: UUID) -> HttpResponse:
    """What htmx asks for while a worker is at it."""
    page = get_activation_or_404(request, activation_id)
    return render_if_changed(
        request, "onboarding/activation_progress.html", lambda: _context(request, page), fingerprint=page.fingerprint
    )


@require_POST
@member(Action.CONNECT)
@limited(limits.ACTIVATION_DECISION)
def decide_activation(request: MemberRequest, activation_id: UUID) -> HttpResponse:
    """A person's word: the companies that are ticked are connected, all others declined."""
    page = get_activation_or_404(request, activation_id)
    if not recently_proved(request):
        return ask_again(request, reverse("activation", args=[request.tenant.slug, activation_id]))
    form = CompaniesForm(request.POST, companies=[company.id for company in page.companies])
    if not form.is_valid():
        for sentence in chain.from_iterable(form.errors.values()):
            messages.error(request, str(sentence))
        return redirect("activation", request.tenant.slug, activation_id)
    approved = form.cleaned_data["company"]
    try:
        consents.decide(activation=page.row, approved=approved, tenant=request.tenant, user=request.user)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    return redirect("activation", request.tenant.slug, activation_id)


@require_POST
@member(Action.CONNECT)
@limited(limits.CONSENT_MAIL)
def ask_consent(request: MemberRequest, activation_id: UUID) -> HttpResponse:
    """A mail to whoever chose the companies at the provider."""
    page = get_activation_or_404(request, activation_id)
    try:
        consents.ask(activation=page.row, tenant=request.tenant, user=request.user)
    except (ActionRefused, KeyUnavailable) as refused:
        messages.error(request, str(refused if isinstance(refused, ActionRefused) else NO_KEYS))
    return redirect("activation", request.tenant.slug, activation_id)


@require_http_methods(["GET", "HEAD", "POST"])
@no_referrer
@limited(limits.CONSENT_ANSWER)
def activation_consent(request: HttpRequest, token: str) -> HttpResponse:
    """The link in that mail. Looking changes nothing; one that cannot be answered is answered alike, whatever the reason."""
    with consents.open_question(token) as question:
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
        except ActionRefused:  # pressed twice
            return _consent_again(request, token)
        return render(request, "onboarding/consent_given.html", {"question": question, "is_meant": is_meant})


def _consent_again(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever answered it is led to where the answer led: to the request, if they may decide it, else to the same thanks."""
    user = request.user
    question = consents.answered_by(token, user) if user.is_authenticated else None
    if question is None or not user.is_authenticated:
        return render(request, "onboarding/consent_void.html", status=404)
    if membership_of(user, question.tenant.id, Action.CONNECT) is not None:
        return redirect("activation", question.tenant.slug, question.activation.id)
    is_meant = question.row.confirmed_at is not None
    return render(request, "onboarding/consent_given.html", {"question": question, "is_meant": is_meant})


def _context(request: MemberRequest, page: ActivationPage) -> dict[str, Any]:
    return {"activation": page, "provider": page.provider, "proved": recently_proved(request)}
