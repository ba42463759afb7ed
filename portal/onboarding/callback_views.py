"""The ways back from a provider: from its login page, and from the link by which somebody chose several companies there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from connections.providers import registry
from connections.spec.provider import Provider
from connections.transport.oauth import authorization
from connections.vault.keys import KeyUnavailable
from connections.vault.services import ActionRefused
from portal.members.memberships import tenants_to_connect_for
from portal.onboarding import activation_requests, logins
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

logger = logging.getLogger(__name__)

NO_CONTENT = 204
ANSWER_PARAMETERS = ("state", "code", "error", "iss")
View = Callable[..., HttpResponse]


def no_referrer(view: View) -> View:
    """The address of this answer is kept nowhere: not in a cache, and not in what is asked for next."""

    @wraps(view)
    @never_cache
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    return answer


def ignore_prefetch(view: View) -> View:
    """Nothing is used up by a browser that fetches a page ahead of its person (`Sec-Purpose: prefetch`, and before that
    was agreed upon, `Purpose` and `X-Moz`): there is no answer yet, so it is asked for again once it is wanted."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        purposes = " ".join(request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
        if "prefetch" in purposes.lower() or "preview" in purposes.lower():
            return HttpResponse(status=NO_CONTENT)
        return view(request, *args, **kwargs)

    return answer


@require_GET
@no_referrer
@ignore_prefetch
def callback(request: HttpRequest, provider_slug: str) -> HttpResponse:
    """From the login page straight on to the checklist. What cannot be used is refused, and nothing is sent for it."""
    provider = registry.find(provider_slug)
    if provider is None:
        raise Http404
    is_repeated = _repeats(request.GET, *ANSWER_PARAMETERS)
    query = {name: request.GET.get(name, "") for name in ANSWER_PARAMETERS}
    if query["state"] and not is_repeated:
        # Begun by somebody with a link to one step, in this very browser: whoever is signed in beside that has no part in it.
        key = logins.arrive_by_handoff(provider=provider.slug, query=query, cookies=request.COOKIES)
        if key:
            return redirect("handoff", key)
    if not request.user.is_authenticated:
        return render(request, "onboarding/callback_sign_in.html", {"provider": provider}, status=403)
    if is_repeated:
        return _void(request, provider)
    if not query["state"] and provider.activation is not None:
        # Where no address of its own was registered for it, an activation link leads back to the one of sign-ins.
        if request.GET.get(provider.activation.parameter):
            return _to_activation(request, provider)
        if query["error"]:
            return _activation_declined(request, provider, query["error"])
    if not query["state"]:
        logger.warning("%s: a way back without a state", provider.slug)
        is_assumed = logins.state_is_assumed(provider)
        context = {"provider": provider, "is_assumed": is_assumed}
        return render(request, "onboarding/callback_no_state.html", context, status=400)
    arrival = logins.arrive(
        provider=provider.slug,
        query=query,
        session=request.session.session_key or "",
        user=request.user,
    )
    if arrival is None:
        return _void(request, provider)
    slug, attempt = arrival.tenant.slug, arrival.attempt
    address = reverse("checkpoint", args=[slug, attempt.connection_id, attempt.checkpoint])
    return redirect(f"{address}#step-{attempt.checkpoint}")


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@no_referrer
@ignore_prefetch
@limited(limits.ACTIVATION, by_view=True)
def activation_arrived(request: HttpRequest, provider_slug: str, environment: str) -> HttpResponse:
    """Somebody chose companies at the provider: for which company of theirs here? Nothing is asked before they say."""
    provider = registry.find(provider_slug)
    if provider is None or provider.activation is None or environment not in registry.environments(provider):
        raise Http404
    if not request.user.is_authenticated:
        return render(request, "onboarding/callback_sign_in.html", {"provider": provider}, status=403)
    callback_parameters = request.POST if request.method == "POST" else request.GET
    if callback_parameters.get("error"):
        return _activation_declined(request, provider, callback_parameters["error"])
    name = provider.activation.parameter
    request_id = callback_parameters.get(name, "")
    if not request_id or _repeats(callback_parameters, name):
        return _void(request, provider)
    user = request.user
    offered = tenants_to_connect_for(user)
    if request.method == "POST":
        selected_tenant = next(
            (tenant for tenant in offered if tenant.slug == callback_parameters.get("tenant")), None
        )
        if selected_tenant is None:
            return _void(request, provider)
        try:
            activation_request = activation_requests.ask(
                tenant=selected_tenant,
                provider=provider,
                environment=environment,
                request_id=request_id,
                actor=user.actor,
            )
        except ActionRefused as refused:
            context = {"provider": provider, "sentence": str(refused)}
            return render(request, "onboarding/activation_refused.html", context, status=400)
        except KeyUnavailable:
            messages.error(request, activation_requests.NO_KEYS)
        else:
            return redirect("activation", selected_tenant.slug, activation_request.id)
    context = {"provider": provider, "tenants": offered, "parameter": name, "request_id": request_id}
    response = render(request, "onboarding/activation_arrived.html", context)
    # A form of a page that names no origin at all would be taken for somebody else's.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


def _to_activation(request: HttpRequest, provider: Provider) -> HttpResponse:
    """On to the page of the side that it came from; the answer does not name it, so with several a person says which."""
    query = request.GET.urlencode()
    pages = [
        (side, f"{reverse('activation_arrived', args=[provider.slug, side.value])}?{query}")
        for side in activation_requests.sides(provider)
    ]
    if len(pages) == 1:
        return redirect(pages[0][1])
    return render(request, "onboarding/activation_side.html", {"provider": provider, "pages": pages})


def _activation_declined(request: HttpRequest, provider: Provider, error: str) -> HttpResponse:
    reason_code = authorization.MESSAGES.get(error, authorization.MESSAGES["other-answer"])
    return render(
        request, "onboarding/activation_refused.html", {"provider": provider, "sentence": reason_code}, status=400
    )


def _repeats(callback_data: QueryDict, *names: str) -> bool:
    """RFC 6749 3.1: a parameter may stand in a request once."""
    return any(len(callback_data.getlist(name)) > 1 for name in names)


def _void(request: HttpRequest, provider: Provider) -> HttpResponse:
    """One answer, whatever the reason."""
    return render(request, "onboarding/callback_void.html", {"provider": provider}, status=400)
