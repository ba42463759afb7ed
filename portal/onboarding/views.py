"""The customer's way in: before you start, the checklist, and each checkpoint's page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.providers import registry
from connections.spec.checklist import Inference
from connections.spec.provider import Provider
from connections.sync import faults
from connections.transport.limits.circuit_breaker import trouble_since
from connections.vault.keys import KeyUnavailable
from connections.vault.services import ActionRefused
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.polling import render_if_changed
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding import activation_requests, logins, services, waivers
from portal.onboarding.activation_requests import NO_KEYS
from portal.onboarding.callback_views import no_referrer
from portal.onboarding.checklist_page import ChecklistPage, checklist_page
from portal.onboarding.forms import BeginForm, CredentialsForm, FieldsForm
from portal.onboarding.marks import checkpoint_of, provider_of
from portal.onboarding.models import Onboarding
from portal.onboarding.shortcuts import get_mark_or_404, get_onboarding_or_404
from portal.rate_limits import limits
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.pages import limited, spend_by
from portal.rate_limits.spending import RateLimited


@require_http_methods(["GET", "HEAD", "POST"])
@member(Action.CONNECT)
@limited(limits.NEW_CONNECTION, by_view=True)
def start_connection(request: MemberRequest, provider_slug: str) -> HttpResponse:
    """What a person should know before they begin; sending it opens the connection."""
    provider = registry.find(provider_slug)
    if provider is None or not registry.environments(provider):
        raise Http404
    form = BeginForm(request.POST or None, provider=provider)
    if request.method == "POST" and form.is_valid():
        try:
            spend_by(request, limits.NEW_CONNECTION)
            onboarding = services.begin(
                tenant=request.tenant,
                provider=provider.slug,
                environment=form.cleaned_data["environment"],
                auth_method=form.cleaned_data["auth_method"],
                actor=request.user.actor,
            )
        except RateLimited as reached:
            form.add_error(None, limit_sentence(request, reached))
        except ActionRefused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("checklist", request.tenant.slug, onboarding.connection_id)
    auth_methods = [(grant, provider.checkpoints(grant.name)) for grant in provider.grants]
    links = [(side, link, urlsplit(link).netloc) for side, link in activation_requests.links(provider)]
    context = {"provider": provider, "form": form, "auth_methods": auth_methods, "links": links}
    return render(request, "onboarding/start_connection.html", context)


@require_GET
@never_cache
@member(Action.VIEW)
def checklist(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """The whole list with the current checkpoint open."""
    return _show(request, checklist_page(get_onboarding_or_404(request, connection_id)), is_checkpoint_page=False)


@require_GET
@never_cache
@member(Action.VIEW)
def checkpoint(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    """The list with this checkpoint open. Where the way is no longer offered, the page that says so."""
    onboarding = get_onboarding_or_404(request, connection_id)
    if not provider_of(onboarding.connection).offers(onboarding.connection.auth_method):
        return redirect("checklist", request.tenant.slug, connection_id)
    return _show(request, _checklist_page_at(onboarding, checkpoint), is_checkpoint_page=True)


@require_GET
@never_cache
@member(Action.VIEW)
def checklist_poll(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """What htmx asks for while something is under way."""
    open_slug = request.GET.get("open", "")
    onboarding = get_onboarding_or_404(request, connection_id)
    page = _checklist_page_at(onboarding, open_slug) if open_slug else checklist_page(onboarding)
    return render_if_changed(
        request,
        "onboarding/poll.html",
        lambda: _context(request, page, is_checkpoint_page=bool(open_slug)),
        fingerprint=page.fingerprint,
    )


@require_POST
@member(Action.CONNECT)
@limited(limits.CHECKLIST_STEP)
def attest_checkpoint(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    mark = get_mark_or_404(request, connection_id, checkpoint)
    try:
        services.attest(mark=mark, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return _to_checkpoint(request, connection_id, checkpoint)
    return _to_current(request, connection_id)


@require_POST
@member(Action.CONNECT)
@limited(limits.CHECK)
def check_checkpoint(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    """Queue the probe that answers for this checkpoint: its own, or that of the one it is inferred from."""
    mark = get_mark_or_404(request, connection_id, checkpoint)
    proof = checkpoint_of(mark).proof
    try:
        services.check(
            mark=get_mark_or_404(request, connection_id, proof.follows) if isinstance(proof, Inference) else mark
        )
    except ActionRefused as refused:
        messages.error(request, str(refused))
    return _to_checkpoint(request, connection_id, checkpoint)


@sensitive_post_parameters()
@require_POST
@member(Action.CONNECT)
@limited(limits.CHECKLIST_STEP, by_view=True)
def submit_credentials(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    """Take what is typed in: secrets sealed, all checked, or refused at its field; a secret is not shown again."""
    mark = get_mark_or_404(request, connection_id, checkpoint)
    if not checkpoint_of(mark).fields:
        raise Http404
    if not recently_proved(request):
        return ask_again(request, reverse("checkpoint", args=[request.tenant.slug, connection_id, checkpoint]))
    page = _checklist_page_at(mark.onboarding, checkpoint)
    form = CredentialsForm(
        request.POST,
        mark=mark,
        fields=page.fields,
        settings=page.connection.settings,
        stored=page.credentials,
    )
    if form.is_valid():
        try:
            spend_by(request, limits.CHECKLIST_STEP, connection=connection_id)
            services.store_credentials(credentials=form.credentials, actor=request.user.actor)
        except RateLimited as reached:
            form.add_error(None, limit_sentence(request, reached))
        except ActionRefused as refused:
            messages.error(request, str(refused))
            return _to_checkpoint(request, connection_id, checkpoint)
        except KeyUnavailable:
            form.add_error(None, str(NO_KEYS))
        else:
            if form.credentials.left_out:
                what = ", ".join(map(str, form.credentials.left_out))
                messages.info(request, _("We left out what is no part of the value: %(what)s.") % {"what": what})
            return _to_checkpoint(request, connection_id, checkpoint)
    return _show(request, page, is_checkpoint_page=True, form=form)


@require_POST
@no_referrer
@member(Action.CONNECT)
@limited(limits.LOGIN_BEGUN)
def start_login(request: MemberRequest, connection_id: UUID, checkpoint: str, login: str) -> HttpResponse:
    """A page that leads to the provider's login page: our content policy lets no form go elsewhere, nor be sent on."""
    mark = get_mark_or_404(request, connection_id, checkpoint)
    provider_login = logins.login_of(mark, login)
    if provider_login is None:
        raise Http404
    if not recently_proved(request):
        return ask_again(request, reverse("checkpoint", args=[request.tenant.slug, connection_id, checkpoint]))
    session = request.session.session_key or ""
    try:
        address = logins.start(mark=mark, login=provider_login, session=session, actor=request.user.actor)
    except (ActionRefused, KeyUnavailable) as refused:
        messages.error(request, str(refused if isinstance(refused, ActionRefused) else NO_KEYS))
        return _to_checkpoint(request, connection_id, checkpoint)
    context = {
        "address": address,
        "host": urlsplit(address).netloc,
        "connection": mark.onboarding.connection,
        "provider": provider_of(mark.onboarding.connection),
        "checkpoint": checkpoint_of(mark),
    }
    return render(request, "onboarding/start_login.html", context)


