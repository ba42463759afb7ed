"""The portal's addresses, and one view with nothing but what every page has: the measure of all others."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET

from connections.vault.models import Connection
from portal import urls
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action


@require_GET
@member(Action.VIEW)
def bare(request: MemberRequest) -> HttpResponse:
    return HttpResponse(str(Connection.objects.count()))


urlpatterns = [path("t/<slug:slug>/bare/", bare), *urls.urlpatterns]
