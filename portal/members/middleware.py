"""Lets the signed-in person read their own memberships, whatever the tenant, for the length of the request."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from connections.tenancy.scope import person_scope


class PersonMiddleware:
    """Enters the person's scope inside the request's transaction."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.user.pk is not None:
            with person_scope(request.user.pk):
                return self.get_response(request)
        return self.get_response(request)