@require_POST
@member(Action.CONNECT)
@limited(limits.CHECKLIST_STEP)
def confirm_checkpoint(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    compared = request.POST.get("compared", "").split()
    mark = get_mark_or_404(request, connection_id, checkpoint)
    if mark.onboarding.connection.fault in faults.COMPANY_FAULTS and not checkpoint_of(mark).pins:
        if not request.membership.can(Action.CONFIRM_COMPANY):
            messages.error(request, _("Only an owner of your company can say that these are still its books."))
            return _to_checkpoint(request, connection_id, checkpoint)
        if not recently_proved(request):
            return ask_again(request, reverse("checkpoint", args=[request.tenant.slug, connection_id, checkpoint]))
    try:
        services.confirm(
            mark=mark,
            compared=compared,
            evidence=request.POST.get("evidence", ""),
            twin=request.POST.get("twin", ""),
            actor=request.user.actor,
        )
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return _to_checkpoint(request, connection_id, checkpoint)
    return _to_current(request, connection_id)


@require_POST
@member(Action.WAIVE)
@limited(limits.CHECKLIST_STEP)
def waive_checkpoint(request: MemberRequest, connection_id: UUID, checkpoint: str) -> HttpResponse:
    """An owner says, with a reason, that the step is not needed, or takes that back."""
    mark = get_mark_or_404(request, connection_id, checkpoint)
    try:
        if "end" in request.POST:
            waivers.end_waiver(mark=mark, actor=request.user.actor)
            return _to_checkpoint(request, connection_id, checkpoint)
        waivers.waive(mark=mark, reason=request.POST.get("reason", ""), actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return _to_checkpoint(request, connection_id, checkpoint)
    return _to_current(request, connection_id)


def _checklist_page_at(onboarding: Onboarding, slug: str) -> ChecklistPage:
    """Raises Http404 for a checkpoint that is not declared."""
    try:
        return checklist_page(onboarding, slug)
    except KeyError:
        raise Http404 from None


def _show(
    request: MemberRequest, page: ChecklistPage, *, is_checkpoint_page: bool, form: FieldsForm | None = None
) -> HttpResponse:
    return render(
        request, "onboarding/checklist.html", _context(request, page, is_checkpoint_page=is_checkpoint_page, form=form)
    )


def _context(
    request: MemberRequest, page: ChecklistPage, *, is_checkpoint_page: bool, form: FieldsForm | None = None
) -> dict[str, Any]:
    step = page.open_step
    return {
        "checklist_page": page,
        "provider_template": _provider_template(page.progress.provider, step.checkpoint.slug) if step else "",
        "progress": page.progress,
        "connection": page.connection,
        "provider": page.progress.provider,
        "is_checkpoint_page": is_checkpoint_page,
        "form": form or (_form(page) if page.fields else None),
        "proved": recently_proved(request),
        "trouble_since": trouble_since(page.connection),
    }


def _provider_template(provider: Provider, checkpoint: str) -> str:
    """The template with the provider's own text for this checkpoint, '' where there is none."""
    name = f"providers/{provider.slug}/{checkpoint}.html"
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return ""
    return name


def _form(page: ChecklistPage) -> FieldsForm:
    return FieldsForm(fields=page.fields, settings=page.connection.settings, stored=page.credentials)


def _to_checkpoint(request: MemberRequest, connection_id: UUID, slug: str) -> HttpResponse:
    return redirect(f"{reverse('checkpoint', args=[request.tenant.slug, connection_id, slug])}#step-{slug}")


def _to_current(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    return redirect(f"{reverse('checklist', args=[request.tenant.slug, connection_id])}#open")
