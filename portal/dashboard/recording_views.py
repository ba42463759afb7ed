"""Recording what one connection sends and hears: an owner starts it, reads it, ends it, deletes it. Nobody else sees it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.transport.log import recording as recordings
from connections.transport.models import Recording
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Connection
from connections.vault.sealing import Unopenable
from connections.vault.services import ActionRefused
from portal.dashboard.forms import RecordingForm
from portal.dashboard.request_log_rows import labels_of
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.shortcuts import get_own_or_404
from portal.members.stepup import step_up_required
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

logger = logging.getLogger(__name__)


def _recording_page(request: MemberRequest, connection_id: UUID, **kwargs: Any) -> str:
    return reverse("recording", args=[request.tenant.slug, connection_id])


def _this_page(request: MemberRequest, **kwargs: Any) -> str:
    return request.path


@require_GET
@never_cache
@member(Action.RECORD)
def recording(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    return _page(request, get_own_or_404(request, Connection, id=connection_id), RecordingForm())


def _page(request: MemberRequest, connection: Connection, form: RecordingForm) -> HttpResponse:
    provider = provider_of(connection)
    newest = recordings.newest(connection)
    labels = labels_of(provider)
    calls = newest.calls.only("id", "tenant_id", "recording_id", "at", "operation", "status") if newest else []
    return render(
        request,
        "dashboard/recording.html",
        {
            "connection": connection,
            "provider": provider,
            "recording": newest,
            "is_live": newest is not None and recordings.is_live(newest),
            "is_full": newest is not None and newest.kept >= recordings.MOST_CALLS,
            "deleted_at": newest and recordings.deleted_at(newest),
            "most": recordings.MOST_CALLS,
            "rows": [(each, labels.get(each.operation, each.operation)) for each in calls],
            "may_start": not connection.is_disconnected,
            "form": form,
        },
    )


@require_GET
@never_cache
@member(Action.RECORD)
@step_up_required(_this_page, reading=True)
def call(request: MemberRequest, connection_id: UUID, call_id: UUID) -> HttpResponse:
    connection = get_own_or_404(request, Connection, id=connection_id)
    call = get_own_or_404(request, recordings.calls(connection), id=call_id)
    provider = provider_of(connection)
    try:
        texts = recordings.open_call(call)
    except (Unopenable, KeyUnavailable) as error:
        logger.warning("what was recorded of entry %s does not open: %s", call.entry_id, type(error).__name__)
        texts = None
    return render(
        request,
        "dashboard/recorded_call.html",
        {
            "connection": connection,
            "provider": provider,
            "call": call,
            "label": labels_of(provider).get(call.operation, call.operation),
            "texts": texts,
        },
    )


@require_POST
@member(Action.RECORD)
@step_up_required(_recording_page)
@limited(limits.RECORDING)
def start(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    connection = get_own_or_404(request, Connection, id=connection_id)
    form = RecordingForm(request.POST)
    if not form.is_valid():
        return _page(request, connection, form)
    try:
        recordings.start(
            connection=connection, lasts=timedelta(minutes=form.cleaned_data["minutes"]), actor=request.user.actor
        )
    except ActionRefused as refused:
        messages.error(request, str(refused))
    except KeyUnavailable:
        logger.exception("nothing can be recorded")
        messages.error(
            request, _("We cannot record at the moment: a key of the portal is missing. Our staff can see it.")
        )
    else:
        messages.success(request, _("We record from now on."))
    return redirect("recording", request.tenant.slug, connection.id)


@require_POST
@member(Action.RECORD)
@limited(limits.RECORDING)
def stop(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    for recording in _recordings(request, connection_id):
        recordings.stop(recording=recording, actor=request.user.actor)
        messages.success(request, _("Nothing more is recorded."))
    return redirect("recording", request.tenant.slug, connection_id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.RECORD)
@step_up_required(_recording_page)
@limited(limits.RECORDING)
def delete(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """A page that says what deleting a recording means; sending it deletes it."""
    if request.method != "POST":
        return _ask_first(request, get_own_or_404(request, Connection, id=connection_id))
    for recording in _recordings(request, connection_id):
        recordings.delete(recording=recording, actor=request.user.actor)
        messages.success(request, _("What was recorded is deleted."))
    return redirect("recording", request.tenant.slug, connection_id)


def _ask_first(request: MemberRequest, connection: Connection) -> HttpResponse:
    newest = recordings.newest(connection)
    if newest is None:
        return redirect("recording", request.tenant.slug, connection.id)
    context = {
        "connection": connection,
        "provider": provider_of(connection),
        "count": newest.calls.count(),
        "is_live": recordings.is_live(newest),
        "deleted_at": recordings.deleted_at(newest),
    }
    return render(request, "dashboard/recording_delete.html", context)


def _recordings(request: MemberRequest, connection_id: UUID) -> list[Recording]:
    """The one there is, or none any more: whoever presses twice has what they want."""
    newest = recordings.newest(get_own_or_404(request, Connection, id=connection_id))
    return [newest] if newest else []
