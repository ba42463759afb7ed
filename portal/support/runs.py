"""Sync runs for staff: the list, and one run as a timeline of what it said and what it asked."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from connections.sync.models import RunState, SyncRun, Trigger
from connections.sync.time_shares import stuck_runs
from connections.transport.models import RequestLogEntry
from portal.members.models import User
from portal.members.run_words import share_rows, stuck_words
from portal.members.statuses import status_of
from portal.support.connection_timeline import AROUND
from portal.support.filters import Choices, ProviderFilter, TenantFilter
from portal.support.formatting import NOTHING, badge, fault_words, link, place, when, with_more
from portal.support.list_search import search_runs
from portal.support.models import PlannedAction
from portal.support.planned_actions import MAY
from portal.support.read_only_admin import LookOnly
from portal.support.time_parameters import format_time_parameter, parse_time
from portal.support.timeline import streams, timeline


class RunStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(RunState.choices)


class StuckFilter(admin.SimpleListFilter):
    """Runs that should go on by themselves and do not, and those that wait for more than a day."""

    title = _("stuck")
    parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("does not go on"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
        return queryset.filter(stuck_runs(timezone.now())) if self.value() == "1" else queryset


class TriggerFilter(Choices):
    title = _("started")
    parameter_name = column = "trigger"
    options = tuple(Trigger.choices)


class RunProviderFilter(ProviderFilter):
    column = "connection__provider"


@admin.register(SyncRun)
class SyncRunAdmin(LookOnly):
    """What a run read, how it ended and why."""

    paged_by = "-queued_at"
    row_search = staticmethod(search_runs)
    list_display = ("queued", "whose", "state_and_fault", "trigger", "started", "ended")
    list_filter = (RunStateFilter, StuckFilter, TriggerFilter, TenantFilter, RunProviderFilter)
    list_select_related = ("tenant", "connection")
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _("Run, connection or request id, part of a tenant's name, company or client id.")
    fields = (
        "id",
        "tenant_link",
        "connection_link",
        "where",
        "state_badge",
        "trigger",
        "asked_by",
        "queued",
        "started",
        "ended",
        "waiting",
        "stuck",
        "fault_words",
        "entry_link",
        "cancelled_by",
    )
    readonly_fields = fields
    page_parameters = ("since",)  # where a later part of the timeline begins

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        return super().get_queryset(request).select_related("tenant", "connection")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if run is not None:
            context |= {
                "timeline": timeline(run, parse_time(request.GET.get("since", ""))),
                "streams": streams(run),
                "shares": share_rows(run),
                "may_cancel": not run.has_ended and cast(User, request.user).can(MAY[PlannedAction.CANCEL]),
                "timeline_since": format_time_parameter(run.queued_at - AROUND),
                "timeline_until": format_time_parameter((run.ended_at or timezone.now()) + AROUND),
            }
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("tenant and provider"))
    def whose(self, run: SyncRun) -> SafeString:
        return with_more(run.tenant.name, self.where(run))

    @admin.display(description=_("state and fault"))
    def state_and_fault(self, run: SyncRun) -> SafeString:
        return with_more(self.state_badge(run), run.fault)

    @admin.display(description=_("queued"))
    def queued(self, run: SyncRun) -> SafeString | str:
        return when(run.queued_at)

    @admin.display(description=_("started at"))
    def started(self, run: SyncRun) -> SafeString | str:
        return when(run.started_at)

    @admin.display(description=_("ended"))
    def ended(self, run: SyncRun) -> SafeString | str:
        return when(run.ended_at)

    @admin.display(description=_("waiting until"))
    def waiting(self, run: SyncRun) -> SafeString | str:
        return when(run.waiting_until)

    @admin.display(description=_("stuck"))
    def stuck(self, run: SyncRun) -> str:
        return stuck_words(run, timezone.now()) or NOTHING

    @admin.display(description=_("tenant"))
    def tenant_link(self, run: SyncRun) -> SafeString:
        return link(run.tenant, run.tenant_id, run.tenant.name)

    @admin.display(description=_("connection"))
    def connection_link(self, run: SyncRun) -> SafeString:
        return link(run.connection, run.connection_id, run.connection)

    @admin.display(description=_("where"))
    def where(self, run: SyncRun) -> str:
        return place(run.connection.provider, run.connection.environment)

    @admin.display(description=_("state"))
    def state_badge(self, run: SyncRun) -> SafeString:
        return badge(status_of(run))

    @admin.display(description=_("fault"))
    def fault_words(self, run: SyncRun) -> str:
        return fault_words(run.connection.provider, run.fault) or NOTHING

    @admin.display(description=_("request that ended it"))
    def entry_link(self, run: SyncRun) -> SafeString | str:
        return link(RequestLogEntry, run.entry_id, run.entry_id) if run.entry_id else NOTHING
