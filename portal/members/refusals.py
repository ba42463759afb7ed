"""Counts, for the system's audit trail, the pages of tenants that a signed-in person was refused."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from connections.tenancy import audit
from portal.members.signals import network_address

REFUSED = 404


class RefusalsMiddleware:
    """Every "there is nothing here" inside a tenant's addresses, whatever the reason.

    A row of another tenant, a missing one and a page above one's role are the same to the person, and for as long as
    the request lasts they are the same to us: the same work is done, so the time tells nothing. Whose an id is, staff
    see when they open the event.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if response.status_code == REFUSED and request.user.is_authenticated and match and "slug" in match.kwargs:
            ids = {
                name.removesuffix("_id"): str(value) for name, value in match.kwargs.items() if isinstance(value, UUID)
            }
            audit.record_repeated(
                actor=request.user.actor,
                action="access.refused",
                group=str(request.user.pk),
                subject=str(match.kwargs["slug"]),
                page=match.view_name,
                method=request.method,
                address=network_address(request),
                **ids,
            )
        return response
