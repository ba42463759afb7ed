"""Makes a request the signed-in person's: their own memberships are readable, and times are in their zone."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from connections.spec.times import zone_named
from connections.tenancy.scope import person_scope


class PersonMiddleware:
    """Enters the person's scope inside the request's transaction."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.user.pk is not None:
            # No exception comes here, and the transaction ends after this: there is nothing that a savepoint would undo.
            scope = person_scope(request.user.pk, request.user.email, savepoint=False)
            with scope, timezone.override(zone_named(request.user.time_zone)):
                return self.get_response(request)
        return self.get_response(request)
