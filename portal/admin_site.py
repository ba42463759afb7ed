"""The staff's AdminSite: entered through the portal's own sign-in, with the second factor used, in the staff scope."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connections.tenancy import audit
from connections.tenancy.scope import staff_scope
from connections.transport.log.redaction import redact
from portal.members.access import is_admitted_staff, to_sign_in
from portal.members.models import User
from portal.members.pending_request import page_of_the_form
from portal.members.permissions import StaffAction
from portal.members.sessions import VISIT_IN_SESSION
from portal.members.stepup import READING, ask_again, has_second_factor, recently_proved
from portal.members.views.enrolling import whom_to_ask
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]

# How the index groups what is registered, whichever package a model is in.
SECTIONS = (
    ("customers", gettext_lazy("Customers"), ("Tenant", "User", "AuditEvent")),
    (
        "connections",
        gettext_lazy("Connections"),
        ("Incident", "Outage", "Connection", "SyncRun", "Call", "RequestLogEntry", "Handoff", "Departure"),
    ),
    (
        "portal",
        gettext_lazy("Portal"),
        ("ClientRegistration", "Job", "OutgoingMail", "ActionPlan", "SystemAuditEvent", "LogEntry"),
    ),
)

LONGEST_TERM = 500  # of what was searched for, as the audit trail keeps it
# In an address of ours: an invitation, a link to a password, a second factor. Whoever has it could use it.
SECRET_IN_ADDRESS = re.compile(r"(?<=/)(?![0-9a-fA-F-]{36}(?:[/?#\s]|$))[\w:.-]{32,}(?=[/?#\s\"'<>]|$)")


class PortalAdminSite(AdminSite):
    """Every admin page runs, and is rendered, in the staff's database role; what is opened stands in the audit trail."""

    site_title = gettext_lazy("Pilotage staff")
    site_header = gettext_lazy("Pilotage staff")
    index_title = gettext_lazy("Staff pages")
    site_url = None
    enable_nav_sidebar = False  # the bar on top leaves the width to the tables

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._attached: list[tuple[str, View, str]] = []
        self._parameters: dict[View, Collection[str]] = {}
        self._describe_home: Callable[[], dict[str, Any]] = dict

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only our own packages decide what staff see: other packages would register sessions, addresses and seeds."""
        if admin_class is not None and admin_class.__module__.startswith("portal."):
            super().register(model_or_iterable, admin_class, **options)

    def attach(self, route: str, view: View, name: str, parameters: Collection[str] = ()) -> None:
        """Add a page that belongs to no model, with what its address may hold; called while the apps load."""
        self._attached.append((route, view, name))
        self._parameters[view] = parameters

    def describe_home(self, describe: Callable[[], dict[str, Any]]) -> None:
        """What else the first page shows; called while the apps load. `describe` is asked in the staff's scope."""
        self._describe_home = describe

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may = {"may_queue": cast(User, request.user).can(StaffAction.QUEUE_JOBS)}
        return super().index(request, {**(extra_context or {}), **may, **self._describe_home()})

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Django's would fetch a row of any table, with all its columns; none of ours has a page of its own elsewhere.
        attached = [*self._attached, ("r/<int:content_type_id>/<path:object_id>/", _nothing_there, "view_on_site")]
        own = [path(route, self.admin_view(view), name=name) for route, view, name in attached]
        return [*own, *super().get_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        return is_admitted_staff(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "query": "", "visit_now": visit_now(request)}

    def get_log_entries(self, request: HttpRequest) -> Any:
        # With the people who made them, and the staff's role has no right on passwords.
        return super().get_log_entries(request).defer("user__password")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            with staff_scope(savepoint=request.method not in READING):
                strange = self._strange_parameter(view, request)
                try:
                    if strange is None:
                        response: Any = view(request, *args, **kwargs)
                    else:
                        response = render_refusal(self, request, strange)
                except Http404:
                    response = render_missing(self, request)
                # A template response is rendered late; its queries belong inside the scope.
                if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                    response = response.render()
            return response

        guarded: View = super().admin_view(inside, cacheable)

        @limited(limits.STAFF_ACTION)
        def admitted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return guarded(request, *args, **kwargs)

        def entrance(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_permission(request):
                return turn_away(request)
            # The path holds ids only; what was searched for stands in the query and is left out.
            logger.info("staff %s: %s %s", request.user.pk, request.method, request.path)
            if request.method not in READING and not recently_proved(request):
                return ask_again(request, page_of_the_form(request, within=reverse("admin:index")))
            response = admitted(request, *args, **kwargs)
            if self._shows_rows(view):
                record_opened(request, view, response.status_code)
            return response

        entrance.limits = admitted.limits  # type: ignore[attr-defined]
        return entrance

    def _strange_parameter(self, view: Any, request: HttpRequest) -> str | None:
        """The first query parameter that the page does not take. A page that declares nothing takes nothing."""
        pages: Any = getattr(view, "__self__", None)
        if not hasattr(pages, "query_parameters"):
            declared = self._parameters.get(view, ())
            return next((name for name in request.GET if name not in declared), None)
        strange: str | None = pages.strange_parameter(view.__name__, request)
        return strange

    def _shows_rows(self, view: Any) -> bool:
        return view in self._parameters or hasattr(getattr(view, "__self__", None), "query_parameters")

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """No field of ours asks for it, and it would search whatever model an address names."""
        raise PermissionDenied

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one way in, and it is not here."""
        if self.has_permission(request):
            return redirect("admin:index")
        return turn_away(request, reverse("admin:index"))

    def app_index(self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's own page of one app: how code is laid out is nothing that staff look for."""
        return redirect("admin:index")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("admin:index")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        if app_label is not None:
            return super().get_app_list(request, app_label)
        models_by_name = {
            model["object_name"]: model for app in self._build_app_dict(request).values() for model in app["models"]
        }
        sections = [
            {
                "name": name,
                "app_label": label,
                "app_url": reverse("admin:index"),
                "has_module_perms": True,
                "models": [models_by_name[model] for model in models if model in models_by_name],
            }
            for label, name, models in SECTIONS
        ]
        return [section for section in sections if section["models"]]


def visit_now(request: HttpRequest) -> dict[str, Any] | None:
    """What the banner says of the visit that this browser is on; whether it still is, the visit's own pages ask."""
    current = request.session.get(VISIT_IN_SESSION)
    if not current or current["until"] < time.time():
        return None
    return {"tenant": current["tenant"], "until": datetime.fromtimestamp(current["until"], UTC)}


def record_opened(request: HttpRequest, view: Any, status: int) -> None:
    """What a staff person has just looked at: a row, a list, what they searched it for."""
    match = request.resolver_match
    opts = getattr(getattr(view, "__self__", None), "opts", None)
    key = unquote(str(next(iter(match.kwargs.values()), ""))) if match else ""
    # Sent on: a search to the one thing that it found; anything else has shown nothing.
    if status != 200 and not (status == 302 and opts is None):
        return
    query = {name: _without_secrets(str(value))[:LONGEST_TERM] for name, value in request.GET.items() if value}
    event: dict[str, Any] = {
        "actor": cast(User, request.user).actor,
        "action": "staff.opened" if key else "staff.searched" if query else "staff.listed",
        "subject": f"{opts.label_lower if opts else ''} {key}".strip(),
        "page": match.url_name if match else "",
        **({"asked": query} if query else {}),
    }
    if "HX-Request" in request.headers:
        # A list that is followed asks every few seconds: the first time counts, and each doubling within the hour.
        address_hash = sha256(request.get_full_path().encode()).hexdigest()[:32]
        audit.record_repeated(group=f"{request.user.pk} {address_hash}", **event)
    else:
        audit.record_system(**event)


def _without_secrets(text: str) -> str:
    return SECRET_IN_ADDRESS.sub("…", redact(text))


def render_missing(site: PortalAdminSite, request: HttpRequest) -> HttpResponse:
    """The same for everything that is not there, whatever it was."""
    context = {**site.each_context(request), "title": _("There is nothing here")}
    return render(request, "admin/missing.html", context, status=404)


def render_refusal(site: PortalAdminSite, request: HttpRequest, name: str) -> HttpResponse:
    context = {**site.each_context(request), "title": _("Not understood"), "name": name, "page": request.path}
    return render(request, "admin/parameter_refused.html", context, status=400)


def _nothing_there(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    raise Http404


def turn_away(request: HttpRequest, next_address: str = "") -> HttpResponse:
    """To the sign-in; to the second factor; and for everybody else there is nothing here. Raises Http404."""
    next_address = next_address or request.get_full_path()
    user = request.user
    is_form, index = request.method not in READING, reverse("admin:index")
    if not user.is_authenticated and is_form:
        return to_sign_in(request, within=index)
    if not user.is_authenticated:
        return redirect_to_login(next_address, resolve_url("account_login"))
    if not (user.is_active and user.is_staff):
        raise Http404
    if has_second_factor(user):
        if is_form:
            return ask_again(request, page_of_the_form(request, within=index))
        return redirect_to_login(next_address, resolve_url("mfa_reauthenticate"))
    return whom_to_ask(request, user)
