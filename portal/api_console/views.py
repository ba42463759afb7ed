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
from connections.calls.validation import BadCall
from connections.spec.operations import Operation
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.api_console.details import detail, offer, request_of
from portal.api_console.forms import CallForm, SettleForm
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.polling import render_if_changed
from portal.members.shortcuts import get_own_or_404
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.pages import limited, spend_by
from portal.rate_limits.spending import RateLimited


@require_GET
@never_cache
@member(Action.TRY_REQUESTS)
def operations(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """What the provider lets us do, and the latest requests that were tried."""
    offer_page = offer(get_own_or_404(request, Connection, id=connection_id))
    context = {"offer": offer_page, "connection": offer_page.connection, "provider": offer_page.provider}
    return render(request, "api_console/operations.html", context)


@require_POST
@member(Action.ALLOW_WRITES)
@limited(limits.CONNECTION_SETTING)
def switch_writes(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """Each write asks for the password by itself, so this does not."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    on = request.POST.get("writes") == "on"
    try:
        if services.switch_writes(connection=connection, on=on, actor=request.user.actor):
            messages.success(request, _("Writes are switched on.") if on else _("Writes are switched off."))
    except ActionRefused as refused:
        messages.error(request, str(refused))
    return redirect("try", request.tenant.slug, connection_id)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.TRY_REQUESTS)
@limited(limits.CALL, by_view=True)
def fill(request: MemberRequest, connection_id: UUID, operation: str) -> HttpResponse:
    """The operation's form. Sending it makes a read; for a write it shows what would leave."""
    connection, declared = _operation(request, connection_id, operation)
    if declared.is_write and not connection.allows_writes:
        messages.error(request, str(services.WRITES_OFF_SENTENCE))
        return redirect("try", request.tenant.slug, connection_id)
    if request.method != "POST":
        like = _like(request, connection, declared)
        return _form(request, connection, declared, CallForm(operation=declared, like=like))
    if declared.is_write and not recently_proved(request):
        return ask_again(request, _address(request, connection, declared))
    form = CallForm(request.POST, operation=declared)
    if "edit" in request.POST or not form.is_valid():
        return _form(request, connection, declared, form)
    if not declared.is_write:
        return _send(request, connection, declared, form, None)
    context = {
        "form": form,
        "http_request": request_of(connection, declared, form.arguments()),
        "call_id": uuid.uuid4(),  # pressing the button twice sends one
    }
    return render(request, "api_console/confirm.html", {**context, **_about(connection, declared)})


@sensitive_post_parameters()
@require_POST
@member(Action.SEND_WRITES)
@limited(limits.CALL, by_view=True)
def send(request: MemberRequest, connection_id: UUID, operation: str) -> HttpResponse:
    """What was shown is sent."""
    connection, declared = _operation(request, connection_id, operation)
    if not recently_proved(request):
        return ask_again(request, _address(request, connection, declared))
    form = CallForm(request.POST, operation=declared)
    if not form.is_valid():
        return _form(request, connection, declared, form)
    return _send(request, connection, declared, form, _call_id(connection, request.POST.get("call", "")))


@require_GET
@never_cache
@member(Action.TRY_REQUESTS)
def call_page(request: MemberRequest, connection_id: UUID, call_id: UUID) -> HttpResponse:
    call = get_own_or_404(request, Call, id=call_id, connection_id=connection_id)
    return render(request, "api_console/call.html", _of_call(request, call))


@require_GET
@never_cache
@member(Action.TRY_REQUESTS)
def call_poll(request: MemberRequest, connection_id: UUID, call_id: UUID) -> HttpResponse:
    """What htmx asks for while a worker goes on with it."""
    context = _of_call(request, get_own_or_404(request, Call, id=call_id, connection_id=connection_id))
    return render_if_changed(
        request, "api_console/call_poll.html", lambda: context, fingerprint=context["detail"].fingerprint
    )


@require_POST
@member(Action.SEND_WRITES)
@limited(limits.CONNECTION_SETTING)
def settle(request: MemberRequest, connection_id: UUID, call_id: UUID) -> HttpResponse:
    """A person looked at the provider and says what became of it."""
    call = get_own_or_404(request, Call, id=call_id, connection_id=connection_id)
    form = SettleForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["outcome"][0]))
    elif not services.settle(call=call, done=form.is_done, actor=request.user.actor):
        messages.info(request, _("There is nothing to decide here: see what became of it."))
    return redirect("call", request.tenant.slug, connection_id, call_id)


@require_POST
@member(Action.SEND_WRITES)
@limited(limits.CALL)
def again(request: MemberRequest, connection_id: UUID, call_id: UUID) -> HttpResponse:
    """The same once more, after a person said that it was not carried out."""
    call = get_own_or_404(request, Call, id=call_id, connection_id=connection_id)
    if not recently_proved(request):
        return ask_again(request, reverse("call", args=[request.tenant.slug, connection_id, call_id]))
    try:
        call = services.send_again(call=call, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    except BadCall:
        messages.error(request, _("The provider no longer takes this as it is. Fill it in anew."))
    return redirect("call", request.tenant.slug, connection_id, call.id)


def _send(
    request: MemberRequest, connection: Connection, operation: Operation, form: CallForm, call_id: UUID | None
) -> HttpResponse:
    try:
        spend_by(request, limits.CALL, connection=connection.id)
        call = services.ask(
            connection=connection,
            operation=operation.name,
            arguments=form.arguments(),
            actor=request.user.actor,
            call_id=call_id,
        )
    except RateLimited as reached:
        form.add_error(None, limit_sentence(request, reached))
    except ActionRefused as refused:
        form.add_error(None, str(refused))
    else:
        return redirect("call", request.tenant.slug, connection.id, call.id)
    return _form(request, connection, operation, form)


def _operation(request: MemberRequest, connection_id: UUID, name: str) -> tuple[Connection, Operation]:
    """Raises Http404 for what is not there, and for a write that this person may not make."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    try:
        operation = provider_of(connection).operation(name)
    except KeyError:
        raise Http404 from None
    if operation.is_write and not request.membership.can(Action.SEND_WRITES):
        raise Http404
    return connection, operation


def _like(request: MemberRequest, connection: Connection, operation: Operation) -> Call | None:
    """The earlier call that the form begins as, if one is named. Raises Http404 for one that is not there."""
    like = request.GET.get("like", "")
    if not like:
        return None
    call_id = _uuid(like)
    if call_id is None:
        raise Http404
    return get_own_or_404(request, Call, id=call_id, connection=connection, operation=operation.name)


def _form(request: MemberRequest, connection: Connection, operation: Operation, form: CallForm) -> HttpResponse:
    context = {"form": form, "proved": not operation.is_write or recently_proved(request)}
    context["stands"] = services.can_send(connection)
    return render(request, "api_console/fill.html", {**context, **_about(connection, operation)})


def _about(connection: Connection, operation: Operation) -> dict[str, Any]:
    return {"connection": connection, "provider": provider_of(connection), "operation": operation}


def _of_call(request: MemberRequest, call: Call) -> dict[str, Any]:
    call_detail = detail(call)
    return {
        "detail": call_detail,
        "call": call,
        "connection": call.connection,
        "provider": call_detail.provider,
        "may_fill": call_detail.operation is not None
        and (not call.is_write or (call.connection.allows_writes and request.membership.can(Action.SEND_WRITES))),
    }


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
