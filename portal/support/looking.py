"""Staff pages: what each of them takes from its address, one kind to look, one to change, long lists newest first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
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
LIST = "_changelist_filters"  # Django's, on a page that was opened from a list: how to get back to it


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
        row = UUID(key)
    except ValueError:
        return None
    moment = moment_in(at)
    return (moment, row) if moment is not None else None


def moment_in(text: str) -> datetime | None:
    """The time that an address names, None for nonsense and for what is too early or late for the database."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(timezone.utc) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


class StaffAdmin(Admin):
    """What every model's staff pages inherit: a page takes the values that it declares, and none that Django would add.

    Without this, any column of a model and of its relations could be asked about in an address (`?password__regex=`).
    """

    page_parameters: tuple[str, ...] = ()  # of the page of one row
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    empty_value_display = NOTHING
    show_full_result_count = False

    def query_parameters(self, view: str) -> Collection[str]:
        """What the address of one of these pages may hold, by the name of its view. The site refuses all others."""
        if view == "changelist_view":
            return self._list_parameters()
        if view in ("change_view", "add_view"):
            return {LIST, *(self.page_parameters if view == "change_view" else ())}
        return {PAGE_VAR} if view == "history_view" else ()

    def strange_parameter(self, view: str, request: HttpRequest) -> str | None:
        """The first that the page does not take: in its address, or of those by which Django's forms name columns and rows."""
        declared = self.query_parameters(view)
        back_to = [name for name, _ in parse_qsl(request.GET.get(LIST, ""), keep_blank_values=True)]
        if set(back_to) - set(self._list_parameters()):
            return LIST
        if not all(map(self._is_key, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return ACTION_CHECKBOX_NAME
        posted = (name for name in (IS_POPUP_VAR, TO_FIELD_VAR) if name in request.POST)
        return next((name for name in request.GET if name not in declared), next(posted, None))

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.to_python(text)
        except ValidationError:
            return False
        return True

    def _list_parameters(self) -> Collection[str]:
        filters = {each.parameter_name for each in self.list_filter}  # type: ignore[union-attr]
        paging = BEFORE if isinstance(self, LookOnlyNewestFirst) else PAGE_VAR
        return {*filters, paging, ERROR_FLAG, *((SEARCH_VAR,) if self.search_fields else ())}

    def get_paginator(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        if queryset.model is LogEntry:
            # Django's history of a row joins the people who made it; the staff's role has no right on passwords.
            queryset = queryset.defer("user__password")
        return super().get_paginator(request, queryset, *args, **kwargs)

    # Django's own two questions, in case a value gets past the site.

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self._list_parameters()

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Editable(StaffAdmin):
    """A page with a form: one button, that saves."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        # A form that was sent on after a password was asked for is shown again, if at all, at another address.
        kwargs["form_url"] = kwargs.get("form_url") or request.get_full_path()
        return super().render_change_form(request, context, *args, **kwargs)


class LookOnly(StaffAdmin):
    """A page that staff read. Nothing is added, changed or deleted here, by nobody."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class LookOnlyNewestFirst(LookOnly):
    """The same for long tables. `moment_field` is the indexed time that orders them; primary keys are UUIDs."""

    moment_field = "at"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst
