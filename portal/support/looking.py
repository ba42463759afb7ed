"""The two kinds of staff pages, one to look and one to change, and lists by newest first that never count."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from portal.support.showing import NOTHING

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
    RowForm = forms.ModelForm[Any]
else:  # subscripted for the type checker only
    Admin = admin.ModelAdmin
    RowForm = forms.ModelForm

BEFORE = "before"  # the parameter with the place where the last page ended


class NewestFirst(ChangeList):
    """A list in one fixed order, paged by where the last page ended: no counting, no offsets, however long the table."""

    newest_first = True

    def get_filters_params(self, params: Any = None) -> Any:
        found = super().get_filters_params(params)
        found.pop(BEFORE, None)
        return found

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        # Another filter begins at the newest row again.
        keep = BEFORE in (new_params or {})
        return super().get_query_string(new_params, remove if keep else [*(remove or []), BEFORE])

    @property
    def moment_field(self) -> str:
        return str(getattr(self.model_admin, "moment_field", "at"))

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [f"-{self.moment_field}", "-pk"]

    def get_results(self, request: HttpRequest) -> None:
        field = self.moment_field
        rows = self.queryset
        start = _position(request.GET.get(BEFORE, ""))
        if start is not None:
            at, key = start
            # The bound on the time alone is what the index understands.
            rows = rows.filter(Q(**{f"{field}__lte": at}) & (Q(**{f"{field}__lt": at}) | Q(pk__lt=key)))
        page = list(rows[: self.list_per_page + 1])
        self.result_list = page[: self.list_per_page]
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(self.result_list, self.list_per_page)
        self.newest_link = self.get_query_string() if start is not None else ""
        self.older_link = ""
        if len(page) > self.list_per_page:
            last = self.result_list[-1]
            position = f"{getattr(last, field).isoformat()}~{last.pk}"
            self.older_link = self.get_query_string({BEFORE: position})


def _position(text: str) -> tuple[datetime, UUID] | None:
    at, _tilde, key = text.partition("~")
    try:
        found = datetime.fromisoformat(at)
        return (found, UUID(key)) if found.tzinfo is not None else None
    except ValueError:
        return None


class StaffPage(Admin):
    """What every staff page keeps to."""

    def get_paginator(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        if queryset.model is LogEntry:
            # Django's history of a row joins the people who made it; the staff's role has no right on passwords.
            queryset = queryset.defer("user__password")
        return super().get_paginator(request, queryset, *args, **kwargs)


class Editable(StaffPage):
    """A page with a form: one button, that saves."""

    sortable_by = ()
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    empty_value_display = NOTHING
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)


class LookOnly(StaffPage):
    """A page that staff read. Nothing is added, changed or deleted here, by nobody."""

    list_per_page = 50
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    empty_value_display = NOTHING
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class LookOnlyNewestFirst(LookOnly):
    """The same for long tables. `moment_field` is the indexed time that orders them; primary keys are UUIDs."""

    moment_field = "at"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst
