"""Who did what: the audit trails of tenants and of the system, and the admin log of what belongs to no tenant."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import AuditEvent, SystemAuditEvent, Tenant, WhoDidWhat
from portal.support.filters import ActionFilter, DayFilter, PersonFilter, TenantFilter, TimeFilter
from portal.support.formatting import NOTHING, link, text, when, with_more
from portal.support.list_search import search_events, search_log_entries
from portal.support.read_only_admin import LookOnly
from portal.support.search import find
from portal.support.search_text import as_uuid


class EventTimeFilter(TimeFilter):
    column = "happened_at"


class TrailAdmin(LookOnly):
    """Append-only: no role may change or delete an event."""

    paged_by = "-happened_at"
    row_search = staticmethod(search_events)
    search_fields = ("action",)
    search_help_text = _(
        "An event's or a subject's id, an action such as member.invited or its beginning, a person's e-mail or a part of it."
    )

    @admin.display(description=_("time"))
    def happened(self, event: WhoDidWhat) -> SafeString | str:
        return when(event.happened_at)

    @admin.display(description=_("who"))
    def who(self, event: WhoDidWhat) -> str:
        return text(event.actor_name)

    @admin.display(description=_("subject"))
    def what(self, event: WhoDidWhat) -> str:
        return text(event.subject)

    @admin.display(description=_("subject and details"))
    def about(self, event: WhoDidWhat) -> SafeString:
        details = ", ".join(f"{name}: {value}" for name, value in _flat(event.details))
        return with_more(text(event.subject), text(details[:120]))

    @admin.display(description=_("details"))
    def all_details(self, event: WhoDidWhat) -> SafeString:
        rows = ((text(name), text(value)) for name, value in _flat(event.details))
        return format_html_join("", "<div>{}: {}</div>", rows)


@admin.register(AuditEvent)
class AuditEventAdmin(TrailAdmin):
    """What people did in their tenants, and staff for them."""

    list_display = ("happened", "tenant", "action", "who", "about")
    list_filter = (EventTimeFilter, DayFilter, PersonFilter, ActionFilter, TenantFilter)
    list_select_related = ("tenant",)
    fields = ("id", "happened", "tenant_link", "action", "who", "what", "all_details")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        return super().get_queryset(request).select_related("tenant")

    @admin.display(description=_("tenant"))
    def tenant_link(self, event: AuditEvent) -> SafeString:
        return link(event.tenant, event.tenant_id, event.tenant.name)


@admin.register(SystemAuditEvent)
class SystemAuditEventAdmin(TrailAdmin):
    """Who signed in or failed to, was refused, became staff; and what staff opened and searched for."""

    list_display = ("happened", "action", "who", "about")
    list_filter = (EventTimeFilter, DayFilter, PersonFilter, ActionFilter)
    fields = ("id", "happened", "action", "who", "what", "all_details", "whose")
    readonly_fields = fields

    @admin.display(description=_("whose it is"))
    def whose(self, event: SystemAuditEvent) -> SafeString | str:
        """Of a page that was refused: the tenant that was named, and what its ids belong to."""
        if event.action != "access.refused":
            return NOTHING
        tenants = [
            (link(tenant, tenant.pk, tenant.name), tenant.slug) for tenant in Tenant.objects.filter(slug=event.subject)
        ]
        keys = [value for _name, value in _flat(event.details) if as_uuid(str(value)) is not None]
        hits = [
            (format_html('<a href="{}">{}</a>', hit.address, hit.title), f"{hit.kind}, {hit.detail}")
            for hit in find(" ".join(map(str, keys))).hits
        ]
        return format_html_join("", "<div>{} ({})</div>", [*tenants, *hits]) or NOTHING


def _flat(details: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names with their values; those of a dictionary within beside the others."""
    pairs: list[tuple[str, Any]] = []
    for name, value in sorted(details.items()):
        pairs += sorted(value.items()) if isinstance(value, dict) else [(name, value)]
    return pairs


@admin.register(LogEntry)
class HouseLogAdmin(LookOnly):
    """What admins changed on these pages."""

    list_display = ("when_done", "user", "what", "change")
    list_select_related = ("user", "content_type")
    paged_by = "-pk"
    row_search = staticmethod(search_log_entries)
    search_fields = ("object_repr",)
    search_help_text = _("The id or name of what was changed, or who changed it.")
    fields = ("when_done", "user", "what", "change")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        return super().get_queryset(request).select_related("user").defer("user__password")

    @admin.display(description=_("time"))
    def when_done(self, entry: LogEntry) -> SafeString | str:
        return when(entry.action_time)

    @admin.display(description=_("about"))
    def what(self, entry: LogEntry) -> str:
        kind = entry.content_type.name if entry.content_type else ""
        return text(f"{kind} {entry.object_repr}".strip())

    @admin.display(description=_("what was done"))
    def change(self, entry: LogEntry) -> str:
        return text(entry.get_change_message())
