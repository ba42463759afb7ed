"""Registers the staff's page about what runs, once Django asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from django.contrib import admin
from django.http import HttpResponse

from portal.operations.views import health


class SiteWithPages(Protocol):
    """What the portal's AdminSite offers beyond Django's."""

    def attach(self, route: str, view: Callable[..., HttpResponse], name: str) -> None: ...


cast(SiteWithPages, admin.site).attach("health/", health, "health")
