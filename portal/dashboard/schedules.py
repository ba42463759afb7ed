"""The schedule of a connection, and its pause: when it is read and what, which times were missed, what stops it for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.spec.provider import Provider
from connections.sync import pausing
from connections.sync.models import ScheduleSlot, SlotOutcome
from connections.sync.schedule import chosen_streams, fetched_schedule, next_slots, set_schedule
from connections.tenancy.settings import tenant_time_zone
from connections.vault.models import Connection
from connections.vault.services import ActionRefused, refuse_disconnected
from portal.dashboard.forms import PauseForm
from portal.dashboard.schedule_form import ScheduleForm, StreamChoice, stream_choices
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.schedule_words import schedule_words
from portal.members.shortcuts import get_own_or_404
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

MISSED_SHOWN = 10
MISSED_SHOWN_FOR = timedelta(days=30)
NOT_AS_PLANNED = (SlotOutcome.MISSED, SlotOutcome.HELD)


@dataclass(frozen=True)
class SchedulePage:
    """One connection's schedule, with its times in the tenant's zone."""

    connection: Connection
    provider: Provider
    time_zone: str
    words: str
    next: list[datetime]
    missed: list[ScheduleSlot]
    streams: list[StreamChoice]

    @property
    def is_offered(self) -> bool:
        """Whether there is anything to set: not of what is disconnected, or uses a way that is no longer offered."""
        return not self.connection.is_disconnected and self.provider.offers(self.connection.auth_method)


def _connection(request: MemberRequest, connection_id: UUID) -> Connection:
    rows = Connection.objects.select_related("schedule").annotate(time_zone=tenant_time_zone())
    return get_own_or_404(request, rows, id=connection_id)


def _page(connection: Any) -> SchedulePage:
    """One query. Needs the tenant's scope."""
    schedule, provider = fetched_schedule(connection), provider_of(connection)
    since = timezone.now() - MISSED_SHOWN_FOR
    slots = ScheduleSlot.objects.for_connection(connection).filter(outcome__in=NOT_AS_PLANNED, due_at__gt=since)
    chosen = {stream.name for stream in chosen_streams(connection, schedule)}
    return SchedulePage(
        connection=connection,
        provider=provider,
        time_zone=connection.time_zone,
        words=schedule_words(schedule, connection.time_zone),
        next=next_slots(schedule, connection.time_zone) if connection.is_standing else [],
        missed=list(slots.order_by("-due_at")[:MISSED_SHOWN]),
        streams=[choice for choice in stream_choices(provider) if choice.name in chosen],
    )


def _show(request: MemberRequest, connection: Connection, form: ScheduleForm | None = None) -> HttpResponse:
    context = {
        "detail": _page(connection),
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
    """What it means and why it is done, and then the deed. What cannot be paused says so on its page."""
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
