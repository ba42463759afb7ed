"""The staff's AdminSite: entered through the portal's own sign-in, with the second factor used, in the staff scope."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy

from connections.tenancy.scope import staff_scope
from portal.members.access import is_admitted_staff
from portal.members.stepup import READING, ask_again, has_second_factor, recently_proved
from portal.members.views.enrolling import whom_to_ask

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]

# How the index groups what is registered, whichever room a model lives in.
SECTIONS = (
    ("customers", gettext_lazy("Customers"), ("Tenant", "User", "AuditEvent")),
    ("connections", gettext_lazy("Connections"), ("Connection", "SyncRun", "Call", "RequestLogEntry")),
    ("house", gettext_lazy("House"), ("ClientRegistration", "Job", "OutgoingMail", "LogEntry")),
)


class PortalAdminSite(AdminSite):
    """Every admin page runs, and is rendered, in the staff's database role; who asks for it stands in the process's log."""

    site_title = gettext_lazy("Pilotage staff")
    site_header = gettext_lazy("Pilotage staff")
    index_title = gettext_lazy("Staff pages")
    site_url = None
    enable_nav_sidebar = False  # the bar on top leaves the width to the tables

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._attached: list[tuple[str, View, str]] = []

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only our own rooms decide what staff see: other packages would register sessions, addresses and seeds."""
        if admin_class is not None and admin_class.__module__.startswith("portal."):
            super().register(model_or_iterable, admin_class, **options)

    def attach(self, route: str, view: View, name: str) -> None:
        """Add a page that belongs to no model; called while the apps load."""
        self._attached.append((route, view, name))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Django's would fetch a row of any table, with all its columns; none of ours has a page of its own elsewhere.
        attached = [*self._attached, ("r/<int:content_type_id>/<path:object_id>/", _nothing_there, "view_on_site")]
        own = [path(route, self.admin_view(view), name=name) for route, view, name in attached]
        return [*own, *super().get_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        return is_admitted_staff(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "pasted": ""}

    def get_log_entries(self, request: HttpRequest) -> Any:
        # With the people who made them, and the staff's role has no right on passwords.
        return super().get_log_entries(request).defer("user__password")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            with staff_scope():
                response: Any = view(request, *args, **kwargs)
                # A template response is rendered late; its queries belong inside the scope.
                if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                    response = response.render()
            return response

        guarded: View = super().admin_view(inside, cacheable)

        def entrance(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_permission(request):
                return turn_away(request)
            # The path holds ids only; what was searched for stands in the query and is left out.
            logger.info("staff %s: %s %s", request.user.pk, request.method, request.path)
            if request.method not in READING and not recently_proved(request):
                return ask_again(request, _page_of_the_form(request))
            return guarded(request, *args, **kwargs)

        return entrance

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one way in, and it is not here."""
        if self.has_permission(request):
            return redirect("admin:index")
        return turn_away(request, reverse("admin:index"))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("admin:index")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        if app_label is not None:
            return super().get_app_list(request, app_label)
        found = {
            model["object_name"]: model for app in self._build_app_dict(request).values() for model in app["models"]
        }
        sections = [
            {
                "name": name,
                "app_label": label,
                "app_url": reverse("admin:index"),
                "has_module_perms": True,
                "models": [found[model] for model in models if model in found],
            }
            for label, name, models in SECTIONS
        ]
        return [section for section in sections if section["models"]]


def _nothing_there(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    raise Http404


def turn_away(request: HttpRequest, wanted: str = "") -> HttpResponse:
    """To the sign-in; to the second factor; and for everybody else there is nothing here. Raises Http404."""
    wanted = wanted or request.get_full_path()
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(wanted, resolve_url("account_login"))
    if not (user.is_active and user.is_staff):
        raise Http404
    if has_second_factor(user):
        return redirect_to_login(wanted, resolve_url("mfa_reauthenticate"))
    return whom_to_ask(request, user)


def _page_of_the_form(request: HttpRequest) -> str:
    """Where a form was sent from, as far as the browser says; buttons have addresses of their own that show nothing."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    index = reverse("admin:index")
    if came_from.netloc == request.get_host() and came_from.path.startswith(index):
        return came_from.path + (f"?{came_from.query}" if came_from.query else "")
    return index
