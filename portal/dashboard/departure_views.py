"""The pages of a connection that was left: its certificate, the last probe, and what becomes of what was read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.spec.text import duration
from connections.sync import erasure
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.dashboard import disconnection
from portal.dashboard.departure_page import departure_page
from portal.dashboard.summaries import connections_with_totals
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.shortcuts import get_own_or_404
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_GET
@never_cache
@member(Action.VIEW)
def departure(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """How the connection was left, to be printed: what is not over yet says so."""
    return render(request, "dashboard/departure.html", _context(request, connection_id))


@require_POST
@member(Action.DISCONNECT)
@limited(limits.CHECK)
def probe_departure(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """Somebody says that they have removed the access at the provider: a worker tries it."""
    connection = _left_connection(request, connection_id)
    try:
        disconnection.ask_probe(connection=connection, actor=request.user.actor)
    except ActionRefused as refused:
        messages.info(request, str(refused))
    return redirect("connection", request.tenant.slug, connection.id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.DISCONNECT)
@limited(limits.CONNECTION_SETTING)
def end_departure(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """A page that says what is given up by not waiting for the proof; sending it destroys what is kept for it."""
    context = _context(request, connection_id)
    connection: Connection = context["connection"]
    if request.method == "POST":
        try:
            disconnection.end_without_proof(connection=connection, actor=request.user.actor)
        except ActionRefused as refused:
            messages.info(request, str(refused))
    if request.method == "POST" or not context["summary"].keeps_secret:
        return redirect("connection", request.tenant.slug, connection.id)
    return render(request, "dashboard/end_departure.html", context)


@require_POST
@member(Action.DISCONNECT)
@limited(limits.CONNECTION_SETTING)
def departure_records(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """What was read is kept after all, or deleted in a day. Until then the other button takes it back."""
    connection = _left_connection(request, connection_id)
    keeps = request.POST.get("records") != "delete"
    try:
        erasure.choose(connection=connection, keeps=keeps, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
    else:
        if keeps:
            messages.success(request, _("What was read is kept."))
        else:
            message = _("What was read is deleted in %(time)s. Until then you can keep it.")
            messages.success(request, message % {"time": duration(erasure.TAKEN_BACK_WITHIN)})
    return redirect("departure", request.tenant.slug, connection.id)


def _left_connection(request: MemberRequest, connection_id: UUID) -> Connection:
    """Raises Http404, also for a connection that stands, or was left before departures were kept."""
    rows = connections_with_totals().filter(departure__isnull=False)
    connection = get_own_or_404(request, rows, id=connection_id)
    if not connection.is_disconnected:
        raise Http404
    return connection


def _context(request: MemberRequest, connection_id: UUID) -> dict[str, Any]:
    page = departure_page(_left_connection(request, connection_id))
    return {
        "detail": page,
        "summary": page.summary,
        "connection": page.summary.connection,
        "departure": page.departure,
        "provider": page.summary.provider,
    }
