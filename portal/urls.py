"""Every address of the portal."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("account/", include("portal.members.account_pages")),
    path("", include("portal.members.urls")),
    path("", include("portal.onboarding.urls")),
    path("", include("portal.dashboard.urls")),
    path("", include("portal.records.urls")),
    path("", include("portal.api_console.urls")),
    path("", include("portal.incidents.urls")),
    path("", include("portal.notices.urls")),
]
