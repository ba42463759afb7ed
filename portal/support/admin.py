"""Registers the staff pages, once Django asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, cast

from django.contrib import admin
from django.http import HttpResponse

from portal.support import (  # noqa: F401  (importing registers)
    audit_log,
    calls,
    connections,
    incidents,
    jobs_admin,
    people,
    registrations,
    request_log,
    runs,
    tenants,
)
from portal.support.proofs import registry_of_proofs
from portal.support.views import search


class TakesPages(Protocol):
    """What the portal's AdminSite offers beyond Django's."""

    def attach(
        self, route: str, view: Callable[..., HttpResponse], name: str, parameters: Collection[str] = ()
    ) -> None: ...


# The default site is the portal's own (portal/operations/admin_config.py); it takes pages that belong to no model.
cast(TakesPages, admin.site).attach("search/", search, "search", ("q",))
cast(TakesPages, admin.site).attach("proofs/", registry_of_proofs, "proofs")
