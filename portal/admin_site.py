"""The staff's AdminSite: entered through the portal's own sign-in, with the second factor used, in the staff scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from connections.tenancy.scope import staff_scope
from portal.members.access import is_admitted_staff


class PortalAdminSite(AdminSite):
    """Every admin page runs, and is rendered, in the staff's database role."""

    site_title = _("Pilotage")
    site_header = _("Pilotage")
    index_title = _("Staff")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        return is_admitted_staff(request)

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_permission(request):
                return view(request, *args, **kwargs)
            with staff_scope():
                response = view(request, *args, **kwargs)
                # A template response is rendered late; its queries belong inside the scope.
                if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                    response = response.render()
                return response

        return super().admin_view(inside, cacheable)
