"""The request log for staff: newest first, narrowed by filters or by whatever is pasted, one entry with its neighbours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from connections.sync.models import SyncRun
from connections.transport.models import Breaker, RequestLogEntry
from connections.vault.models import Connection
from portal.support.formatting import NOTHING, fault_link, link, outcome, place, text, when, with_more
from portal.support.list_search import search_requests
from portal.support.read_only_admin import FOLLOWS, LookOnly
from portal.support.request_filters import FILTERS
from portal.support.request_log_list import RequestLogList

NEIGHBOURS = 5
RETRIED_WITHIN = timedelta(minutes=10)  # a call gives up long before
MOST_TRIES = 40  # entries that are looked through


@admin.register(RequestLogEntry)
class RequestLogAdmin(LookOnly):
    """One row per attempt at a call. There is no URL, header or body in it that could be shown."""

    list_display = (
        "time",
        "whose",
        "call",
        "outcome_and_fault",
        "took",
        "request_id",
    )
    list_filter = FILTERS
    list_parameters = (FOLLOWS,)
    list_per_page = 100
    paged_by = "-at"
    row_search = staticmethod(search_requests)
    search_fields = ("id",)  # shows the box; what it means stands in list_search.py
    search_help_text = _(
        "Entry or request id, status, run, connection or call id, part of a tenant's name, company or client id."
    )
    fields = (
        "id",
        "time",
        "tenant_link",
        "connection_link",
        "run_link",
        "checkpoint",
        "where",
        "api_version",
        "operation",
        "call",
        "outcome_badge",
        "fault_words",
        "attempt",
        "took",
        "bytes_in",
        "request_id",
        "token_age_s",
        "quota_left",
        "leads_to",
        "trace_id",
    )
    readonly_fields = fields

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RequestLogList]:
        return RequestLogList

    def get_queryset(self, request: HttpRequest) -> QuerySet[RequestLogEntry]:
        # Looked up by themselves: joined, they would stand between the log and its index.
        return super().get_queryset(request).prefetch_related("tenant")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        entry = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if entry is not None:
            context |= {"neighbours": neighbours(entry), "tries": tries_of(entry), "breakers": breakers_at(entry)}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("time"))
    def time(self, entry: RequestLogEntry) -> SafeString | str:
        return when(entry.at)

    @admin.display(description=_("tenant and provider"))
    def whose(self, entry: RequestLogEntry) -> SafeString:
        return with_more(entry.tenant.name, self.where(entry))

    @admin.display(description=_("tenant"))
    def tenant_link(self, entry: RequestLogEntry) -> SafeString:
        return link(entry.tenant, entry.tenant_id, entry.tenant.name)

    @admin.display(description=_("connection"))
    def connection_link(self, entry: RequestLogEntry) -> SafeString | str:
        return link(Connection, entry.connection_id, entry.connection_id) if entry.connection_id else NOTHING

    @admin.display(description=_("run"))
    def run_link(self, entry: RequestLogEntry) -> SafeString | str:
        return link(SyncRun, entry.run_id, entry.run_id) if entry.run_id else NOTHING

    @admin.display(description=_("where"))
    def where(self, entry: RequestLogEntry) -> str:
        return place(entry.provider, entry.environment)

    @admin.display(description=_("call"))
    def call(self, entry: RequestLogEntry) -> SafeString:
        slash = mark_safe("/<wbr>")  # nosec B308 B703  (a constant)
        parts = format_html_join(slash, "{}", ((part,) for part in entry.path_template.split("/")))
        return format_html('<code dir="ltr">{} {}</code>', entry.method, parts)

    @admin.display(description=_("outcome"))
    def outcome_badge(self, entry: RequestLogEntry) -> SafeString:
        return outcome(entry)

    @admin.display(description=_("outcome and fault"))
    def outcome_and_fault(self, entry: RequestLogEntry) -> SafeString:
        return with_more(outcome(entry), entry.fault)

    @admin.display(description=_("fault"))
    def fault_words(self, entry: RequestLogEntry) -> SafeString | str:
        return fault_link(entry.provider, entry.fault)

    @admin.display(description=_("duration"))
    def took(self, entry: RequestLogEntry) -> str:
        return f"{entry.duration_ms} ms"

    @admin.display(description=_("provider request id"))
    def request_id(self, entry: RequestLogEntry) -> SafeString | str:
        return format_html('<code dir="ltr">{}</code>', text(entry.provider_request_id))


def neighbours(entry: RequestLogEntry) -> list[RequestLogEntry]:
    """The attempts of the same connection before and after this one, in time order, this one among them."""
    same = RequestLogEntry.objects.filter(tenant_id=entry.tenant_id)
    if entry.connection_id is None:  # companies were being chosen: there was no connection yet
        same = same.filter(connection_id__isnull=True)
    else:
        same = same.filter(connection_id=entry.connection_id)
    before = same.filter(at__lte=entry.at).exclude(id=entry.id).order_by("-at", "-id")[:NEIGHBOURS]
    after = same.filter(at__gt=entry.at).order_by("at", "id")[:NEIGHBOURS]
    return [*reversed(before), entry, *after]


def tries_of(entry: RequestLogEntry) -> list[RequestLogEntry]:
    """The attempts at the same call, in their order, this one among them: each is numbered one more than that before it."""
    near = {"at__gte": entry.at - RETRIED_WITHIN, "at__lte": entry.at + RETRIED_WITHIN}
    of_connection = Q(connection_id=entry.connection_id) if entry.connection_id else Q(connection_id__isnull=True)
    same = RequestLogEntry.objects.filter(
        of_connection,
        tenant_id=entry.tenant_id,
        operation=entry.operation,
        run_id=entry.run_id,
        **near,
    )
    before, after = [entry], [entry]
    for other in same.filter(at__lte=entry.at, attempt__lt=entry.attempt).order_by("-at", "-id")[:MOST_TRIES]:
        if other.attempt == before[0].attempt - 1:
            before.insert(0, other)
    for other in same.filter(at__gte=entry.at).exclude(id=entry.id).order_by("at", "id")[:MOST_TRIES]:
        if other.attempt == after[-1].attempt + 1:
            after.append(other)
        elif other.attempt == 1 and other.trace_id == entry.trace_id:
            break  # the next call of the same kind begins
    return [*before, *after[1:]]


def breakers_at(entry: RequestLogEntry) -> list[Breaker]:
    """The breakers of its provider's servers, or of its connection, that were open at that time or are now."""
    mine = Q(of_connection=False) | Q(by=entry.connection_id)
    place = Breaker.objects.filter(mine, key__startswith=f"{entry.provider}:{entry.environment}:")
    was_open = Q(healed_at=None) | Q(healed_at__gte=entry.at, opened_at__lte=entry.at)
    return list(place.filter(was_open, opened_at__isnull=False).order_by("opened_at")[:NEIGHBOURS])
