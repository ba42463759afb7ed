"""What staff narrow lists by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.provider import Environment
from connections.spec.text import Text
from connections.tenancy.models import Tenant
from portal.members.models import User
from portal.support.read_only_admin import POSITIONS
from portal.support.time_parameters import DAY, SINCE, UNTIL, local_input, parse_time


def other_parameters(changelist: Any, *own: str) -> dict[str, str]:
    """What a filter's form sends on: all other filters, and no place in the list."""
    return {name: value for name, value in changelist.params.items() if name not in (*own, *POSITIONS)}


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
    """From a moment on, until another. What is chosen counts back from now once; the address then holds the moment."""

    title = _("time")
    parameter_name = SINCE
    more_parameters = (UNTIL,)
    template = "admin/filter_time.html"
    column = "at"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        if UNTIL in params:
            self.used_parameters[UNTIL] = params.pop(UNTIL)[-1]

    def expected_parameters(self) -> list[str | None]:
        return [SINCE, UNTIL]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("1h", _("Last hour")),
            ("24h", _("Last 24 hours")),
            ("7d", _("Last 7 days")),
            ("30d", _("Last 30 days")),
        ]

    def choices(self, changelist: Any) -> Iterator[Any]:
        since, until = self.moment(SINCE), self.moment(UNTIL)
        yield {
            "selected": since is None and until is None,
            "query_string": changelist.get_query_string(remove=[SINCE, UNTIL]),
            "display": self.everything(),
        }
        if since is not None or until is not None:
            yield {"selected": True, "since": since, "until": until, "query_string": changelist.get_query_string()}
        for span, title in self.lookup_choices:
            address = changelist.get_query_string({SINCE: span}, [UNTIL])
            yield {"selected": False, "query_string": address, "display": title}
        yield {
            "inputs": ((SINCE, _("From"), local_input(since)), (UNTIL, _("Until"), local_input(until))),
            "other_parameters": other_parameters(changelist, SINCE, UNTIL),
        }

    def everything(self) -> str:
        """What the list shows without a time."""
        return gettext("All")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        bounds = {f"{self.column}__gte": self.moment(SINCE), f"{self.column}__lt": self.moment(UNTIL)}
        return queryset.filter(**{name: at for name, at in bounds.items() if at is not None})

    def moment(self, name: str) -> datetime | None:
        """What the address says of `since` or `until`."""
        return parse_time(str(self.used_parameters.get(name) or ""))


class TypedFilter(admin.SimpleListFilter):
    """A value that is typed, because there are too many to choose from."""

    template = "admin/filter_typed.html"
    label: Text = ""
    placeholder: Text = ""
    kind = "search"  # of the input
    narrower: Sequence[tuple[str, str]] = ()  # values with their labels, where what was typed means several
    most = 100  # of them that a list is asked for at once
    offered = 10  # to choose from, beside a list of all
    is_cut = False  # what was typed means more
    all_of_them = ""  # the address of the list of all, where there are more

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What is suggested."""
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "name": self.parameter_name,
            "label": self.label,
            "placeholder": self.placeholder,
            "kind": self.kind,
            "typed": self.value() or "",
            "other_parameters": other_parameters(changelist, str(self.parameter_name)),
            "suggestions": self.lookup_choices,
            "narrower": [
                (changelist.get_query_string({self.parameter_name: value}), label) for value, label in self.narrower
            ],
            "all_of_them": self.all_of_them,
            "is_cut": self.is_cut,
            "most": self.most,
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").strip()
        return self.filter_rows(queryset, typed) if typed else queryset

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        raise NotImplementedError

    def offer(self, matches: Sequence[tuple[str, str]], everything: str, typed: str) -> None:
        """Where several go by what was typed, each by itself, and the list of all where there are many."""
        self.narrower = matches[: self.offered] if len(matches) > 1 else ()
        if len(matches) > self.offered:
            self.all_of_them = f"{reverse(everything)}?{urlencode({'q': typed})}"
        self.is_cut = len(matches) > self.most


class TenantFilter(TypedFilter):
    """Tenants by their address, or by a part of their names; each of several is offered by itself."""

    title = _("tenant")
    parameter_name = "tenant"
    label = _("Address, or part of the name, of the tenant")
    placeholder = _("Part of the name")
    suggested = 100
    matches: list[tuple[Any, str, str]] | None = None  # what was typed names them; asked once

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Tenant.objects.order_by("name", "id").values_list("slug", "name")[: self.suggested])

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        if self.matches is None:
            self.matches = self._named(typed)
        matches = self.matches
        self.offer([(slug, name) for _key, slug, name in matches], "admin:tenancy_tenant_changelist", typed)
        ids = [key for key, _slug, _name in matches[: self.most]]
        return queryset.filter(tenant_id=ids[0]) if len(ids) == 1 else queryset.filter(tenant_id__in=ids)

    def _named(self, typed: str) -> list[tuple[Any, str, str]]:
        """A whole address or name is meant alone."""
        columns = ("id", "slug", "name")
        if exact := list(Tenant.objects.filter(slug=typed.lower()).values_list(*columns)):
            return exact
        tenants = Tenant.objects.filter(name__has_part=typed).order_by("name", "id")
        matches = list(tenants.values_list(*columns)[: self.most + 1])
        return [each for each in matches if each[2].casefold() == typed.casefold()] or matches


class PersonFilter(TypedFilter):
    """Who acted, as audit trails name people, or whoever has a part of that in their address or name today."""

    title = _("person")
    parameter_name = "person"
    label = placeholder = _("E-mail address, or part of it")

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        people = User.objects.filter(Q(email__has_part=typed) | Q(name__has_part=typed)).order_by("email")
        matches = list(people.values_list("pk", "email")[: self.most + 1])
        whole = [each for each in matches if each[1] == typed.lower()]
        self.offer([(email, email) for _key, email in whole or matches], "admin:members_user_changelist", typed)
        keys = [key for key, _email in (whole or matches)[: self.most]]
        return queryset.filter(Q(actor_id__in=keys) | Q(actor_name__in={typed, typed.lower()}))


class ActionFilter(TypedFilter):
    """What was done: an action, or the kind of action that its first word names."""

    title = _("action")
    parameter_name = "action"
    label = _("An action, or its first word")
    placeholder = "session"

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(Q(action=typed) | Q(action__startswith=f"{typed}."))


class DayFilter(TypedFilter):
    """One day in the reader's time zone. The list goes on with the moments that begin and end it (moments.py)."""

    title = _("day")
    parameter_name = DAY
    label = placeholder = _("Day")
    kind = "date"

    def filter_rows(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset


class ProviderFilter(Choices):
    """The providers there are: their column has no choices of its own."""

    title = _("provider")
    parameter_name = "provider"
    column = "provider"
    options = tuple((provider.slug, provider.name) for provider in registry.all_providers().values())
