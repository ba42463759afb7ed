"""Trying a request: choose one, fill it in, see exactly what leaves before a write does, and what became of it."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.calls import services
from connections.calls.models import Call
from connections.calls.validation import BadCall, check
from connections.spec.operations import Operation
from connections.vault.models import Connection
from connections.vault.services import Refused
from portal.api_console.details import detail, offer, request_of
from portal.api_console.forms import CallForm
from portal.members.access import MemberRequest, member
from portal.members.models import Role
from portal.members.polling import render_if_changed
from portal.members.rows import own
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.pages import limited, spend_by
from portal.rate_limits.spending import RateLimited


@require_GET
@never_cache
@member(Role.OPERATOR)
def offered(request: MemberRequest, connection: UUID) -> HttpResponse:
    """What the provider lets us do, and the latest requests that were tried."""
    shown = offer(own(request, Connection, id=connection))
    context = {"offer": shown, "connection": shown.connection, "provider": shown.provider}
    return render(request, "api_console/offered.html", {**context, "is_owner": _is_owner(request)})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Role.OPERATOR)
@limited(limits.CALL, by_view=True)
def fill(request: MemberRequest, connection: UUID, operation: str) -> HttpResponse:
    """The operation's form. Sending it makes a read; for a write it shows what would leave."""
    found, declared = _operation(request, connection, operation)
    if request.method != "POST":
        like = _like(request, found, declared)
        return _form(request, found, declared, CallForm(operation=declared, like=like))
    if declared.is_write and not recently_proved(request):
        return ask_again(request, _address(request, found, declared))
    form = CallForm(request.POST, operation=declared)
    if "edit" in request.POST or not form.is_valid():
        return _form(request, found, declared, form)
    if not declared.is_write:
        return _ask(request, found, declared, form, None)
    try:
        check(declared, form.arguments())
    except BadCall as bad:
        form.add_troubles(bad)
        return _form(request, found, declared, form)
    context = {
        "form": form,
        "asked": request_of(found, declared, form.arguments()),
        "call_id": uuid.uuid4(),  # pressing the button twice sends one
    }
    return render(request, "api_console/confirm.html", {**context, **_about(found, declared)})


@sensitive_post_parameters()
@require_POST
@member(Role.OWNER)
@limited(limits.CALL, by_view=True)
def send(request: MemberRequest, connection: UUID, operation: str) -> HttpResponse:
    """What was shown is sent."""
    found, declared = _operation(request, connection, operation)
    if not recently_proved(request):
        return ask_again(request, _address(request, found, declared))
    form = CallForm(request.POST, operation=declared)
    if not form.is_valid():
        return _form(request, found, declared, form)
    return _ask(request, found, declared, form, _call_id(found, request.POST.get("call", "")))


@require_GET
@never_cache
@member(Role.OPERATOR)
def call(request: MemberRequest, connection: UUID, call: UUID) -> HttpResponse:
    return render(
        request, "api_console/call.html", _of_call(request, own(request, Call, id=call, connection=connection))
    )


@require_GET
@never_cache
@member(Role.OPERATOR)
def call_poll(request: MemberRequest, connection: UUID, call: UUID) -> HttpResponse:
    """What htmx asks for while a worker goes on with it."""
    shown = _of_call(request, own(request, Call, id=call, connection=connection))
    return render_if_changed(
        request, "api_console/call_poll.html", lambda: shown, fingerprint=shown["detail"].fingerprint
    )


@require_POST
@member(Role.OWNER)
@limited(limits.CONNECTION_SETTING)
def settle(request: MemberRequest, connection: UUID, call: UUID) -> HttpResponse:
    """A person looked at the provider and says what became of it."""
    found = own(request, Call, id=call, connection=connection)
    outcome = request.POST.get("outcome", "")
    if outcome not in ("done", "not-done"):
        messages.error(request, _("Say whether it was carried out or not."))
    elif not services.settle(call=found, done=outcome == "done", actor=request.user.actor):
        messages.info(request, _("There is nothing to decide here: see what became of it."))
    return redirect("call", request.tenant.slug, connection, call)


