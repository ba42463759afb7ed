"""The pages by which members schedule a connection, pause it and resume it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.sync import pausing
from connections.sync.schedule import fetched_schedule, set_schedule
from connections.vault.models import Connection
from connections.vault.services import ActionRefused, refuse_disconnected
from portal.dashboard.forms import PauseForm
from portal.dashboard.schedule_form import ScheduleForm
from portal.dashboard.schedule_page import connections_for_schedule, schedule_page
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.shortcuts import get_own_or_404
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


def _connection(request: MemberRequest, connection_id: UUID) -> Connection:
    return get_own_or_404(request, connections_for_schedule(), id=connection_id)


def _show(request: MemberRequest, connection: Connection, form: ScheduleForm | None = None) -> HttpResponse:
    context = {
        "detail": schedule_page(connection),
        "connection": connection,
        "provider": provider_of(connection),
        "form": form or ScheduleForm(provider=provider_of(connection), schedule=fetched_schedule(connection)),
    }
    return render(request, "dashboard/schedule.html", context)


@require_GET
@never_cache
@member(Action.VIEW)
def schedule(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    return _show(request, _connection(request, connection_id))


@require_POST
@member(Action.SYNC)
@limited(limits.CONNECTION_SETTING)
def change_schedule(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    connection = _connection(request, connection_id)
    form = ScheduleForm(request.POST, provider=provider_of(connection), schedule=fetched_schedule(connection))
    try:
        refuse_disconnected(connection)
        if not form.is_valid():
            return _show(request, connection, form)
        set_schedule(connection=connection, choice=form.choice, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The schedule is changed."))
    return redirect("schedule", request.tenant.slug, connection.id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.PAUSE)
@limited(limits.CONNECTION_SETTING)
def pause(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """A page that says what a pause means and asks for a reason; sending it pauses. What cannot be paused leads back."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    form = PauseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            pausing.pause(connection=connection, reason=form.cleaned_data["reason"], actor=request.user.actor)
        except ActionRefused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, _("The connection is paused: nothing is read until it is resumed."))
        return redirect("connection", request.tenant.slug, connection.id)
    if not connection.is_standing:
        return redirect("connection", request.tenant.slug, connection.id)
    context = {"connection": connection, "provider": provider_of(connection), "form": form}
    return render(request, "dashboard/pause_connection.html", context)


@require_POST
@member(Action.PAUSE)
@limited(limits.CONNECTION_SETTING)
def resume(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    connection = get_own_or_404(request, Connection, id=connection_id)
    try:
        pausing.resume(connection=connection, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The connection is resumed."))
    return redirect("connection", request.tenant.slug, connection.id)
