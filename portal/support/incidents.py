"""Incidents and outages for staff, read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from connections.sync.models import SyncRun
from connections.transport.models import RequestLogEntry
from portal.incidents.models import RESPONSIBLE, Incident, Outage
from portal.support.filters import Choices, ProviderFilter, TenantFilter, TypedFilter
from portal.support.formatting import NOTHING, fault_link, link, place, when, with_more
from portal.support.list_search import search_incidents
from portal.support.read_only_admin import LookOnly


class OverFilter(Choices):
    title = _("over")
    parameter_name = "over"
    column = "closed_at__isnull"
    options = ((True, _("no, open")), (False, _("yes")))


class ResponsibleFilter(Choices):
    title = _("who can mend it")
    parameter_name = column = "responsible"
    options = tuple(RESPONSIBLE)


class IncidentProviderFilter(ProviderFilter):
    column = "connection__provider"


class CauseFilter(TypedFilter):
    title = _("cause")
    parameter_name = "cause"
    label = placeholder = _("Its code")

    def filter_rows(self, queryset: QuerySet[Incident], typed: str) -> QuerySet[Incident]:
        return queryset.filter(cause=typed)


@admin.register(Incident)
class IncidentAdmin(LookOnly):
    """What keeps a connection from working, since when, what showed it and what showed its end."""

    paged_by = "-opened_at"
    list_display = ("since", "whose", "cause_and_checkpoint", "responsible", "times_seen", "over")
    list_filter = (OverFilter, ResponsibleFilter, CauseFilter, TenantFilter, IncidentProviderFilter)
    list_select_related = ("tenant", "connection")
    row_search = staticmethod(search_incidents)
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _("Incident, connection or run id, part of a tenant's name, company or client id.")
    fields = (
        "id",
        "tenant_link",
        "connection_link",
        "where",
        "cause_words",
        "checkpoint",
        "responsible",
        "since",
        "opened_by",
        "entry_link",
        "run_link",
        "seen",
        "times_seen",
        "over",
        "closed_by",
        "closing_entry_link",
        "closing_run_link",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        return super().get_queryset(request).select_related("tenant", "connection")

    @admin.display(description=_("since"))
    def since(self, incident: Incident) -> SafeString | str:
        return when(incident.opened_at)

    @admin.display(description=_("last seen"))
    def seen(self, incident: Incident) -> SafeString | str:
        return when(incident.last_seen_at)

    @admin.display(description=_("over since"))
    def over(self, incident: Incident) -> SafeString | str:
        return when(incident.closed_at)

    @admin.display(description=_("tenant and provider"))
    def whose(self, incident: Incident) -> SafeString:
        return with_more(incident.tenant.name, self.where(incident))

    @admin.display(description=_("cause and checkpoint"))
    def cause_and_checkpoint(self, incident: Incident) -> SafeString:
        return with_more(incident.cause, incident.checkpoint)

    @admin.display(description=_("where"))
    def where(self, incident: Incident) -> str:
        return place(incident.connection.provider, incident.connection.environment)

    @admin.display(description=_("cause"))
    def cause_words(self, incident: Incident) -> SafeString | str:
        return fault_link(incident.connection.provider, incident.cause)

    @admin.display(description=_("tenant"))
    def tenant_link(self, incident: Incident) -> SafeString:
        return link(incident.tenant, incident.tenant_id, incident.tenant.name)

    @admin.display(description=_("connection"))
    def connection_link(self, incident: Incident) -> SafeString:
        return link(incident.connection, incident.connection_id, incident.connection)

    @admin.display(description=_("request that showed it"))
    def entry_link(self, incident: Incident) -> SafeString | str:
        return link(RequestLogEntry, incident.entry_id, incident.entry_id) if incident.entry_id else NOTHING

    @admin.display(description=_("run that showed it"))
    def run_link(self, incident: Incident) -> SafeString | str:
        return link(SyncRun, incident.run_id, incident.run_id) if incident.run_id else NOTHING

    @admin.display(description=_("request that showed its end"))
    def closing_entry_link(self, incident: Incident) -> SafeString | str:
        entry_id = incident.closing_entry_id
        return link(RequestLogEntry, entry_id, entry_id) if entry_id else NOTHING

    @admin.display(description=_("run that showed its end"))
    def closing_run_link(self, incident: Incident) -> SafeString | str:
        run_id = incident.closing_run_id
        return link(SyncRun, run_id, run_id) if run_id else NOTHING


@admin.register(Outage)
class OutageAdmin(LookOnly):
    """When a provider was in trouble for more than one connection, and when customers were told."""

    paged_by = "-opened_at"
    list_display = ("where", "since", "customers_told", "over")
    list_filter = (OverFilter, ProviderFilter)
    search_fields = ("id",)
    search_help_text = _("An outage's id.")
    fields = ("id", "where", "since", "customers_told", "over")
    readonly_fields = fields

    @admin.display(description=_("where"))
    def where(self, outage: Outage) -> str:
        return place(outage.provider, outage.environment)

    @admin.display(description=_("since"))
    def since(self, outage: Outage) -> SafeString | str:
        return when(outage.opened_at)

    @admin.display(description=_("customers told at"))
    def customers_told(self, outage: Outage) -> SafeString | str:
        return when(outage.customers_told_at)

    @admin.display(description=_("over since"))
    def over(self, outage: Outage) -> SafeString | str:
        return when(outage.closed_at)
