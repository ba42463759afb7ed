"""What staff narrow the request log by: each an equality or a bound that an index of the log answers (migration 0007)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.provider import Provider
from connections.sync.models import SyncRun
from connections.transport.models import Outcome
from connections.vault.models import Connection
from portal.support.filters import Choices, EnvironmentFilter, ProviderFilter, TenantFilter, TimeFilter, TypedFilter
from portal.support.formatting import place, text
from portal.support.list_search import ids_in, rows_matching
from portal.support.search_queries import pk_in_ranges
from portal.support.search_text import parse_search_text
from portal.support.time_parameters import SINCE, UNTIL

DEFAULT_SPAN = timedelta(days=1)  # of the list, where its address names no time
CLOCKS_DIFFER_BY = timedelta(minutes=5)  # no entry is further in the future: partitions of later months are left out
STATUSES = ("2xx", "3xx", "4xx", "5xx", "none", "400", "401", "403", "404", "409", "429", "500", "502", "503")
NO_STATUS = "none"


class RequestTimeFilter(TimeFilter):
    """The last day, unless the address says otherwise, or names rows of which an index knows all."""

    names_rows = False

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        self.names_rows = any(request.GET.get(name, "").strip() for name in (SEARCH_VAR, RunFilter.parameter_name))
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("15m", _("Last 15 minutes")),
            ("1h", _("Last hour")),
            ("6h", _("Last 6 hours")),
            ("7d", _("Last 7 days")),
            ("30d", _("Last 30 days")),
            ("365d", _("Last 365 days")),
        ]

    def everything(self) -> str:
        return gettext("All") if self.names_rows else gettext("Last 24 hours")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        since, until = self.moment(SINCE), self.moment(UNTIL)
        if since is None and until is None and not self.names_rows:
            since = now - DEFAULT_SPAN
        if since is not None:
            queryset = queryset.filter(at__gte=since)
        return queryset.filter(at__lt=until or now + CLOCKS_DIFFER_BY)


class RequestConnectionFilter(TypedFilter):
    """One connection by its id, its company's number or client id, or all whose company has this in its name."""

    title = _("connection")
    parameter_name = "connection"
    label = placeholder = _("Id, company or client id")
    matches: list[tuple[UUID, UUID, str]] | None = None  # tenant, connection and its name; asked once

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        if self.matches is None:
            newest_first = Connection.objects.order_by("-created_at", "-id")
            rows = rows_matching(newest_first, Connection, parse_search_text(typed)).rows[: self.most + 1]
            self.matches = [
                (row.tenant_id, row.pk, f"{place(row.provider, row.environment)} {text(row.company_name)}")
                for row in rows
            ]
        self.offer(
            [(str(key), name) for _tenant, key, name in self.matches], "admin:vault_connection_changelist", typed
        )
        # The tenant leads every index.
        pairs = self.matches[: self.most]
        return queryset.filter(
            tenant_id__in={tenant for tenant, *_ in pairs}, connection_id__in=[key for _tenant, key, _name in pairs]
        )


class OperationFilter(TypedFilter):
    title = _("operation")
    parameter_name = "operation"
    label = placeholder = _("Its name")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, "") for name in sorted({each.name for p in _providers(request) for each in p.operations})]

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(operation=typed)


class OutcomeFilter(Choices):
    title = _("outcome")
    parameter_name = column = "outcome"
    options = tuple(Outcome.choices)


class StatusFilter(TypedFilter):
    """One status, a class of them such as 4xx, or none where nothing was answered."""

    title = _("status")
    parameter_name = "status"
    label = placeholder = _("404, 4xx or none")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each, "") for each in STATUSES]

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        if typed.lower() == NO_STATUS:
            return queryset.filter(status=None)
        if re.fullmatch(r"[1-5][xX]{2}", typed):
            first = int(typed[0]) * 100
            return queryset.filter(status__gte=first, status__lt=first + 100)
        return queryset.filter(status=int(typed)) if re.fullmatch(r"[1-5][0-9]{2}", typed) else queryset


class FaultFilter(TypedFilter):
    title = _("fault")
    parameter_name = "fault"
    label = placeholder = _("Its code")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, "") for code in sorted({fault.code for p in _providers(request) for fault in p.faults.all()})]

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        # What is said twice is what lets the database take its index, which leaves out those without a fault.
        return queryset.filter(Q(fault=typed) & ~Q(fault=""))


class CheckpointFilter(TypedFilter):
    title = _("checkpoint")
    parameter_name = "checkpoint"
    label = placeholder = _("Its name")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(slug, "") for slug in sorted({each.slug for p in _providers(request) for each in p.checklist})]

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(Q(checkpoint=typed) & ~Q(checkpoint=""))


class RunFilter(TypedFilter):
    title = _("run")
    parameter_name = "run"
    label = placeholder = _("Its id, or the beginning of it")

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        search_text = parse_search_text(typed)
        runs = ids_in(search_text)
        if not runs and search_text.beginnings:
            named = SyncRun.objects.filter(pk_in_ranges(search_text.beginnings)).order_by("pk")
            runs = list(named.values_list("pk", flat=True)[: self.most])
        return queryset.filter(run_id__in=runs)


class AboveFilter(TypedFilter):
    """Above a number; what is no number narrows nothing."""

    kind = "number"
    column = ""

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        is_number = re.fullmatch(r"[0-9]{1,9}", typed)
        return queryset.filter(**{f"{self.column}__gt": int(typed)}) if is_number else queryset


class DurationFilter(AboveFilter):
    title = _("duration above")
    parameter_name = "slower"
    column = "duration_ms"
    label = placeholder = _("Milliseconds")


class AttemptFilter(AboveFilter):
    title = _("attempt above")
    parameter_name = "attempts"
    column = "attempt"
    label = placeholder = _("1 for all that were tried again")


# The tallies know these as well, by the same columns; the others are counted in the log itself.
COUNTED = (TenantFilter, RequestConnectionFilter, ProviderFilter, EnvironmentFilter, OperationFilter, OutcomeFilter)
OF_A_TENANT = (TenantFilter, RequestConnectionFilter)  # of which the tallies of days know nothing
FILTERS = (
    RequestTimeFilter,
    TenantFilter,
    RequestConnectionFilter,
    ProviderFilter,
    EnvironmentFilter,
    OperationFilter,
    OutcomeFilter,
    StatusFilter,
    FaultFilter,
    CheckpointFilter,
    RunFilter,
    DurationFilter,
    AttemptFilter,
)


def _providers(request: HttpRequest) -> list[Provider]:
    """The chosen one, else all."""
    providers = registry.all_providers()
    chosen = providers.get(request.GET.get(ProviderFilter.parameter_name, ""))
    return [chosen] if chosen else list(providers.values())
