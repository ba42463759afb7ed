"""A connection's schedule for staff: in words, what became of its latest slots, and the two presses that pause and resume."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from connections.sync import pausing
from connections.sync.models import ScheduleSlot
from connections.sync.schedule import fetched_schedule
from connections.tenancy.scope import Actor
from connections.tenancy.settings import time_zone_of
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.members.schedule_words import schedule_words
from portal.support.admin_actions import ButtonPress, get_button_press
from portal.support.formatting import NOTHING, when

LATEST_SLOTS = 20


def words(connection: Connection) -> str:
    """When it is read, with the customer's time zone. One query, of a connection that was fetched with its schedule."""
    return schedule_words(fetched_schedule(connection), time_zone_of(connection.tenant_id))


def streams_left_out(connection: Connection) -> str:
    return ", ".join(fetched_schedule(connection).streams_left_out) or NOTHING


def pause_words(connection: Connection) -> SafeString | str:
    """Since when, by whom and why."""
    if connection.paused_at is None:
        return NOTHING
    return format_html("{} {}: {}", when(connection.paused_at), connection.paused_by, connection.pause_reason)


def latest_slots(connection: Connection) -> QuerySet[ScheduleSlot]:
    mine = ScheduleSlot.objects.for_connection(connection).filter(tenant_id=connection.tenant_id)
    return mine.order_by("-due_at")[:LATEST_SLOTS]


def pause(request: HttpRequest, key: UUID) -> HttpResponse:
    """An admin stops the reading of one connection, with a reason that the customer sees."""

    def act(connection: Connection, actor: Actor) -> None:
        pausing.ask_pause(connection=connection, reason=request.POST.get("reason", ""), actor=actor)

    return _press(request, key, act, gettext("The connection is being paused."))


def resume(request: HttpRequest, key: UUID) -> HttpResponse:
    def act(connection: Connection, actor: Actor) -> None:
        pausing.ask_resume(connection=connection, actor=actor)

    return _press(request, key, act, gettext("The connection is being resumed."))


def _press(request: HttpRequest, key: UUID, act: Callable[[Connection, Actor], None], done: str) -> HttpResponse:
    press: ButtonPress[Connection] = get_button_press(request, Connection, key)
    try:
        act(press.row, press.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, done)
    return redirect("admin:vault_connection_change", key)
