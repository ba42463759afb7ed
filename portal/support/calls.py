"""Single calls for staff: that one was made, by whom, and how it ended. What was in it, staff have no right to read."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from connections.calls.models import METADATA, Call, CallState
from connections.transport.models import RequestLogEntry
from portal.members.statuses import status_of
from portal.support.filters import Choices, ProviderFilter, TenantFilter
from portal.support.formatting import NOTHING, badge, fault_words, link, place, text, when, with_more, yes_or_no
from portal.support.list_search import search_calls
from portal.support.read_only_admin import LookOnly


class CallStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(CallState.choices)


class CallProviderFilter(ProviderFilter):
    column = "connection__provider"


@admin.register(Call)
class CallAdmin(LookOnly):
    """Unknown outcomes are a customer's to decide; here staff see which ones wait, and since when."""

    paged_by = "-asked_at"
    row_search = staticmethod(search_calls)
    list_display = ("when_asked", "whose", "operation", "state_and_fault", "whose_turn")
    list_filter = (CallStateFilter, TenantFilter, CallProviderFilter)
    list_select_related = ("tenant", "connection")
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _("Call, entry, connection or request id, part of a tenant's name, company or client id.")
    fields = (
        "id",
        "tenant_link",
        "connection_link",
        "where",
        "operation",
        "writes",
        "state_badge",
        "whose_turn",
        "why",
        "looks",
        "was_looked_up",
        "status",
        "fault_words",
        "entry_link",
        "request_id",
        "when_asked",
        "asked_by",
        "when_sent",
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

    @admin.display(description=_("tenant"))
    def tenant_link(self, call: Call) -> SafeString:
        return link(call.tenant, call.tenant_id, call.tenant.name)

    @admin.display(description=_("connection"))
    def connection_link(self, call: Call) -> SafeString:
        return link(call.connection, call.connection_id, call.connection)

    @admin.display(description=_("where"))
    def where(self, call: Call) -> str:
        return place(call.connection.provider, call.connection.environment)

    @admin.display(description=_("tenant and provider"))
    def whose(self, call: Call) -> SafeString:
        return with_more(call.tenant.name, self.where(call))

    @admin.display(description=_("state and fault"))
    def state_and_fault(self, call: Call) -> SafeString:
        return with_more(self.state_badge(call), call.fault)

    @admin.display(description=_("write"))
    def writes(self, call: Call) -> str:
        return yes_or_no(call.is_write)

    @admin.display(description=_("found by look-up"))
    def was_looked_up(self, call: Call) -> str:
        return yes_or_no(call.found_by_look_up)

    @admin.display(description=_("state"))
    def state_badge(self, call: Call) -> SafeString:
        return badge(status_of(call))

    @admin.display(description=_("whose turn"))
    def whose_turn(self, call: Call) -> SafeString | str:
        if call.needs_a_person:
            return str(_("the customer's owner"))
        return when(call.next_at) if call.is_in_progress and call.next_at else NOTHING

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
    def when_asked(self, call: Call) -> SafeString | str:
        return when(call.asked_at)

    @admin.display(description=_("sent at"))
    def when_sent(self, call: Call) -> SafeString | str:
        return when(call.sent_at)

    @admin.display(description=_("ended"))
    def ended(self, call: Call) -> SafeString | str:
        return when(call.ended_at)

    @admin.display(description=_("instead of"))
    def earlier(self, call: Call) -> SafeString | str:
        return link(Call, call.instead_of_id, call.instead_of_id) if call.instead_of_id else NOTHING
