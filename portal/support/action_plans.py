"""What staff set going, as pages: what was planned by whom and why, how far it is, what came of each row."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from portal.members.models import User
from portal.support.action_views import SUBJECTS
from portal.support.filters import Choices
from portal.support.formatting import NOTHING, text, when, with_more
from portal.support.models import ActionItem, ActionPlan, ItemState, PlannedAction
from portal.support.planned_actions import MAY
from portal.support.read_only_admin import LookOnly

ITEMS_SHOWN = 100
FROM_PLACE = "place"


class PlannedActionFilter(Choices):
    title = _("what is done")
    parameter_name = column = "action"
    options = tuple(PlannedAction.choices)


@admin.register(ActionPlan)
class ActionPlanAdmin(LookOnly):
    """A plan with its progress; the presses that start and stop it stand below."""

    paged_by = "-created_at"
    list_display = ("planned", "what", "who", "why", "started", "over")
    list_filter = (PlannedActionFilter,)
    search_fields = ("id",)
    search_help_text = _("The id of an action.")
    fields = ("id", "what", "who", "why", "planned", "started", "stopped", "over")
    readonly_fields = fields
    page_parameters = (FROM_PLACE,)
    change_form_template = "admin/action_plan.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        plan = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if plan is not None:
            items, following = _page(plan, request.GET.get(FROM_PLACE, ""))
            counts = dict(plan.items.order_by().values_list("state").annotate(Count("id")))
            subjects = SUBJECTS[plan.action]._meta
            context |= {
                "items": items,
                "next_place": following,
                "counts": [(label, counts[state]) for state, label in ItemState.choices if state in counts],
                "total": sum(counts.values()),
                "done": sum(count for state, count in counts.items() if state != ItemState.WAITING),
                "subject_page": f"admin:{subjects.app_label}_{subjects.model_name}_change",
                "may_act": plan.is_open and cast(User, request.user).can(MAY[plan.action]),
            }
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("what is done"))
    def what(self, plan: ActionPlan) -> SafeString:
        return with_more(plan.get_action_display(), text(plan.chosen_by) if plan.chosen_by else "")

    @admin.display(description=_("who"))
    def who(self, plan: ActionPlan) -> str:
        return text(plan.actor_name)

    @admin.display(description=_("reason"))
    def why(self, plan: ActionPlan) -> str:
        return text(plan.reason)

    @admin.display(description=_("planned"))
    def planned(self, plan: ActionPlan) -> SafeString | str:
        return when(plan.created_at)

    @admin.display(description=_("started at"))
    def started(self, plan: ActionPlan) -> SafeString | str:
        return when(plan.started_at)

    @admin.display(description=_("stopped"))
    def stopped(self, plan: ActionPlan) -> SafeString | str:
        return with_more(when(plan.stopped_at), text(plan.stopped_by)) if plan.stopped_at else NOTHING

    @admin.display(description=_("over since"))
    def over(self, plan: ActionPlan) -> SafeString | str:
        return when(plan.ended_at or plan.stopped_at)


def _page(plan: ActionPlan, place: str) -> tuple[list[ActionItem], int | None]:
    """Some items from a place on, and the place of the next page."""
    start = int(place) if place.isascii() and place.isdigit() and len(place) < 9 else 0
    rows: QuerySet[ActionItem] = plan.items.filter(place__gte=start).select_related("tenant").order_by("place")
    items = list(rows[: ITEMS_SHOWN + 1])
    return items[:ITEMS_SHOWN], items[ITEMS_SHOWN].place if len(items) > ITEMS_SHOWN else None
