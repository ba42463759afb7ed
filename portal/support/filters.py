"""What staff narrow lists by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.provider import Environment
from connections.spec.text import Text
from connections.tenancy.models import Tenant
from portal.support.looking import BEFORE


class Choices(admin.SimpleListFilter):
    """Equality on one column, with one of the values that are offered; any other narrows nothing."""

    options: tuple[tuple[Any, Any], ...] = ()
    column = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(value), label) for value, label in self.options]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        offered = {str(value): value for value, _label in self.options}
        value = self.value() or ""
        return queryset.filter(**{self.column: offered[value]}) if value in offered else queryset


class EnvironmentFilter(Choices):
    title = _("environment")
    parameter_name = column = "environment"
    options = tuple((side.value, side.label) for side in Environment)


class TimeFilter(admin.SimpleListFilter):
    """How far back."""

    title = _("time")
    parameter_name = "since"
    column = "at"
    spans = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("1h", _("Last hour")),
            ("24h", _("Last 24 hours")),
            ("7d", _("Last 7 days")),
            ("30d", _("Last 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        span = self.spans.get(self.value() or "")
        return queryset.filter(**{f"{self.column}__gte": timezone.now() - span}) if span else queryset


class TypedFilter(admin.SimpleListFilter):
    """A value that is typed, because there are too many to choose from."""

    template = "admin/filter_typed.html"
    label: Text = ""
    placeholder: Text = ""
    kind = "search"  # of the input

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What is suggested."""
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = {name: value for name, value in changelist.params.items() if name not in (self.parameter_name, BEFORE)}
        yield {
            "name": self.parameter_name,
            "label": self.label,
            "placeholder": self.placeholder,
            "kind": self.kind,
            "typed": self.value() or "",
            "kept": kept,
            "suggestions": self.lookup_choices,
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").strip()
        return self.narrowed(queryset, typed) if typed else queryset

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        raise NotImplementedError


class TenantFilter(TypedFilter):
    """A tenant by its address or name."""

    title = _("tenant")
    parameter_name = "tenant"
    label = _("Name or address of the tenant")
    placeholder = _("Name or address")
    suggested = 100

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Tenant.objects.order_by("name").values_list("slug", "name")[: self.suggested])

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        ids = list(
            Tenant.objects.filter(Q(slug=typed.lower()) | Q(name__iexact=typed)).values_list("id", flat=True)[:20]
        )
        return queryset.filter(tenant_id=ids[0]) if len(ids) == 1 else queryset.filter(tenant_id__in=ids)


class PersonFilter(TypedFilter):
    """Who acted, as audit trails name people."""

    title = _("person")
    parameter_name = "person"
    label = placeholder = _("E-mail address")

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(actor_name__in={typed, typed.lower()})


class ActionFilter(TypedFilter):
    """What was done: an action, or the kind of action that its first word names."""

    title = _("action")
    parameter_name = "action"
    label = _("An action, or its first word")
    placeholder = "session"

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(Q(action=typed) | Q(action__startswith=f"{typed}."))


class DayFilter(TypedFilter):
    """One day in the reader's time zone."""

    title = _("day")
    parameter_name = "day"
    label = placeholder = _("Day")
    kind = "date"
    column = "happened_at"

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        try:
            start = timezone.make_aware(datetime.combine(date.fromisoformat(typed), time.min))
            end = start + timedelta(days=1)
        except (ValueError, OverflowError):
            return queryset
        return queryset.filter(**{f"{self.column}__gte": start, f"{self.column}__lt": end})


class ProviderFilter(Choices):
    """The providers there are: their column has no choices of its own."""

    title = _("provider")
    parameter_name = "provider"
    column = "provider"
    options = tuple((provider.slug, provider.name) for provider in registry.all_providers().values())
