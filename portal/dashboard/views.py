"""Home, a connection, a run: what a member sees of what is connected, and the few things to press."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.providers import registry
from connections.sync import services as sync
from connections.sync.models import SyncRun, Trigger
from connections.transport.limits.circuit_breaker import trouble_since
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused
from portal.dashboard import departure
from portal.dashboard.cards import cards, cards_of
from portal.dashboard.details import RunDetail, detail, run_detail
from portal.dashboard.forms import ScheduleForm
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.shortcuts import get_own_or_404 as own
from portal.members.stepup import step_up_required
from portal.onboarding import server_move
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

UNCHANGED = 204  # htmx leaves the page alone and asks again


@require_GET
@member(Action.VIEW)
def home(request: MemberRequest) -> HttpResponse:
    offered = [provider for provider in registry.all_providers().values() if registry.environments(provider)]
    return render(
        request,
        "dashboard/home.html",
        {"cards": cards_of(request.tenant), "offered": offered, "may_act": _may_act(request)},
    )


@require_GET
@never_cache
@member(Action.VIEW)
def connection(request: MemberRequest, connection: UUID) -> HttpResponse:
    return _connection(request, own(request, Connection, id=connection))


def _connection(request: MemberRequest, found: Connection, form: ScheduleForm | None = None) -> HttpResponse:
    shown = detail(found)
    return render(
        request,
        "dashboard/connection.html",
        {
            "detail": shown,
            "card": shown.card,
            "connection": found,
            "provider": shown.card.provider,
            "may_move": server_move.can_move(found) and request.membership.can(Action.MOVE_SERVER),
            "form": form or ScheduleForm(initial={"every_hours": found.sync_every_hours}),
            **_may(request),
            "trouble_since": trouble_since(found),
        },
    )


@require_GET
@never_cache
@member(Action.VIEW)
def connection_poll(request: MemberRequest, connection: UUID) -> HttpResponse:
    """What htmx asks for while a run is active: the moving parts anew, or nothing when nothing has changed."""
    shown = detail(own(request, Connection, id=connection))
    if shown.fingerprint == request.GET.get("seen"):
        return HttpResponse(status=UNCHANGED)
    return render(
        request,
        "dashboard/connection_poll.html",
        {
            "detail": shown,
            "card": shown.card,
            "connection": shown.card.connection,
            "provider": shown.card.provider,
            **_may(request),
        },
    )


def _disconnect_page(request: MemberRequest, connection: UUID) -> str:
    return reverse("disconnect", args=[request.tenant.slug, connection])


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.DISCONNECT)
@step_up_required(_disconnect_page)
@limited(limits.CONNECTION_SETTING)
def disconnect(request: MemberRequest, connection: UUID) -> HttpResponse:
    """What it means, and then the deed. One that is disconnected already says so on its page."""
    found = own(request, Connection, id=connection)
    if request.method == "POST":
        was_setup = found.state == ConnectionState.SETUP
        departure.disconnect(connection=found, actor=request.user.actor)
        if was_setup:
            messages.success(request, _("The set-up is removed. What was stored for it is being destroyed."))
            return redirect("home", request.tenant.slug)
    if request.method == "POST" or found.is_disconnected:
        return redirect("connection", request.tenant.slug, found.id)
    [card] = cards([found])
    return render(request, "dashboard/disconnect.html", {"connection": found, "provider": card.provider, "card": card})


@require_POST
@member(Action.SYNC)
@limited(limits.SYNC)
def sync_now(request: MemberRequest, connection: UUID) -> HttpResponse:
    found = own(request, Connection, id=connection)
    try:
        run = sync.start_run(connection=found, trigger=Trigger.HAND, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return redirect("connection", request.tenant.slug, found.id)
    return redirect("run", request.tenant.slug, found.id, run.id)


@require_POST
@member(Action.SYNC)
@limited(limits.CONNECTION_SETTING)
def schedule(request: MemberRequest, connection: UUID) -> HttpResponse:
    found = own(request, Connection, id=connection)
    form = ScheduleForm(request.POST, initial={"every_hours": found.sync_every_hours})
    if not form.is_valid():
        return _connection(request, found, form)
    try:
        sync.set_schedule(connection=found, every_hours=form.cleaned_data["every_hours"], actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The schedule is changed."))
    return redirect("connection", request.tenant.slug, found.id)


@require_GET
@never_cache
@member(Action.VIEW)
def run(request: MemberRequest, connection: UUID, run: UUID) -> HttpResponse:
    shown = run_detail(own(request, SyncRun, id=run, connection_id=connection))
    return render(request, "dashboard/run.html", _of_run(request, shown))


@require_GET
@never_cache
@member(Action.VIEW)
def run_poll(request: MemberRequest, connection: UUID, run: UUID) -> HttpResponse:
    shown = run_detail(own(request, SyncRun, id=run, connection_id=connection))
    if shown.fingerprint == request.GET.get("seen"):
        return HttpResponse(status=UNCHANGED)
    return render(request, "dashboard/run_poll.html", _of_run(request, shown))


@require_POST
@member(Action.SYNC)
@limited(limits.CONNECTION_SETTING)
def cancel_run(request: MemberRequest, connection: UUID, run: UUID) -> HttpResponse:
    found = own(request, SyncRun, id=run, connection_id=connection)
    sync.cancel_run(run=found, actor=request.user.actor)
    return redirect("run", request.tenant.slug, connection, run)


def _of_run(request: MemberRequest, shown: RunDetail) -> dict[str, Any]:
    return {
        "detail": shown,
        "run": shown.run,
        "connection": shown.run.connection,
        "provider": shown.provider,
        "may_act": _may_act(request),
    }


def _may(request: MemberRequest) -> dict[str, bool]:
    return {"may_act": _may_act(request), "may_leave": request.membership.can(Action.DISCONNECT)}


def _may_act(request: MemberRequest) -> bool:
    return request.membership.can(Action.SYNC)
