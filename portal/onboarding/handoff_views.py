"""Handing a step to somebody: the member's presses, and the pages of whoever has the link, who needs no account."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.tenancy.settings import time_zone_of
from connections.vault.keys import KeyUnavailable
from connections.vault.services import ActionRefused
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding import handoffs, logins, services
from portal.onboarding.activation_requests import NO_KEYS
from portal.onboarding.callback_views import no_referrer
from portal.onboarding.checklist_page import checklist_page, onboarding_for_page
from portal.onboarding.forms import CredentialsForm, FieldsForm
from portal.onboarding.handoffs import HandoffStep
from portal.onboarding.shortcuts import get_mark_or_404
from portal.rate_limits import limits
from portal.rate_limits.pages import limited, spend_by

# -- of a member -------------------------------------------------------------------------------------------------------


@require_POST
@member(Action.CONNECT)
@limited(limits.HANDOFF, by_view=True)
def give_handoff(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    """Mail somebody the link to this step; one that was given before is void."""
    mark = get_mark_or_404(request, connection_id, checkpoint)
    page = reverse("checkpoint", args=[request.tenant.slug, connection_id, checkpoint])
    if not recently_proved(request):
        return ask_again(request, page)
    email = request.POST.get("email", "").strip()
    try:
        validate_email(email)
        spend_by(request, limits.HANDOFF, recipient=email)
        handoffs.give(mark=mark, tenant=request.tenant, email=email, user=request.user)
    except ValidationError:
        messages.error(request, _("This is no e-mail address. It looks like name@company.example."))
    except ActionRefused as refused:
        messages.error(request, str(refused))
    return redirect(f"{page}#step-{checkpoint}")


@require_POST
@member(Action.CONNECT)
@limited(limits.CHECKLIST_STEP)
def withdraw_handoff(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    """The link, and what it opened, are void at once."""
    handoffs.withdraw(mark=get_mark_or_404(request, connection_id, checkpoint), actor=request.user.actor)
    return _to_checkpoint(request, connection_id, checkpoint)


@require_POST
@member(Action.CONNECT)
@limited(limits.CHECKLIST_STEP)
def stop_handoff_reminders(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    handoffs.stop_reminders(mark=get_mark_or_404(request, connection_id, checkpoint), actor=request.user.actor)
    return _to_checkpoint(request, connection_id, checkpoint)


def _to_checkpoint(request: MemberRequest, connection_id: UUID, slug: str) -> HttpResponse:
    return redirect(f"{reverse('checkpoint', args=[request.tenant.slug, connection_id, slug])}#step-{slug}")


# -- of whoever has the link -------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@no_referrer
@limited(limits.HANDOFF_USE)
def handoff_link(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the mail. Looking changes nothing; the press opens a session of its own in this browser alone."""
    with handoffs.open_link(token) as step:
        if step is None:
            return _void(request)
        if request.method == "POST" and "begin" in request.POST:
            try:
                secret = handoffs.begin_session(step)
            except ActionRefused:  # pressed twice
                return _void(request)
            response: HttpResponse = redirect("handoff", step.handoff.key)
            response.set_cookie(
                handoffs.cookie_name(step.handoff.key),
                secret,
                expires=step.handoff.expires_at,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
            return response
        if request.method == "POST" and "quiet" in request.POST:
            handoffs.quiet(step)
            messages.success(request, _("You get no more reminders of this step."))
        return _with_origin(render(request, "onboarding/handoff_link.html", _words(step)))


@require_GET
@no_referrer
def handoff(request: HttpRequest, key: str) -> HttpResponse:
    """The one step, for the browser in which the link was pressed."""
    with handoffs.open_session(key, _secret(request, key)) as step:
        return _void(request) if step is None else _show(request, step)


@require_POST
@no_referrer
@limited(limits.HANDOFF_USE)
def handoff_attest(request: HttpRequest, key: str) -> HttpResponse:
    """Whoever was asked says that it is done."""
    with handoffs.open_session(key, _secret(request, key)) as step:
        if step is None:
            return _void(request)
        try:
            services.attest(mark=step.mark, actor=step.actor)
        except ActionRefused as refused:
            messages.error(request, str(refused))
        else:
            return render(request, "onboarding/handoff_done.html", _words(step))
    return redirect("handoff", key)


@sensitive_post_parameters()
@require_POST
@no_referrer
@limited(limits.HANDOFF_USE)
def handoff_fields(request: HttpRequest, key: str) -> HttpResponse:
    """What is entered is sealed at once, and never shown again, here or elsewhere."""
    with handoffs.open_session(key, _secret(request, key)) as step:
        if step is None or not step.checkpoint.fields or not handoffs.spend_try(step):
            return _void(request)
        fields = [step.provider.field(name) for name in step.checkpoint.fields]
        form = CredentialsForm(request.POST, mark=step.mark, fields=fields, settings={}, stored=())
        if not form.is_valid():
            return _show(request, step, form=form)
        try:
            services.store_credentials(credentials=form.credentials, actor=step.actor)
        except ActionRefused as refused:
            messages.error(request, str(refused))
        except KeyUnavailable:
            messages.error(request, str(NO_KEYS))
    return redirect("handoff", key)


@require_POST
@no_referrer
@limited(limits.HANDOFF_USE)
def handoff_login(request: HttpRequest, key: str, login: str) -> HttpResponse:
    """A page that leads to the provider's login page; its way back belongs to this browser and this step."""
    secret = _secret(request, key)
    with handoffs.open_session(key, secret) as step:
        provider_login = logins.login_of(step.mark, login) if step is not None else None
        if step is None or provider_login is None or not handoffs.spend_try(step):
            return _void(request)
        try:
            address = logins.start(mark=step.mark, login=provider_login, session=secret, actor=step.actor)
        except (ActionRefused, KeyUnavailable) as refused:
            messages.error(request, str(refused if isinstance(refused, ActionRefused) else NO_KEYS))
            return redirect("handoff", key)
        context = {**_words(step), "address": address, "host": urlsplit(address).netloc}
        return render(request, "onboarding/handoff_login.html", context)


def _secret(request: HttpRequest, key: str) -> str:
    return request.COOKIES.get(handoffs.cookie_name(key), "")


def _words(step: HandoffStep) -> dict[str, Any]:
    return {
        "handoff_step": step,
        "handoff": step.handoff,
        "provider": step.provider,
        "checkpoint": step.checkpoint,
        # Whoever has no account has no zone of their own: times are the company's, and say so.
        "time_zone": time_zone_of(step.tenant.id),
    }


def _show(request: HttpRequest, step: HandoffStep, *, form: FieldsForm | None = None) -> HttpResponse:
    page = checklist_page(onboarding_for_page(step.mark), step.mark.checkpoint)
    fields = page.fields
    context = {
        **_words(step),
        "page": page,
        "step": page.open_step,
        "logins": page.logins if page.our_client_id else [],
        "form": form or (FieldsForm(fields=fields, settings={}, stored=()) if fields else None),
    }
    return _with_origin(render(request, "onboarding/handoff.html", context))


def _with_origin(response: HttpResponse) -> HttpResponse:
    """A form of a page that names no origin at all would be taken for somebody else's; the origin says no token."""
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


def _void(request: HttpRequest) -> HttpResponse:
    """One answer, whatever the reason."""
    return render(request, "onboarding/handoff_void.html", status=404)
