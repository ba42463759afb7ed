"""Single calls for staff: that one was made, by whom, and how it ended. What was in it, staff have no right to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from connections.calls.models import METADATA, Call, CallState
from connections.transport.models import RequestLogEntry
from portal.support.filters import Choices, ProviderFilter, TenantFilter
from portal.support.looking import LookOnlyNewestFirst
from portal.support.search import as_uuid, tenants_named
from portal.support.showing import NOTHING, badge, fault_words, link, place, text, when


class CallStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(CallState.choices)


class CallProviderFilter(ProviderFilter):
    column = "connection__provider"


@admin.register(Call)
class CallAdmin(LookOnlyNewestFirst):
    """Unknown outcomes are a customer's to decide; here staff see which ones wait, and since when."""

    moment_field = "asked_at"
    list_display = ("asked", "tenant", "where", "operation", "state_badge", "whose_turn", "fault")
    list_filter = (CallStateFilter, TenantFilter, CallProviderFilter)
    list_select_related = ("tenant", "connection")
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _("Call id, entry id, connection id or tenant.")
    fields = (
        "id",
        "tenant_link",
        "connection_link",
        "where",
        "operation",
        "is_write",
        "state_badge",
        "whose_turn",
        "why",
        "looks",
        "found_by_look_up",
        "status",
        "fault_words",
        "entry_link",
        "request_id",
        "asked",
        "asked_by",
        "sent",
        "ended",
        "settled_by",
        "earlier",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        # The staff's role has no right on the other columns.
        columns = [name.strip() for name in METADATA.split(",")]
        calls: QuerySet[Call] = super().get_queryset(request).select_related("tenant", "connection")
        return calls.only(*columns, "tenant", "connection")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        typed = search_term.strip()
        key = as_uuid(typed)
        if key is not None:
            for column in ("id", "connection_id"):
                found = queryset.filter(**{column: key})
                if found.exists():
                    return found, False
            return queryset.filter(entry_id=key), False
        if not typed:
            return queryset, False
        return queryset.filter(tenant_id__in=list(tenants_named(typed).values_list("id", flat=True)[:20])), False

    @admin.display(description=_("tenant"))
    def tenant_link(self, call: Call) -> SafeString:
        return link(call.tenant, call.tenant_id, call.tenant.name)

    @admin.display(description=_("connection"))
    def connection_link(self, call: Call) -> SafeString:
        return link(call.connection, call.connection_id, call.connection)

    @admin.display(description=_("where"))
    def where(self, call: Call) -> str:
        return place(call.connection.provider, call.connection.environment)

    @admin.display(description=_("state"))
    def state_badge(self, call: Call) -> SafeString:
        return badge("running" if call.state == CallState.SENT else call.state, call.get_state_display())

    @admin.display(description=_("whose turn"))
    def whose_turn(self, call: Call) -> SafeString | str:
        if call.needs_a_person:
            return str(_("the customer's owner"))
        return when(call.next_at) if call.is_moving and call.next_at else NOTHING

    @admin.display(description=_("fault"))
    def fault_words(self, call: Call) -> str:
        return fault_words(call.connection.provider, call.fault) or NOTHING

    @admin.display(description=_("request"))
    def entry_link(self, call: Call) -> SafeString | str:
        return link(RequestLogEntry, call.entry_id, call.entry_id) if call.entry_id else NOTHING

    @admin.display(description=_("provider request id"))
    def request_id(self, call: Call) -> str:
        return text(call.provider_request_id)

    @admin.display(description=_("asked at"))
    def asked(self, call: Call) -> SafeString | str:
        return when(call.asked_at)

    @admin.display(description=_("sent at"))
    def sent(self, call: Call) -> SafeString | str:
        return when(call.sent_at)

    @admin.display(description=_("ended"))
    def ended(self, call: Call) -> SafeString | str:
        return when(call.ended_at)

    @admin.display(description=_("instead of"))
    def earlier(self, call: Call) -> SafeString | str:
        return link(Call, call.instead_of_id, call.instead_of_id) if call.instead_of_id else NOTHING
