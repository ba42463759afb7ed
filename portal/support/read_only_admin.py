"""Staff pages: what each takes from its address, one kind to look, one to change; every list in pages without counting."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import DateTimeField, Model, Q, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone

from portal.support.formatting import NOTHING
from portal.support.list_search import RowSearch, search_rows
from portal.support.time_parameters import parse_time, with_absolute_times

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
    RowForm = forms.ModelForm[Any]
else:  # subscripted for the type checker only
    Admin = admin.ModelAdmin
    RowForm = forms.ModelForm

BEFORE = "before"  # the parameter with the place where the last page ended
AFTER = "after"  # that with the place where the page begins that this one comes before
FOLLOWS = "follow"  # the page asks for what is new by itself
POSITIONS = (BEFORE, AFTER, FOLLOWS)  # what another filter begins without
LIST = "_changelist_filters"  # Django's, on a page that was opened from a list: how to get back to it


class PagedByPosition(ChangeList):
    """A list in one fixed order, paged by where the last page ended: no counting, no offsets, however long the table."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django would add it to each row's address, and resolve each of these for it.
        self.way_back, self.preserved_filters = self.preserved_filters, ""

    def url_for_result(self, result: Any) -> str:
        address = super().url_for_result(result)
        return f"{address}?{self.way_back}" if self.way_back else address

    def get_filters_params(self, params: Any = None) -> Any:
        remaining = super().get_filters_params(params)
        for name in POSITIONS:
            remaining.pop(name, None)
        return remaining

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        # Another filter begins at the first row again.
        left_out = [name for name in POSITIONS if name not in (new_params or {})]
        return super().get_query_string(new_params, [*(remove or []), *left_out])

    @property
    def order(self) -> tuple[str, bool]:
        """The column that orders the list, and whether it falls."""
        order = str(getattr(self.model_admin, "paged_by"))  # noqa: B009  (of every page here; Django's types know it not)
        return order.removeprefix("-"), order.startswith("-")

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        column, falls = self.order
        return [f"-{column}", "-pk"] if falls else [column, "pk"]

    def get_results(self, request: HttpRequest) -> None:
        falls = self.order[1]
        start = self._position(request.GET.get(BEFORE, ""))
        page = self._page_after(self._position(request.GET.get(AFTER, "")))
        has_earlier, has_later = bool(page), bool(page)
        if page:
            has_earlier = len(page) > self.list_per_page
            page = page[-self.list_per_page :]
        else:
            # What comes before the first page is the first page.
            rows = list(self._beyond(start, is_onward=True)[: self.list_per_page + 1])
            has_earlier, has_later = start is not None, len(rows) > self.list_per_page
            page = rows[: self.list_per_page]
        self.result_list = page
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(self.result_list, self.list_per_page)
        self.is_newest_first = falls
        self.first_link = self.get_query_string() if has_earlier else ""
        self.previous_link = self._link(AFTER, page[0]) if page and has_earlier else ""
        self.next_link = self._link(BEFORE, page[-1]) if page and has_later else ""

    def _link(self, name: str, row: Any) -> str:
        value = getattr(row, self.order[0])
        position = value.isoformat() if isinstance(value, datetime) else value
        return self.get_query_string({name: f"{position}~{row.pk}"})

    def _page_after(self, start: tuple[Any, Any] | None) -> list[Any]:
        """The page that ends where another begins, and one row more if there is one; nothing where it is not full."""
        if start is None:
            return []
        backward = self._beyond(start, is_onward=False)
        rows = list(backward[: self.list_per_page + 1])
        return rows[::-1] if len(rows) >= self.list_per_page else []

    def _beyond(self, start: tuple[Any, Any] | None, *, is_onward: bool) -> QuerySet[Any]:
        """The rows after a position, in the list's order; those before it, in the other one."""
        column, falls = self.order
        rows = self.queryset if is_onward else self.queryset.reverse()
        if start is None:
            return rows
        value, key = start
        way = "lt" if falls is is_onward else "gt"
        # The bound on the column alone is what the index understands.
        return rows.filter(
            Q(**{f"{column}__{way}e": value}) & (Q(**{f"{column}__{way}": value}) | Q(**{f"pk__{way}": key}))
        )

    def _position(self, text: str) -> tuple[Any, Any] | None:
        """Where a page begins; None for nonsense, which is the first page."""
        position, _tilde, key = text.rpartition("~")
        name = self.order[0]
        column: Any = self.lookup_opts.pk if name == "pk" else self.lookup_opts.get_field(name)
        try:
            value = parse_time(position) if isinstance(column, DateTimeField) else column.to_python(position)
            return (value, self.lookup_opts.pk.to_python(key)) if value not in (None, "") else None
        except ValidationError:
            return None