@require_POST
@member(Role.OWNER)
@limited(limits.CALL)
def again(request: MemberRequest, connection: UUID, call: UUID) -> HttpResponse:
    """The same once more, after a person said that it was not carried out."""
    found = own(request, Call, id=call, connection=connection)
    if not recently_proved(request):
        return ask_again(request, reverse("call", args=[request.tenant.slug, connection, call]))
    try:
        found = services.send_again(call=found, actor=request.user.actor)
    except Refused as refused:
        messages.error(request, str(refused))
    except BadCall:
        messages.error(request, _("The provider no longer takes this as it is. Fill it in anew."))
    return redirect("call", request.tenant.slug, connection, found.id)


def _ask(
    request: MemberRequest, connection: Connection, operation: Operation, form: CallForm, call_id: UUID | None
) -> HttpResponse:
    try:
        spend_by(request, limits.CALL, connection=connection.id)
        asked = services.ask(
            connection=connection,
            operation=operation.name,
            arguments=form.arguments(),
            actor=request.user.actor,
            call_id=call_id,
        )
    except BadCall as bad:
        form.add_troubles(bad)
    except RateLimited as reached:
        form.add_error(None, limit_sentence(request, reached))
    except Refused as refused:
        form.add_error(None, str(refused))
    else:
        return redirect("call", request.tenant.slug, connection.id, asked.id)
    return _form(request, connection, operation, form)


def _operation(request: MemberRequest, connection: UUID, name: str) -> tuple[Connection, Operation]:
    """Raises Http404 for what is not there, and for a write that this person may not make."""
    found = own(request, Connection, id=connection)
    try:
        operation = provider_of(found).operation(name)
    except KeyError:
        raise Http404 from None
    if operation.is_write and not _is_owner(request):
        raise Http404
    return found, operation


def _like(request: MemberRequest, connection: Connection, operation: Operation) -> Call | None:
    """The earlier call that the form begins as, if one is named. Raises Http404 for one that is not there."""
    named = request.GET.get("like", "")
    if not named:
        return None
    call_id = _uuid(named)
    if call_id is None:
        raise Http404
    return own(request, Call, id=call_id, connection=connection, operation=operation.name)


def _form(request: MemberRequest, connection: Connection, operation: Operation, form: CallForm) -> HttpResponse:
    context = {"form": form, "proved": not operation.is_write or recently_proved(request)}
    context["stands"] = services.stands(connection)
    return render(request, "api_console/fill.html", {**context, **_about(connection, operation)})


def _about(connection: Connection, operation: Operation) -> dict[str, Any]:
    return {"connection": connection, "provider": provider_of(connection), "operation": operation}


def _of_call(request: MemberRequest, found: Call) -> dict[str, Any]:
    shown = detail(found)
    return {
        "detail": shown,
        "call": found,
        "connection": found.connection,
        "provider": shown.provider,
        "is_owner": _is_owner(request),
        "may_fill": shown.operation is not None and (not found.is_write or _is_owner(request)),
    }


def _is_owner(request: MemberRequest) -> bool:
    return request.membership.role == Role.OWNER


def _address(request: MemberRequest, connection: Connection, operation: Operation) -> str:
    return reverse("try_fill", args=[request.tenant.slug, connection.id, operation.name])


def _call_id(connection: Connection, text: str) -> UUID | None:
    """The id of the call that a confirmed form asks for: the same for the same form, and its connection's own.

    What the browser sends is never a row's id itself. A key is unique over all tenants, so an id of another tenant's
    call would be refused where one that is free is taken, and would tell that it exists.
    """
    sent = _uuid(text)
    return uuid.uuid5(connection.id, str(sent)) if sent else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
