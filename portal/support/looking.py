"""What every staff page shares: looking without changing, lists by newest first without counting, badges, times, links."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import lucide
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy

from connections.providers import registry
from connections.spec.provider import Environment
from connections.sync import faults
from connections.tenancy.models import Tenant
from connections.transport.models import RequestLogEntry
from portal.members.templatetags.reading import moment, visible

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin  # subscripted for the type checker only

NOTHING = "–"
BEFORE = "before"

# Look and icon of every state that a list shows. The word is the state's own label.
LOOKS = {
    "active": ("good", "circle-check"),
    "connected": ("good", "circle-check"),
    "succeeded": ("good", "circle-check"),
    "answered": ("good", "circle-check"),
    "sent": ("good", "circle-check"),
    "done": ("good", "circle-check"),
    "founded": ("busy", "loader-circle"),
    "setup": ("busy", "list-checks"),
    "queued": ("busy", "clock"),
    "running": ("busy", "loader-circle"),
    "reading": ("busy", "loader-circle"),
    "pending": ("quiet", "circle-dashed"),
    "waiting": ("warn", "hourglass"),
    "paused": ("warn", "circle-pause"),
    "incomplete": ("warn", "circle-alert"),
    "suspended": ("bad", "ban"),
    "broken": ("bad", "circle-alert"),
    "failed": ("bad", "circle-x"),
    "parked": ("bad", "circle-x"),
    "refused": ("bad", "circle-x"),
    "troubled": ("bad", "cloud-alert"),
    "unreachable": ("bad", "cloud-off"),
    "unreadable": ("bad", "file-question-mark"),
    "blocked": ("bad", "shield-x"),
    "cancelled": ("quiet", "circle-minus"),
    "disconnected": ("quiet", "unplug"),
    "info": ("quiet", "info"),
    "warning": ("warn", "triangle-alert"),
    "error": ("bad", "circle-x"),
    # The marks of a checklist, with the icons of the customer's page.
    "mark-open": ("quiet", "circle-dashed"),
    "mark-attested": ("warn", "user-round-check"),
    "mark-inferred": ("inferred", "link-2"),
    "mark-verified": ("good", "badge-check"),
    "mark-failing": ("bad", "circle-alert"),
    "mark-waived": ("quiet", "circle-minus"),
}


def icon(name: str, size: int = 15) -> SafeString:
    return mark_safe(lucide._render_icon(name, size, aria_hidden="true"))  # noqa: S308  # nosec B308 B703  (our own icons, our own names)


def badge(state: str, word: object) -> SafeString:
    """Colour, icon and word."""
    look, name = LOOKS.get(state, ("quiet", "circle"))
    return format_html('<span class="badge badge-{}">{}{}</span>', look, icon(name), word)


def outcome(entry: RequestLogEntry) -> SafeString:
    """How an attempt ended: its status, if there was one, and the word for it."""
    word = entry.get_outcome_display()
    return badge(entry.outcome, f"{entry.status} {word}" if entry.status else word)


def link(instance_or_model: Any, key: object, text: object) -> SafeString:
    """A link to the staff page of one row."""
    meta = instance_or_model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[key])
    return format_html('<a href="{}">{}</a>', address, visible(text))


def provider_name(slug: str) -> str:
    found = registry.find(slug)
    return found.name if found else slug


def place(provider: str, environment: str) -> str:
    """`Procountor, test server`."""
    try:
        side = str(Environment(environment).label)
    except ValueError:
        side = environment
    return f"{provider_name(provider)}, {side}"


def fault_words(provider: str, code: str) -> str:
    """What a fault means, as staff read it."""
    found = faults.find(provider=provider, code=code) if code else None
    return found.staff if found else code


def short(value: UUID | None) -> str:
    return str(value)[:8] if value else NOTHING


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


class Editable(Admin):
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


class LookOnly(Admin):
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


class TenantFilter(admin.SimpleListFilter):
    """A tenant by its address or name, typed: there may be thousands."""

    title = gettext_lazy("tenant")
    parameter_name = "tenant"
    template = "admin/filter_tenant.html"
    suggested = 100

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Tenant.objects.order_by("name").values_list("slug", "name")[: self.suggested])

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = {name: value for name, value in changelist.params.items() if name not in (self.parameter_name, BEFORE)}
        yield {
            "typed": self.value() or "",
            "kept": kept,
            "suggestions": self.lookup_choices,
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").strip()
        if not typed:
            return queryset
        ids = list(
            Tenant.objects.filter(Q(slug=typed.lower()) | Q(name__iexact=typed)).values_list("id", flat=True)[:20]
        )
        return queryset.filter(tenant_id=ids[0]) if len(ids) == 1 else queryset.filter(tenant_id__in=ids)


class ProviderFilter(admin.SimpleListFilter):
    """The providers there are: their column has no choices of its own."""

    title = gettext_lazy("provider")
    parameter_name = "provider"
    column = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(provider.slug, provider.name) for provider in registry.all_providers().values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


def when(at: datetime | None) -> SafeString | str:
    """A time in the reader's zone, UTC on hover: to the second this year, with its year before."""
    if at is None:
        return NOTHING
    return moment(at, "clock" if at.year == timezone.now().year else "")


def text(value: object) -> str:
    """What came from elsewhere, made harmless; a dash for nothing."""
    return visible(value) if value not in ("", None) else NOTHING