class StaffAdmin(Admin):
    """What every model's staff pages inherit: a page takes the values that it declares, and none that Django would add.

    Without this, any column of a model and of its relations could be asked about in an address (`?password__regex=`).
    """

    page_parameters: tuple[str, ...] = ()  # of the page of one row
    list_parameters: tuple[str, ...] = ()  # of the list, beside its filters and places
    paged_by = "pk"  # the indexed column that orders the list, with a minus where it falls
    row_search: RowSearch | None = None  # how a log reads what is typed into the box of its list
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    empty_value_display = NOTHING
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PagedByPosition

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        result = search_rows(queryset, search_term, self.row_search)
        if result.left_out:
            messages.warning(request, result.left_out)
        return result.rows, False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A time that is counted back from now means something else tomorrow: what stays in the address is a moment."""
        moments = with_absolute_times(request.GET, timezone.now())
        if moments is not None and request.method in ("GET", "HEAD"):
            return redirect(f"{request.path}?{moments.urlencode()}")
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        """Without the pages of Django's that nobody here needs: what admins changed stands in a list of its own."""
        left_out = tuple(f"{self.opts.app_label}_{self.opts.model_name}_{page}" for page in ("history", "delete"))
        return [each for each in super().get_urls() if each.name not in left_out]

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:
        """What is not there answers alike, whatever it would have been."""
        raise Http404

    def query_parameters(self, view: str) -> Collection[str]:
        """What the address of one of these pages may hold, by the name of its view. The site refuses all others."""
        if view == "changelist_view":
            return self._list_parameters()
        if view in ("change_view", "add_view"):
            return {LIST, *(self.page_parameters if view == "change_view" else ())}
        return ()

    def strange_parameter(self, view: str, request: HttpRequest) -> str | None:
        """The first that the page does not take: in its address, or of those by which Django's forms name columns and rows."""
        declared = self.query_parameters(view)
        back_to = [name for name, _ in parse_qsl(request.GET.get(LIST, ""), keep_blank_values=True)]
        if set(back_to) - set(self._list_parameters()):
            return LIST
        if not all(map(self._is_key, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return ACTION_CHECKBOX_NAME
        get_button_press = (name for name in (IS_POPUP_VAR, TO_FIELD_VAR) if name in request.POST)
        return next((name for name in request.GET if name not in declared), next(get_button_press, None))

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.to_python(text)
        except ValidationError:
            return False
        return True

    def _list_parameters(self) -> Collection[str]:
        filters: set[str] = set()
        for each in self.list_filter:
            filters |= {each.parameter_name, *getattr(each, "more_parameters", ())}  # type: ignore[union-attr]
        return {*filters, BEFORE, AFTER, *self.list_parameters, *((SEARCH_VAR,) if self.search_fields else ())}

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

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Fetched once for each request: for what a page says beside the row, and for Django's own part of it."""
        rows: dict[Any, Any] = request.__dict__.setdefault("staff_rows", {})
        key = (self.model, object_id, from_field)
        if key not in rows:
            rows[key] = super().get_object(request, object_id, from_field)
        return rows[key]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
