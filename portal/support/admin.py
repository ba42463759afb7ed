"""Registers the staff pages, once Django asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol, cast

from django.contrib import admin
from django.http import HttpResponse

from portal.support import (  # noqa: F401  (importing registers)
    action_plans,
    audit_log,
    calls,
    connections,
    departures,
    funnel,
    incidents,
    jobs_admin,
    people,
    registrations,
    request_log,
    runs,
    tenants,
)
from portal.support.action_views import act, plan_set, start_plan, stop_plan, write_note
from portal.support.connection_timeline import KIND, connection_timeline
from portal.support.fault_pages import list_faults, show_fault
from portal.support.funnel import show_funnels, show_stuck
from portal.support.proofs import registry_of_proofs
from portal.support.request_export import export_requests
from portal.support.request_log_list import forget_view, save_view
from portal.support.time_parameters import DAY, SINCE, UNTIL
from portal.support.views import search
from portal.support.visit_pages import (
    AFTER,
    EXTERNAL_ID,
    end_visit,
    list_visits,
    start_visit,
    visit,
    visit_record,
    visit_records,
)
from portal.support.what_breaks_next import what_breaks_next
from portal.support.whats_wrong import whats_wrong


class TakesPages(Protocol):
    """What the portal's AdminSite offers beyond Django's."""

    def attach(
        self, route: str, view: Callable[..., HttpResponse], name: str, parameters: Collection[str] = ()
    ) -> None: ...

    def describe_home(self, describe: Callable[[], dict[str, Any]]) -> None: ...


# The default site is the portal's own (portal/operations/admin_config.py); it takes pages that belong to no model.
site = cast(TakesPages, admin.site)
site.attach("search/", search, "search", ("q",))
site.attach("proofs/", registry_of_proofs, "proofs")
site.attach("views/save/", save_view, "save_view")
site.attach("views/<int:view_id>/forget/", forget_view, "forget_view")
site.attach("connections/<uuid:key>/timeline/", connection_timeline, "connection_timeline", (SINCE, UNTIL, DAY, KIND))
site.attach("connections/<uuid:key>/note/", write_note, "write_note")
site.attach("act/<str:action>/<uuid:key>/", act, "act")
site.attach("plans/<str:action>/", plan_set, "plan_set")
site.attach("plans/<uuid:key>/start/", start_plan, "start_plan")
site.attach("plans/<uuid:key>/stop/", stop_plan, "stop_plan")
site.attach("visits/", list_visits, "visits")
site.attach("visits/<uuid:tenant_id>/start/", start_visit, "start_visit")
site.attach("visits/end/", end_visit, "end_visit")
site.attach("visit/", visit, "visit", (AFTER,))
site.attach("visit/<uuid:key>/<str:stream>/", visit_records, "visit_records", (AFTER,))
site.attach("visit/<uuid:key>/<str:stream>/record/", visit_record, "visit_record", (EXTERNAL_ID,))
site.attach("request-log/export/", export_requests, "export_requests")
site.attach("stuck/", show_funnels, "funnels")
site.attach("stuck/<str:provider>/<str:way>/<str:checkpoint>/", show_stuck, "stuck", (funnel.AFTER,))
site.attach("faults/", list_faults, "faults")
site.attach("faults/<str:code>/", show_fault, "fault")
site.describe_home(lambda: {"wrong": whats_wrong()})
site.attach("what-breaks-next/", what_breaks_next, "what_breaks_next", ("after",))
