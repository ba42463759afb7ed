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
from portal.dashboard import disconnection
from portal.dashboard.connection_page import ConnectionPage, connection_page, connections_for_page
from portal.dashboard.data_statement import connections_for_statement
from portal.dashboard.data_statement import data_statement as statement_of
from portal.dashboard.forms import ConnectionFilter, DisconnectForm
from portal.dashboard.home_page import home_page
from portal.dashboard.run_page import RunPage, run_page, runs_for_page
from portal.dashboard.summaries import summary_of
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.polling import render_if_changed
from portal.members.shortcuts import get_own_or_404
from portal.members.stepup import step_up_required
from portal.onboarding import server_move
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_GET
@member(Action.VIEW)
def home(request: MemberRequest) -> HttpResponse:
    """What is connected, problems first, and what else can be."""
    context = {
        "home": home_page(request.tenant, ConnectionFilter(request.GET), request.GET.get("after", "")),
        "offered": [provider for provider in registry.all_providers().values() if registry.environments(provider)],
    }
    return render(request, "dashboard/home.html", context)


@require_GET
@never_cache
@member(Action.VIEW)
def connection(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    context = _connection_context(request, connection_id)
    connection = context["connection"]
    context["is_movable"] = server_move.can_move(connection)
    context["trouble_since"] = trouble_since(connection)
    return render(request, "dashboard/connection.html", context)


@require_GET
@never_cache
@member(Action.VIEW)
def connection_poll(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """What htmx asks for while a run is active."""
    context = _connection_context(request, connection_id)
    page: ConnectionPage = context["detail"]
    return render_if_changed(request, "dashboard/connection_poll.html", lambda: context, fingerprint=page.fingerprint)


def _connection_context(request: MemberRequest, connection_id: UUID) -> dict[str, Any]:
    """What both of its templates need."""
    page = connection_page(get_own_or_404(request, connections_for_page(), id=connection_id))
    return {
        "detail": page,
        "summary": page.summary,
        "connection": page.summary.connection,
        "provider": page.summary.provider,
    }


@require_GET
@never_cache
@member(Action.VIEW)
def data_statement(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """What is read, how often and as whom, to be printed."""
    statement = statement_of(get_own_or_404(request, connections_for_statement(), id=connection_id))
    context = {"statement": statement, "connection": statement.connection, "provider": statement.provider}
    return render(request, "dashboard/data_statement.html", context)


def _disconnect_page(request: MemberRequest, connection_id: UUID) -> str:
    return reverse("disconnect", args=[request.tenant.slug, connection_id])


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.DISCONNECT)
@step_up_required(_disconnect_page)
@limited(limits.CONNECTION_SETTING)
def disconnect(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """A page that says what disconnecting means; sending it disconnects. One that is disconnected already leads back."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    form = DisconnectForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        was_setup = connection.state == ConnectionState.SETUP
        disconnection.disconnect(
            connection=connection, actor=request.user.actor, keeps_records=was_setup or form.keeps_records
        )
        if was_setup:
            messages.success(request, _("The set-up is removed. What was stored for it is being destroyed."))
            return redirect("home", request.tenant.slug)
        return redirect("connection", request.tenant.slug, connection.id)
    if connection.is_disconnected:
        return redirect("connection", request.tenant.slug, connection.id)
    summary = summary_of(connection)
    context = {"connection": connection, "provider": summary.provider, "summary": summary, "form": form}
    return render(request, "dashboard/disconnect.html", context)


@require_POST
@member(Action.SYNC)
@limited(limits.SYNC)
def sync_now(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    connection = get_own_or_404(request, Connection, id=connection_id)
    try:
        run = sync.start_run(connection=connection, trigger=Trigger.HAND, actor=request.user.actor)
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return redirect("connection", request.tenant.slug, connection.id)
    return redirect("run", request.tenant.slug, connection.id, run.id)


@require_GET
@never_cache
@member(Action.VIEW)
def run(request: MemberRequest, connection_id: UUID, run_id: UUID) -> HttpResponse:
    """The run; `lines` and `requests` in the address are the positions after which older ones are shown."""
    run = _run(request, connection_id, run_id)
    page = run_page(run, lines_after=request.GET.get("lines", ""), requests_after=request.GET.get("requests", ""))
    return render(request, "dashboard/run.html", _run_context(request, page))


@require_GET
@never_cache
@member(Action.VIEW)
def run_poll(request: MemberRequest, connection_id: UUID, run_id: UUID) -> HttpResponse:
    """What htmx asks for while the run is active."""
    page = run_page(_run(request, connection_id, run_id))
    return render_if_changed(
        request, "dashboard/run_poll.html", lambda: _run_context(request, page), fingerprint=page.fingerprint
    )


@require_POST
@member(Action.SYNC)
@limited(limits.CONNECTION_SETTING)
def cancel_run(request: MemberRequest, connection_id: UUID, run_id: UUID) -> HttpResponse:
    sync.cancel_run(
        run=get_own_or_404(request, SyncRun, id=run_id, connection_id=connection_id), actor=request.user.actor
    )
    return redirect("run", request.tenant.slug, connection_id, run_id)


def _run(request: MemberRequest, connection_id: UUID, run_id: UUID) -> SyncRun:
    return get_own_or_404(request, runs_for_page(), id=run_id, connection_id=connection_id)


def _run_context(request: MemberRequest, page: RunPage) -> dict[str, Any]:
    return {
        "detail": page,
        "run": page.run,
        "connection": page.run.connection,
        "provider": page.provider,
    }
